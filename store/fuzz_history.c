/* Foreign bytes as records and entries of the history: what is accepted encodes to the same bytes.
 */
#include "store/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[1 << 16];
    const struct bytes in = {data, size};
    struct bytes value;
    struct history_stamp stamp;
    if (history_record_decode(in, &stamp, &value) == ERR_OK) {
        struct buffer out = buffer_over(room, sizeof room);
        history_record_encode(&stamp, value, &out);
        room[0] |= data[0] & HISTORY_MARK;
        if (!out.overflow) CHECK(bytes_equal(buffer_bytes(&out), in));
        if (value.size != 0) CHECK(bytes_equal(history_record_around(value), in));
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
