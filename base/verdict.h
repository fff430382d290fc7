#pragma once
/* enum verdict: what we say of somebody's input.  A verdict is data, not a failure of ours: it is
 * counted in a metric, answered with its text, and never logged above debug.  The texts of the
 * transaction verdicts are the ones that clients of geth match on. */

/*    name                       text */
#define VERDICT_LIST(X)                                                                            \
    X(ACCEPTED, "accepted")                                                                        \
    X(MALFORMED, "malformed")                                                                      \
    X(TYPE_UNSUPPORTED, "transaction type not supported")                                          \
    X(BLOB_UNSUPPORTED, "transaction type not supported: blob transactions are refused")           \
    X(CHAIN_ID, "invalid chain id for signer")                                                     \
    X(SIGNATURE, "invalid sender")                                                                 \
    X(UNPROTECTED, "only replay-protected (EIP-155) transactions allowed over RPC")                \
    X(OVERSIZED, "oversized data")                                                                 \
    X(NONCE_TOO_LOW, "nonce too low")                                                              \
    X(NONCE_TOO_HIGH, "nonce too high")                                                            \
    X(NONCE_MAX, "nonce has max value")                                                            \
    X(FUNDS, "insufficient funds for gas * price + value")                                         \
    X(INTRINSIC_GAS, "intrinsic gas too low")                                                      \
    X(FLOOR_DATA_GAS, "insufficient gas for floor data gas cost")                                  \
    X(BLOCK_GAS, "exceeds block gas limit")                                                        \
    X(TX_GAS_LIMIT, "transaction gas limit too high")                                              \
    X(FEE_BELOW_BASE, "max fee per gas less than block base fee")                                  \
    X(TIP_ABOVE_FEE, "max priority fee per gas higher than max fee per gas")                       \
    X(INITCODE_SIZE, "max initcode size exceeded")                                                 \
    X(SENDER_NOT_EOA, "sender not an eoa")                                                         \
    X(AUTHORIZATION_EMPTY, "EIP-7702 transaction with empty auth list")                            \
    X(SET_CODE_CREATE, "EIP-7702 transaction cannot be used to create contract")                   \
    X(BLOB_CREATE, "blob transaction of type create")                                              \
    X(BLOB_HASHES, "blob transaction with missing or invalid blob hashes")                         \
    X(BLOB_FEE, "max fee per blob gas less than block blob gas fee")                               \
    X(BLOB_LIMIT, "blob gas limit exceeded")                                                       \
    X(ALREADY_KNOWN, "already known")                                                              \
    X(REPLACEMENT_UNDERPRICED, "replacement transaction underpriced")                              \
    X(UNDERPRICED, "transaction underpriced")                                                      \
    X(POOL_FULL, "txpool is full")                                                                 \
    X(SENDER_LIMIT, "account limit exceeded")                                                      \
    X(DELEGATED_LIMIT, "in-flight transaction limit reached for delegated accounts")               \
    X(BLOCK_INVALID, "invalid block")                                                              \
    X(STALE, "stale")                                                                              \
    X(FUTURE, "too far in the future")                                                             \
    X(DUPLICATE, "duplicate")                                                                      \
    X(UNKNOWN_PEER, "peer is not in the validator set")                                            \
    X(BUSY, "busy, try again")

enum verdict {
#define X(name, text) VERDICT_##name,
    VERDICT_LIST(X)
#undef X
        VERDICT_COUNT
};

/* verdict_name returns the constant's name in lower case ("nonce_too_low"), fit for a metric label;
 * static storage. */
const char *verdict_name(enum verdict verdict);

/* verdict_text returns the text that clients see; static storage. */
const char *verdict_text(enum verdict verdict);
