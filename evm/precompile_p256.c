/* secp256r1 signature verification (EIP-7951), by OpenSSL. */
#define OPENSSL_SUPPRESS_DEPRECATED  /* the newer interface builds a provider's key for every call \
                                      */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>

#include "base/check.h"
#include "base/u256.h"
#include "evm/precompile.h"

#define INPUT_BYTES 160

uint64_t p256_verify_gas(struct bytes input) {
    (void)input;
    return 6900;
}

/* The curve's prime, its order, and b of y^2 = x^3 - 3x + b (SEC 2, 2.4.2). */
static const struct u256 field_prime = {
    {0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001}};
static const struct u256 group_order = {
    {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}};
static const struct u256 curve_b = {
    {0x3bce3c3e27d2604b, 0x651d06b0cc53b0f6, 0xb3ebbd55769886bc, 0x5ac635d8aa3a93e7}};

/* is_plausible: r and s are in range and (x, y) is a point of the curve.  What fails here is
 * refused without the price of setting up a verification. */
static bool is_plausible(const uint8_t *in) {
    const struct u256 r = u256_from_be((struct bytes){in + 32, 32});
    const struct u256 s = u256_from_be((struct bytes){in + 64, 32});
    const struct u256 x = u256_from_be((struct bytes){in + 96, 32});
    const struct u256 y = u256_from_be((struct bytes){in + 128, 32});
    if (u256_is_zero(&r) || u256_is_zero(&s)) return false;
    if (u256_compare(&r, &group_order) >= 0 || u256_compare(&s, &group_order) >= 0) return false;
    if (u256_compare(&x, &field_prime) >= 0 || u256_compare(&y, &field_prime) >= 0) return false;
    const struct u256 three = u256_from_u64(3);
    const struct u256 minus_three = u256_sub(&field_prime, &three);
    struct u256 right = u256_mulmod(&x, &x, &field_prime);
    right = u256_addmod(&right, &minus_three, &field_prime);
    right = u256_mulmod(&right, &x, &field_prime);
    right = u256_addmod(&right, &curve_b, &field_prime);
    const struct u256 left = u256_mulmod(&y, &y, &field_prime);
    return u256_equal(&left, &right);
}

/* set_key gives `key` the point (x, y); false when it is not on the curve. */
static bool set_key(EC_KEY *key, const BIGNUM *x, const BIGNUM *y, const BIGNUM *prime) {
    if (BN_cmp(x, prime) >= 0 || BN_cmp(y, prime) >= 0) return false;
    const EC_GROUP *group = EC_KEY_get0_group(key);
    EC_POINT *point = EC_POINT_new(group);
    const bool ok = point != NULL &&
                    EC_POINT_set_affine_coordinates(group, point, x, y, NULL) == 1 &&
                    EC_KEY_set_public_key(key, point) == 1;
    EC_POINT_free(point);
    return ok;
}

static bool verify(const uint8_t *in) {
    bool ok = false;
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(in + 32, 32, NULL);
    BIGNUM *s = BN_bin2bn(in + 64, 32, NULL);
    BIGNUM *x = BN_bin2bn(in + 96, 32, NULL);
    BIGNUM *y = BN_bin2bn(in + 128, 32, NULL);
    BIGNUM *prime = BN_new();
    CHECK(key != NULL && signature != NULL && r != NULL && s != NULL && x != NULL && y != NULL &&
          prime != NULL);
    CHECK(EC_GROUP_get_curve(EC_KEY_get0_group(key), prime, NULL, NULL, NULL) == 1);
    CHECK(ECDSA_SIG_set0(signature, r, s) == 1); /* takes r and s; their range is checked below */
    if (set_key(key, x, y, prime)) ok = ECDSA_do_verify(in, 32, signature, key) == 1;
    BN_free(prime);
    BN_free(x);
    BN_free(y);
    ECDSA_SIG_free(signature);
    EC_KEY_free(key);
    return ok;
}

bool p256_verify_run(struct bytes input, struct arena *scratch, struct buffer *out) {
    (void)scratch;
    if (input.size != INPUT_BYTES || !is_plausible(input.data) || !verify(input.data))
        return true; /* empty output */
    uint8_t word[32] = {[31] = 1};
    buffer_append(out, BYTES_OF(word));
    return true;
}
