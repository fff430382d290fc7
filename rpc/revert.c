#include "rpc/revert.h"

#include <stdio.h>

#include "base/u256.h"

/* panic_text words Solidity's Panic(uint256) codes. */
static const char *panic_text(uint64_t code) {
    switch (code) {
    case 0x00: return "generic panic";
    case 0x01: return "assert(false)";
    case 0x11: return "arithmetic underflow or overflow";
    case 0x12: return "division or modulo by zero";
    case 0x21: return "enum overflow";
    case 0x22: return "invalid encoded storage byte array accessed";
    case 0x31: return "out-of-bounds array access; popping on an empty array";
    case 0x32: return "out-of-bounds access of an array or bytesN";
    case 0x41: return "out of memory";
    case 0x51: return "uninitialized function";
    default: return NULL;
    }
}

bool revert_reason(struct bytes data, char out[REVERT_REASON_BYTES]) {
    static const uint8_t error_selector[] = {0x08, 0xc3, 0x79, 0xa0};
    static const uint8_t panic_selector[] = {0x4e, 0x48, 0x7b, 0x71};
    if (data.size >= 36 && memcmp(data.data, panic_selector, 4) == 0) {
        const struct u256 code = u256_from_be(bytes_slice(data, 4, 32));
        const char *text = u256_fits_u64(&code) ? panic_text(code.limb[0]) : NULL;
        if (text == NULL) {
            snprintf(out, REVERT_REASON_BYTES, "unknown panic code: %#llx",
                     (unsigned long long)code.limb[0]);
        } else {
            snprintf(out, REVERT_REASON_BYTES, "%s", text);
        }
        return true;
    }
    if (data.size < 68 || memcmp(data.data, error_selector, 4) != 0) return false;
    const struct u256 size = u256_from_be(bytes_slice(data, 36, 32));
    if (!u256_fits_u64(&size) || size.limb[0] > data.size - 68) return false;
    size_t bytes = (size_t)size.limb[0];
    if (bytes > REVERT_REASON_BYTES - 1) bytes = REVERT_REASON_BYTES - 1;
    memcpy(out, data.data + 68, bytes);
    out[bytes] = '\0';
    return true;
}
