#pragma once
/* Reading parameters, strictly: each function answers wrong ones with -32602 and the argument's
 * number, as geth words it, and returns false. */
#include "chain/transaction.h"
#include "rpc/method.h"

/* rpc_text views a JSON string; nothing of any other value. */
struct bytes rpc_text(const json_t *value);

/* rpc_param_is_given: the parameter is there and not null. */
bool rpc_param_is_given(const struct call *call, size_t index);
/* An address: DATA of 20 bytes. */
bool rpc_param_address(struct call *call, size_t index, struct address *out);
/* A hash: DATA of 32 bytes. */
bool rpc_param_hash(struct call *call, size_t index, struct hash32 *out);
/* A QUANTITY of at most 64 bits; a JSON number that is not negative is taken too. */
bool rpc_param_quantity(struct call *call, size_t index, uint64_t *out);
/* true or false; `fallback` when it is missing or null. */
bool rpc_param_bool(struct call *call, size_t index, bool fallback, bool *out);
/* DATA of any length, in the request's arena. */
bool rpc_param_data(struct call *call, size_t index, struct bytes *out);
/* A storage slot: DATA of up to 32 bytes, or a QUANTITY, left-padded. */
bool rpc_param_slot_value(struct call *call, json_t *value, struct hash32 *out);

/* Fields of objects; `name` goes into the message.  A missing field leaves *out and returns true.
 */
bool rpc_field_address(struct call *call, json_t *object, const char *name, struct address *out,
                       bool *is_given);
bool rpc_field_quantity(struct call *call, json_t *object, const char *name, uint64_t *out,
                        bool *is_given);
bool rpc_field_u256(struct call *call, json_t *object, const char *name, struct u256 *out,
                    bool *is_given);
bool rpc_field_data(struct call *call, json_t *object, const char *name, struct bytes *out,
                    bool *is_given);

/* Which block a parameter means. */
struct block_choice {
    uint64_t number;
    bool is_pending; /* the tag `pending`: number is the head's */
};

/* rpc_param_block reads a tag, a number, or EIP-1898's object; missing means latest.  A block that
 * is not here is answered with "header not found" (or, with `null_when_missing`, reported in
 * *is_missing). */
bool rpc_param_block(struct call *call, size_t index, bool null_when_missing,
                     struct block_choice *out, bool *is_missing);

/* rpc_param_call reads a call object into *out (sender set, gas capped) with overrides at
 * `overrides_index` (0: none).  Fees are filled as rpc_eth_call wants them: zero price when none.
 */
bool rpc_param_call(struct call *call, size_t index, size_t overrides_index, struct rpc_call *out,
                    bool *gas_is_given, bool *nonce_is_given);

/* rpc_read_overrides reads an object of state overrides (NULL and null: none). */
bool rpc_read_overrides(struct call *call, json_t *object, struct rpc_call *out);
/* rpc_read_call reads a call object as it is: no overrides, no cap of its gas. */
bool rpc_read_call(struct call *call, json_t *object, struct rpc_call *out, bool *gas_is_given,
                   bool *nonce_is_given);
