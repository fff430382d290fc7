#include "base/rlp.h"
#include "state/state.h"

void account_encode(const struct account *account, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, account->nonce);
    rlp_write_u256(out, &account->balance);
    rlp_write_hash(out, &account->storage_root);
    rlp_write_hash(out, &account->code_hash);
    rlp_list_end(out, list);
}

enum err account_decode(struct bytes in, struct account *out) {
    struct bytes fields;
    struct account account;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &account.nonce));
    TRY(rlp_read_u256(&fields, &account.balance));
    TRY(rlp_read_hash(&fields, &account.storage_root));
    TRY(rlp_read_hash(&fields, &account.code_hash));
    if (fields.size != 0) return ERR_ENCODING;
    *out = account;
    return ERR_OK;
}
