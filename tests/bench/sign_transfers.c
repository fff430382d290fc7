/* Signs transfers for load generators, which would otherwise spend their time on signatures.
 *
 * usage: sign_transfers CHAINID < REQUESTS
 *
 * Each line of the input, "SECRET NONCE COUNT", asks for COUNT transfers of one wei from the key to
 * itself, with nonces from NONCE on; each transfer is one line of the output, "HASH RAW".  The
 * output is flushed after each request. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "chain/transaction.h"

#define ARENA_BYTES  4096
#define GAS_LIMIT    21000
#define FEE_WEI      100000000000u
#define PRIORITY_WEI 1000000000u

static void print_transfer(const struct transaction *transaction) {
    char hash[67], raw[2 * ARENA_BYTES + 3];
    printf("%s %s\n", hex_string(hash_bytes(&transaction->hash), hash),
           hex_string(transaction->encoded, raw));
}

static enum err sign(const struct secp_key *key, uint64_t chain_id, uint64_t nonce) {
    uint8_t memory[ARENA_BYTES];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction = {
        .type = TRANSACTION_DYNAMIC_FEE,
        .is_protected = true,
        .chain_id = chain_id,
        .nonce = nonce,
        .max_priority_fee = u256_from_u64(PRIORITY_WEI),
        .max_fee = u256_from_u64(FEE_WEI),
        .gas_limit = GAS_LIMIT,
        .to = secp_key_address(key),
        .value = u256_from_u64(1),
    };
    TRY(transaction_sign(&transaction, key, &arena));
    print_transfer(&transaction);
    return ERR_OK;
}

static enum err serve(const char *line, uint64_t chain_id) {
    char secret[80];
    uint64_t nonce, count;
    struct secp_key key;
    struct hash32 value;
    if (sscanf(line, "%79s %" SCNu64 " %" SCNu64, secret, &nonce, &count) != 3) return ERR_ENCODING;
    TRY(hex_to_hash(bytes_from_string(secret), &value));
    memcpy(key.secret, value.bytes, sizeof key.secret);
    if (!secp_key_is_valid(&key)) return ERR_ENCODING;
    for (uint64_t i = 0; i < count; i++)
        TRY(sign(&key, chain_id, nonce + i));
    return fflush(stdout) == 0 ? ERR_OK : ERR_SYSTEM;
}

int main(int argc, char **argv) {
    char line[256];
    if (argc != 2) {
        fputs("usage: sign_transfers CHAINID < REQUESTS\n", stderr);
        return 2;
    }
    const uint64_t chain_id = strtoull(argv[1], NULL, 10);
    while (fgets(line, sizeof line, stdin) != NULL) {
        const enum err err = serve(line, chain_id);
        if (err == ERR_OK) continue;
        fprintf(stderr, "sign_transfers: %s", err_text(err));
        return 1;
    }
    return 0;
}
