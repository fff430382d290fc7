/* Key files: modes, contents, and the well-known development keys. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "node/keys.h"

static char path[] = "/tmp/baton-key-XXXXXX";

static void write_key(const char *text, mode_t mode) {
    const int file = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    CHECK(file >= 0);
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(fchmod(file, mode) == 0);
    close(file);
}

/* The first keys that anvil prints, from its documentation. */
static void test_development_keys(void) {
    static const char *const known[] = {
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    };
    struct secp_key keys[2];
    keys_development(keys, 2);
    for (uint32_t i = 0; i < 2; i++) {
        char text[67];
        hex_string((struct bytes){keys[i].secret, 32}, text);
        CHECK(strcmp(text, known[i]) == 0);
        CHECK(keys_is_development(&keys[i]));
    }
    const struct secp_key other = {{[31] = 7}};
    CHECK(!keys_is_development(&other));
}

static void test_files(void) {
    static const char good[] =
        "0x0101010101010101010101010101010101010101010101010101010101010101\n";
    struct secp_key key;
    char error[512];
    write_key(good, 0600);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_OK);
    CHECK(key.secret[0] == 1 && key.secret[31] == 1);
    write_key(good + 2, 0600); /* without 0x */
    CHECK(keys_read_validator(path, false, &key, error) == ERR_OK);
    write_key(good, 0640);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_PERMISSION);
    CHECK(strstr(error, "validator_key_file") != NULL && strstr(error, path) != NULL);
    write_key("0x01", 0600);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_ENCODING);
    write_key("0x0000000000000000000000000000000000000000000000000000000000000000", 0600);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_ENCODING);
    write_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", 0600);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_PERMISSION);
    CHECK(keys_read_validator(path, true, &key, error) == ERR_OK);
    unlink(path);
    CHECK(keys_read_validator(path, false, &key, error) == ERR_NOT_FOUND);
}

int main(void) {
    const int file = mkstemp(path);
    CHECK(file >= 0);
    close(file);
    CHECK(ed25519_init() == ERR_OK);
    test_development_keys();
    test_files();
    puts("node keys: ok");
    return 0;
}
