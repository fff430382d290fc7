#include "evm/precompile.h"

#include "evm/evm.h"

#include <string.h>

static const struct precompile precompiles[] = {
#define X(address, first, text, gas, run) {address, FORK_##first, text, gas, run},
    PRECOMPILES(X)
#undef X
};

const struct precompile *precompile_find(enum fork fork, const struct address *address) {
    uint64_t head[2];
    memcpy(head, address->bytes, sizeof head);
    if ((head[0] | head[1]) != 0 || address->bytes[16] != 0 || address->bytes[17] != 0) return NULL;
    const uint16_t low = (uint16_t)be_read(address->bytes + 18, 2);
    const struct precompile *found = NULL;
    for (size_t i = 0; i < sizeof precompiles / sizeof precompiles[0]; i++) {
        if (precompiles[i].address == low && precompiles[i].first <= fork) found = &precompiles[i];
    }
    return found;
}

void precompile_padded(struct bytes input, size_t offset, uint8_t *out, size_t size) {
    memset(out, 0, size);
    const struct bytes there = bytes_slice(input, offset, size);
    if (there.size != 0) memcpy(out, there.data, there.size);
}

bool evm_is_precompile(enum fork fork, const struct address *address) {
    return precompile_find(fork, address) != NULL;
}

const char *evm_precompile_name(enum fork fork, const struct address *address) {
    const struct precompile *precompile = precompile_find(fork, address);
    return precompile == NULL ? NULL : precompile->name;
}
