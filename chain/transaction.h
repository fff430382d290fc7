#pragma once
/* Ethereum transactions of types 0 to 4: decoding, encoding, hashes, sender.
 *
 * A decoded transaction views its encoding (data, lists): it lives as long as the bytes and the
 * arena it was decoded with.  Types follow EIP-2718; type 3 is decoded for tests and refused by the
 * rollup. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/secp.h"
#include "base/u256.h"
#include "base/verdict.h"
#include "chain/fork.h"

enum transaction_type {
    TRANSACTION_LEGACY = 0,
    TRANSACTION_ACCESS_LIST = 1, /* EIP-2930 */
    TRANSACTION_DYNAMIC_FEE = 2, /* EIP-1559 */
    TRANSACTION_BLOB = 3,        /* EIP-4844 */
    TRANSACTION_SET_CODE = 4,    /* EIP-7702 */
};

struct access_tuple {
    struct address address;
    const struct hash32 *keys;
    size_t keys_count;
};

struct authorization {
    struct u256 chain_id;
    struct address address;
    uint64_t nonce;
    struct u256 y_parity; /* as encoded; only 0 and 1 can be valid */
    struct u256 r, s;
};

struct transaction {
    enum transaction_type type;
    bool is_protected; /* legacy: EIP-155; typed: always */
    uint64_t chain_id; /* 0 for unprotected legacy */
    uint64_t nonce;
    struct u256 max_priority_fee; /* types 2 to 4; otherwise equal to max_fee */
    struct u256 max_fee;          /* gasPrice for types 0 and 1 */
    uint64_t gas_limit;
    bool is_create; /* `to` is absent */
    struct address to;
    struct u256 value;
    struct bytes data;
    const struct access_tuple *access_list;
    size_t access_list_count;
    struct u256 max_fee_per_blob_gas;
    const struct hash32 *blob_hashes;
    size_t blob_hashes_count;
    const struct authorization *authorizations;
    size_t authorizations_count;
    struct u256 v; /* as encoded (legacy v, or y parity) */
    struct u256 r, s;
    struct bytes encoded; /* the EIP-2718 envelope, as it was decoded or encoded */
    struct hash32 hash;
    bool has_sender;
    struct address sender; /* when has_sender */
};

/* transaction_decode reads one canonical envelope (a legacy list, or type || list; not wrapped in
 * an RLP string) and computes the hash, not the sender.  *out views `in`; arrays live in `arena`.
 * VERDICT_MALFORMED: not a transaction.  VERDICT_TYPE_UNSUPPORTED: type above 4. VERDICT_OVERSIZED:
 * the arena is exhausted. */
enum verdict transaction_decode(struct bytes in, struct arena *arena, struct transaction *out);

/* transaction_recover fills sender.  VERDICT_SIGNATURE: r, s, v or the key is invalid, or s is
 * high. Costs about 40 us: callers do it on threads that may wait. */
enum verdict transaction_recover(struct transaction *transaction);

/* transaction_recover_at is transaction_recover by the rules of `fork`: Frontier allowed a high s.
 */
enum verdict transaction_recover_at(struct transaction *transaction, enum fork fork);

/* transaction_signing_hash is the digest that the sender signed (EIP-155, 2930, 1559, 4844, 7702).
 */
struct hash32 transaction_signing_hash(const struct transaction *transaction);

/* transaction_encode writes the envelope from the fields.  */
void transaction_encode(const struct transaction *transaction, struct buffer *out);

/* transaction_sign sets v, r, s, hash, sender and `encoded` (in `arena`): for tools and tests.
 * ERR_LIMIT when the arena is exhausted. */
MUST_USE enum err transaction_sign(struct transaction *transaction, const struct secp_key *key,
                                   struct arena *arena);

/* authorization_recover finds who signed an EIP-7702 authorization: keccak(0x05 || rlp([chain_id,
 * address, nonce])).  ERR_SIGNATURE when nobody can have. */
MUST_USE enum err authorization_recover(const struct authorization *authorization,
                                        struct address *out);

/* transaction_effective_tip is min(max_priority_fee, max_fee - base_fee), and zero when max_fee is
 * below base_fee. */
struct u256 transaction_effective_tip(const struct transaction *transaction,
                                      const struct u256 *base_fee);

/* contract_address_create is the low 20 bytes of keccak(rlp([sender, nonce])). */
struct address contract_address_create(const struct address *sender, uint64_t nonce);
/* contract_address_create2: EIP-1014. */
struct address contract_address_create2(const struct address *sender, const struct hash32 *salt,
                                        const struct hash32 *initcode_hash);
