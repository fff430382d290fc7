/* `baton key`: makes and shows key files. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "node/keys.h"
#include "tools/commands.h"

static int key_new(const char *directory) {
    char validator_path[4200], peer_path[4200], text[67], address_text[43], error[512];
    if (strlen(directory) > 4000) {
        fputs("baton key new: the directory's name is too long\n", stderr);
        return 2;
    }
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "baton key new: cannot make \"%s\": %s\n", directory, strerror(errno));
        return 1;
    }
    snprintf(validator_path, sizeof validator_path, "%s/validator.key", directory);
    snprintf(peer_path, sizeof peer_path, "%s/peer.key", directory);
    struct secp_key key;
    do {
        randombytes_buf(key.secret, sizeof key.secret);
    } while (!secp_key_is_valid(&key));
    uint8_t seed[32];
    randombytes_buf(seed, sizeof seed);
    enum err err = keys_write_secret(validator_path, key.secret, error);
    if (err == ERR_OK) err = keys_write_secret(peer_path, seed, error);
    if (err != ERR_OK) {
        fprintf(stderr, "baton key new: %s\n", error);
        return 1;
    }
    const struct address address = secp_key_address(&key);
    const struct ed25519_key peer = ed25519_key_from_seed(seed);
    printf("validator  %s  (%s)\n", hex_checksum_address(&address, address_text), validator_path);
    printf("peer id    %s  (%s)\n", hex_string(hash_bytes(&peer.public_key), text), peer_path);
    sodium_memzero(&key, sizeof key);
    sodium_memzero(seed, sizeof seed);
    return 0;
}

static int key_show(const char *what, const char *path) {
    char error[512], text[67], address_text[43];
    uint8_t secret[32];
    if (keys_read_secret(path, "FILE", secret, error) != ERR_OK) {
        fprintf(stderr, "baton key %s: %s\n", what, error);
        return 1;
    }
    if (strcmp(what, "peer-id") == 0) {
        const struct ed25519_key peer = ed25519_key_from_seed(secret);
        printf("%s\n", hex_string(hash_bytes(&peer.public_key), text));
        return 0;
    }
    struct secp_key key;
    memcpy(key.secret, secret, sizeof secret);
    if (!secp_key_is_valid(&key)) {
        fprintf(stderr, "baton key address: \"%s\" is no secp256k1 key\n", path);
        return 1;
    }
    const struct address address = secp_key_address(&key);
    printf("%s\n", hex_checksum_address(&address, address_text));
    return 0;
}

static void key_usage(FILE *out) {
    fputs("NAME\n  baton key - make and show keys\n\n"
          "SYNOPSIS\n"
          "  baton key new DIR\n"
          "  baton key address FILE\n"
          "  baton key peer-id FILE\n\n"
          "DESCRIPTION\n"
          "  new makes DIR/validator.key (secp256k1: votes, L1 transactions) and DIR/peer.key\n"
          "  (Ed25519: p2p), both of mode 0600.  address prints the address of a validator key,\n"
          "  peer-id the peer id (bytes32) of a peer key.\n\n"
          "  Files hold 32 bytes of hex, as `cast wallet new` prints a private key; they never "
          "leave\n"
          "  the machine.  Well-known development keys are refused by `baton node` unless\n"
          "  --allow-dev-keys says that the chain is a development chain.\n\n"
          "EXIT STATUS\n"
          "  0 done; 1 a file cannot be read or written, or holds no key; 2 wrong use.\n",
          out);
}

int command_key(int argc, char **argv) {
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        key_usage(stdout);
        return 0;
    }
    if (ed25519_init() != ERR_OK) {
        fputs("baton key: libsodium cannot be initialised\n", stderr);
        return 1;
    }
    if (argc == 3 && strcmp(argv[1], "new") == 0) return key_new(argv[2]);
    if (argc == 3 && (strcmp(argv[1], "address") == 0 || strcmp(argv[1], "peer-id") == 0)) {
        return key_show(argv[1], argv[2]);
    }
    key_usage(stderr);
    return 2;
}
