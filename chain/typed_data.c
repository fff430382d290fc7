#include "chain/typed_data.h"

#include "base/check.h"
#include "base/keccak.h"

void abi_word_u64(struct buffer *out, uint64_t value) {
    uint8_t word[ABI_WORD_BYTES] = {0};
    be_write(word + ABI_WORD_BYTES - 8, 8, value);
    buffer_append(out, BYTES_OF(word));
}

void abi_word_i32(struct buffer *out, int32_t value) {
    uint8_t word[ABI_WORD_BYTES];
    memset(word, value < 0 ? 0xff : 0, sizeof word);
    be_write(word + ABI_WORD_BYTES - 4, 4, (uint32_t)value);
    buffer_append(out, BYTES_OF(word));
}

void abi_word_hash(struct buffer *out, const struct hash32 *hash) {
    buffer_append(out, hash_bytes(hash));
}

void abi_word_address(struct buffer *out, const struct address *address) {
    uint8_t word[ABI_WORD_BYTES] = {0};
    memcpy(word + ABI_WORD_BYTES - sizeof address->bytes, address->bytes, sizeof address->bytes);
    buffer_append(out, BYTES_OF(word));
}

struct hash32 typed_domain(const char *name, uint64_t chain_id, const struct address *contract) {
    const struct hash32 type =
        keccak256(BYTES_STRING("EIP712Domain(string name,string version,uint256 chainId,address "
                               "verifyingContract)"));
    const struct hash32 name_hash = keccak256(bytes_from_string(name));
    const struct hash32 version_hash = keccak256(BYTES_STRING("1"));
    uint8_t words[5 * ABI_WORD_BYTES];
    struct buffer out = buffer_over(words, sizeof words);
    abi_word_hash(&out, &type);
    abi_word_hash(&out, &name_hash);
    abi_word_hash(&out, &version_hash);
    abi_word_u64(&out, chain_id);
    abi_word_address(&out, contract);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}

struct hash32 typed_digest(const struct hash32 *separator, struct bytes words) {
    const struct hash32 struct_hash = keccak256(words);
    uint8_t message[2 + 2 * ABI_WORD_BYTES];
    struct buffer out = buffer_over(message, sizeof message);
    buffer_append_byte(&out, 0x19);
    buffer_append_byte(&out, 0x01);
    abi_word_hash(&out, separator);
    abi_word_hash(&out, &struct_hash);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}
