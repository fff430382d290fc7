/* Stamps and entries: round trips, refusals, and the skip list's shape over many changes. */
#include "store/history.h"

static void test_chain(void) {
    /* Keep every entry and walk back from the end to each block: steps stay logarithmic. */
    enum { CHANGES = 5000 };
    static struct history_entry entries[2 * CHANGES + 1];
    struct history_stamp stamp = {.levels = 0};
    for (uint64_t change = 1; change <= CHANGES; change++) {
        history_change(&stamp, 2 * change, &entries[2 * change]);
    }
    CHECK(stamp.count == CHANGES && stamp.levels == 7);
    for (uint64_t number = 0; number <= 2 * CHANGES; number++) {
        struct history_entry at = {.levels = stamp.levels};
        memcpy(at.before, stamp.last, sizeof at.before);
        uint64_t block = 0;
        unsigned steps = 0;
        for (unsigned level = stamp.levels; level-- > 0;) {
            while (at.before[level] > number) {
                block = at.before[level];
                at = entries[block];
                CHECK(at.levels > level);
                steps++;
            }
        }
        const uint64_t first_after = number / 2 * 2 + 2;
        CHECK(block == (first_after <= 2 * CHANGES ? first_after : 0));
        CHECK(steps <= 3 * 7 + 1);
    }
}

static void test_round_trip(void) {
    struct history_stamp stamp = {.levels = 0}, read;
    for (uint64_t block = 1; block < 300; block++) {
        uint8_t room[HISTORY_STAMP_BYTES_MAX + 3];
        struct buffer out = buffer_over(room, sizeof room);
        history_record_encode(&stamp, BYTES_STRING("abc"), &out);
        const struct bytes record = buffer_bytes(&out);
        struct bytes value;
        if (block % 2 == 0) room[0] |= HISTORY_MARK;
        CHECK(history_record_decode(record, &read, &value) == ERR_OK);
        CHECK(bytes_equal(value, BYTES_STRING("abc")));
        const struct bytes around = history_record_around(value);
        CHECK(around.data == record.data && around.size == record.size);
        CHECK(read.count == stamp.count && read.levels == stamp.levels);
        CHECK(memcmp(read.last, stamp.last, stamp.levels * sizeof *stamp.last) == 0);
        for (size_t size = 0; size + 3 < record.size; size++) {
            const struct bytes cut = {room, size};
            CHECK(history_record_decode(cut, &read, &value) == ERR_CORRUPT);
        }
        struct history_entry entry = {.value = BYTES_STRING("before")}, entry_read;
        history_change(&stamp, block, &entry);
        uint8_t entry_room[HISTORY_ENTRY_BYTES_MAX + 6];
        out = buffer_over(entry_room, sizeof entry_room);
        history_entry_encode(&entry, &out);
        CHECK(history_entry_decode(buffer_bytes(&out), &entry_read) == ERR_OK);
        CHECK(entry_read.levels == entry.levels);
        CHECK(memcmp(entry_read.before, entry.before, entry.levels * sizeof *entry.before) == 0);
        CHECK(bytes_equal(entry_read.value, entry.value));
        for (size_t size = 0; size + 6 < out.size; size++) {
            const struct bytes cut = {entry_room, size};
            CHECK(history_entry_decode(cut, &entry_read) == ERR_CORRUPT);
        }
    }
}

int main(void) {
    test_round_trip();
    test_chain();
    return 0;
}
