/* Foreign bytes through every RLP reader: nothing is read outside the input, errors leave their
 * arguments alone, and what is accepted is canonical: writing it again gives the same bytes. */
#include "base/check.h"
#include "base/rlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes part, struct bytes whole) {
    return part.data >= whole.data && part.size <= whole.size &&
           part.data + part.size <= whole.data + whole.size;
}

/* read_typed reads the same item with each reader from its own copy of the view. */
static void read_typed(struct bytes in) {
    uint8_t memory[80];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct bytes rest = in;
    struct u256 wide;
    if (rlp_read_u256(&rest, &wide) == ERR_OK) {
        rlp_write_u256(&out, &wide);
        CHECK(bytes_equal(buffer_bytes(&out), bytes_slice(in, 0, in.size - rest.size)));
    } else {
        CHECK(rest.data == in.data && rest.size == in.size);
    }
    out.size = 0;
    rest = in;
    uint64_t value;
    if (rlp_read_u64(&rest, &value) == ERR_OK) {
        rlp_write_u64(&out, value);
        CHECK(bytes_equal(buffer_bytes(&out), bytes_slice(in, 0, in.size - rest.size)));
    }
    out.size = 0;
    rest = in;
    struct hash32 hash;
    if (rlp_read_hash(&rest, &hash) == ERR_OK) {
        rlp_write_hash(&out, &hash);
        CHECK(bytes_equal(buffer_bytes(&out), bytes_slice(in, 0, in.size - rest.size)));
    }
    struct address address;
    rest = in;
    if (rlp_read_address(&rest, &address) != ERR_OK) CHECK(rest.data == in.data);
}

/* rewrite walks an item that rlp_check accepted and writes it anew, list by list. */
static void rewrite(struct bytes item) {
    static uint8_t memory[1 << 16];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct bytes open[RLP_DEPTH_MAX + 2];
    size_t marks[RLP_DEPTH_MAX + 2];
    size_t depth = 0;
    open[0] = item;
    for (;;) {
        while (open[depth].size == 0) {
            if (depth == 0) {
                if (!out.overflow) CHECK(bytes_equal(buffer_bytes(&out), item));
                return;
            }
            rlp_list_end(&out, marks[depth]);
            depth--;
        }
        struct bytes payload;
        if (rlp_is_list(open[depth])) {
            CHECK(rlp_read_list(&open[depth], &payload) == ERR_OK);
            CHECK(depth < RLP_DEPTH_MAX);
            depth++;
            open[depth] = payload;
            marks[depth] = rlp_list_begin(&out);
        } else {
            CHECK(rlp_read_string(&open[depth], &payload) == ERR_OK);
            rlp_write_string(&out, payload);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct bytes whole = {data, size};
    struct bytes rest = whole;
    struct bytes item;
    read_typed(whole);
    while (rlp_read_item(&rest, &item) == ERR_OK) {
        CHECK(is_inside(item, whole));
        CHECK(item.size > 0);
        size_t count;
        struct bytes payload;
        struct bytes list = item;
        if (rlp_read_list(&list, &payload) == ERR_OK) {
            CHECK(is_inside(payload, item));
            if (rlp_list_count(payload, 100, &count) == ERR_OK) CHECK(count <= payload.size);
        }
        read_typed(item);
        if (rlp_check(item) == ERR_OK) rewrite(item);
    }
    return 0;
}
