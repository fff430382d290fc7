#include "base/ed25519.h"

#include "base/check.h"
#include "base/hex.h"

/* RFC 8032, section 7.1, tests 1 and 2. */
static const struct {
    const char *seed, *public_key, *message, *signature;
} vectors[] = {
    {"0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "0x",
     "0xe5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
     "9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"0x4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "0x72",
     "0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
     "11d8c387b2eaeb4302aeeb00d291612bb0c00"},
};

int main(void) {
    CHECK(ed25519_init() == ERR_OK);
    CHECK(ed25519_init() == ERR_OK);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t seed[32];
        uint8_t expected[64];
        uint8_t signature[64];
        uint8_t memory[8];
        struct hash32 public_key;
        struct buffer message = buffer_over(memory, sizeof memory);
        CHECK(hex_decode_fixed(bytes_from_string(vectors[i].seed), seed, 32) == ERR_OK);
        CHECK(hex_to_hash(bytes_from_string(vectors[i].public_key), &public_key) == ERR_OK);
        CHECK(hex_decode(bytes_from_string(vectors[i].message), false, &message) == ERR_OK);
        CHECK(hex_decode_fixed(bytes_from_string(vectors[i].signature), expected, 64) == ERR_OK);

        const struct ed25519_key key = ed25519_key_from_seed(seed);
        CHECK(hash_equal(&key.public_key, &public_key));
        ed25519_sign(&key, buffer_bytes(&message), signature);
        CHECK(memcmp(signature, expected, sizeof expected) == 0);
        CHECK(ed25519_verify(&public_key, buffer_bytes(&message), signature));
        CHECK(!ed25519_verify(&public_key, BYTES_STRING("other"), signature));
        signature[40] ^= 1;
        CHECK(!ed25519_verify(&public_key, buffer_bytes(&message), signature));
    }
    return 0;
}
