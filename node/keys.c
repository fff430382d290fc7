#include "node/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"

#define DEVELOPMENT_KEYS 100

/* open_secret opens a file that only we may read. */
static enum err open_secret(const char *path, const char *setting, int *out, char error[512]) {
    struct stat about;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) {
        const int code = errno;
        snprintf(error, 512, "%s: cannot open \"%.200s\": %s", setting, path, strerror(code));
        if (file >= 0) close(file);
        return code == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION;
    }
    enum err err = ERR_PERMISSION;
    if (!S_ISREG(about.st_mode)) {
        snprintf(error, 512, "%s: \"%.200s\" is not a file", setting, path);
    } else if ((about.st_mode & 077) != 0) {
        snprintf(error, 512, "%s: \"%.200s\" can be read by others (mode %03o): chmod 600 it",
                 setting, path, (unsigned)about.st_mode & 0777);
    } else if (about.st_uid != geteuid() && geteuid() != 0) {
        snprintf(error, 512, "%s: \"%.200s\" belongs to another user", setting, path);
    } else {
        err = ERR_OK;
    }
    if (err != ERR_OK) {
        close(file);
        return err;
    }
    *out = file;
    return ERR_OK;
}

enum err keys_check_file(const char *path, const char *setting, char error[512]) {
    int file;
    TRY(open_secret(path, setting, &file, error));
    close(file);
    return ERR_OK;
}

enum err keys_read_secret(const char *path, const char *setting, uint8_t out[32], char error[512]) {
    int file;
    TRY(open_secret(path, setting, &file, error));
    char text[80];
    const ssize_t size = read(file, text, sizeof text);
    close(file);
    struct bytes hex = {(const uint8_t *)text, size > 0 ? (size_t)size : 0};
    while (hex.size > 0 && (hex.data[hex.size - 1] == '\n' || hex.data[hex.size - 1] == '\r')) {
        hex.size -= 1;
    }
    uint8_t secret[32];
    struct buffer buffer = buffer_over(secret, sizeof secret);
    const enum err err = hex_decode(hex, true, &buffer);
    sodium_memzero(text, sizeof text);
    if (err != ERR_OK || buffer.size != sizeof secret) {
        snprintf(error, 512, "%s: \"%.200s\" does not hold 32 bytes of hex", setting, path);
        return ERR_ENCODING;
    }
    memcpy(out, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    return ERR_OK;
}

enum err keys_read_validator(const char *path, bool allow_dev_keys, struct secp_key *out,
                             char error[512]) {
    struct secp_key key;
    TRY(keys_read_secret(path, "validator_key_file", key.secret, error));
    if (!secp_key_is_valid(&key)) {
        snprintf(error, 512, "validator_key_file: \"%.200s\" is no secp256k1 key", path);
        return ERR_ENCODING;
    }
    if (!allow_dev_keys && keys_is_development(&key)) {
        snprintf(error, 512,
                 "validator_key_file: \"%.200s\" is a well-known development key, which anybody "
                 "can sign with (allow_dev_keys accepts it on development chains)",
                 path);
        return ERR_PERMISSION;
    }
    *out = key;
    return ERR_OK;
}

enum err keys_read_peer(const char *path, struct ed25519_key *out, char error[512]) {
    uint8_t seed[32];
    TRY(keys_read_secret(path, "peer_key_file", seed, error));
    *out = ed25519_key_from_seed(seed);
    sodium_memzero(seed, sizeof seed);
    return ERR_OK;
}

/* A BIP-32 extended private key. */
struct extended_key {
    uint8_t secret[32];
    uint8_t chain_code[32];
};

static void split_hmac(const uint8_t *key, size_t key_bytes, const uint8_t *data, size_t data_bytes,
                       uint8_t left[32], uint8_t right[32]) {
    uint8_t digest[64];
    unsigned size = sizeof digest;
    CHECK(HMAC(EVP_sha512(), key, (int)key_bytes, data, data_bytes, digest, &size) != NULL);
    memcpy(left, digest, 32);
    memcpy(right, digest + 32, 32);
}

/* derive_child is CKDpriv of BIP-32. */
static struct extended_key derive_child(const secp256k1_context *context,
                                        const struct extended_key *parent, uint32_t index) {
    uint8_t data[37];
    if (index >= 0x80000000u) {
        data[0] = 0;
        memcpy(data + 1, parent->secret, 32);
    } else {
        secp256k1_pubkey public_key;
        size_t size = 33;
        CHECK(secp256k1_ec_pubkey_create(context, &public_key, parent->secret) == 1);
        secp256k1_ec_pubkey_serialize(context, data, &size, &public_key, SECP256K1_EC_COMPRESSED);
    }
    be_write(data + 33, 4, index);
    struct extended_key child;
    uint8_t tweak[32];
    split_hmac(parent->chain_code, 32, data, sizeof data, tweak, child.chain_code);
    memcpy(child.secret, parent->secret, 32);
    CHECK(secp256k1_ec_seckey_tweak_add(context, child.secret, tweak) == 1);
    return child;
}

/* development_account derives m/44'/60'/0'/0, the parent of all development keys. */
static struct extended_key development_account(const secp256k1_context *context) {
    static const char words[] = "test test test test test test test test test test test junk";
    static const uint32_t path[] = {0x8000002cu, 0x8000003cu, 0x80000000u, 0};
    uint8_t seed[64];
    CHECK(PKCS5_PBKDF2_HMAC(words, (int)sizeof words - 1, (const uint8_t *)"mnemonic", 8, 2048,
                            EVP_sha512(), sizeof seed, seed) == 1);
    struct extended_key key;
    split_hmac((const uint8_t *)"Bitcoin seed", 12, seed, sizeof seed, key.secret, key.chain_code);
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++) {
        key = derive_child(context, &key, path[i]);
    }
    return key;
}

void keys_development(struct secp_key *out, uint32_t count) {
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    CHECK(context != NULL);
    const struct extended_key account = development_account(context);
    for (uint32_t i = 0; i < count; i++) {
        const struct extended_key child = derive_child(context, &account, i);
        memcpy(out[i].secret, child.secret, 32);
    }
    secp256k1_context_destroy(context);
}

bool keys_is_development(const struct secp_key *key) {
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    CHECK(context != NULL);
    const struct extended_key account = development_account(context);
    bool found = false;
    for (uint32_t i = 0; i < DEVELOPMENT_KEYS && !found; i++) {
        const struct extended_key child = derive_child(context, &account, i);
        found = sodium_memcmp(child.secret, key->secret, 32) == 0;
    }
    secp256k1_context_destroy(context);
    return found;
}

enum err keys_write_secret(const char *path, const uint8_t secret[32], char error[512]) {
    char text[68];
    hex_string((struct bytes){secret, 32}, text);
    strcat(text, "\n");
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        const enum err err = errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM;
        snprintf(error, 512, "cannot create \"%.300s\": %s", path, strerror(errno));
        sodium_memzero(text, sizeof text);
        return err;
    }
    const bool written =
        write(file, text, strlen(text)) == (ssize_t)strlen(text) && fsync(file) == 0;
    close(file);
    sodium_memzero(text, sizeof text);
    if (written) return ERR_OK;
    snprintf(error, 512, "cannot write \"%.300s\": %s", path, strerror(errno));
    unlink(path);
    return ERR_SYSTEM;
}

static enum err make_key(const char *path, bool is_validator, char error[512]) {
    struct secp_key key;
    if (access(path, F_OK) == 0) return ERR_OK;
    do {
        randombytes_buf(key.secret, sizeof key.secret);
    } while (is_validator && !secp_key_is_valid(&key));
    const enum err err = keys_write_secret(path, key.secret, error);
    sodium_memzero(&key, sizeof key);
    return err;
}

enum err keys_make_validator(const char *path, char error[512]) {
    return make_key(path, true, error);
}

enum err keys_make_peer(const char *path, char error[512]) {
    return make_key(path, false, error);
}
