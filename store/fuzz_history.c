/* Foreign bytes as stamps and entries of the history: what is accepted encodes to the same bytes.
 */
#include "store/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t room[HISTORY_STAMP_BYTES_MAX];
    struct bytes in = {data, size};
    struct history_stamp stamp;
    if (history_stamp_decode(&in, &stamp) == ERR_OK) {
        struct buffer out = buffer_over(room, sizeof room);
        history_stamp_encode(&stamp, &out);
        CHECK(bytes_equal(buffer_bytes(&out), (struct bytes){data, size - in.size}));
    }
    struct history_entry entry;
    if (history_entry_decode((struct bytes){data, size}, &entry) == ERR_OK) {
        static uint8_t entry_room[1 << 16];
        struct buffer out = buffer_over(entry_room, sizeof entry_room);
        history_entry_encode(&entry, &out);
        if (!out.overflow) CHECK(bytes_equal(buffer_bytes(&out), (struct bytes){data, size}));
    }
    return 0;
}
