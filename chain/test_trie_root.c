/* Roots of tries: the Ethereum Foundation's small examples, and tries that are the same by two
 * ways. */
#include "chain/trie_root.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "base/rlp.h"

static uint8_t memory[1 << 20];

static void expect_root(const struct trie_entry *entries, size_t count, const char *root) {
    struct arena arena = arena_over(memory, sizeof memory);
    struct hash32 expected, got;
    CHECK(hex_to_hash(bytes_from_string(root), &expected) == ERR_OK);
    CHECK(trie_root_sorted(entries, count, &arena, &got) == ERR_OK);
    CHECK(hash_equal(&got, &expected));
    CHECK(arena.used == 0);
}

static struct trie_entry entry(const char *key, const char *value) {
    return (struct trie_entry){bytes_from_string(key), bytes_from_string(value)};
}

/* From the TrieTests of ethereum/tests: "dogs", "puppy", "foo", "singleItem". */
static void test_known_roots(void) {
    const struct trie_entry dogs[] = {entry("doe", "reindeer"), entry("dog", "puppy"),
                                      entry("dogglesworth", "cat")};
    expect_root(dogs, 3, "0x8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3");
    const struct trie_entry puppy[] = {entry("do", "verb"), entry("dog", "puppy"),
                                       entry("doge", "coin"), entry("horse", "stallion")};
    expect_root(puppy, 4, "0x5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84");
    const struct trie_entry foo[] = {entry("foo", "bar"), entry("food", "bass")};
    expect_root(foo, 2, "0x17beaa1648bafa633cda809c90c04af50fc8aed3cb40d16efbddee6fdf63c4c3");
    const struct trie_entry single[] = {
        entry("A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
    expect_root(single, 1, "0xd23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab");
    expect_root(NULL, 0, "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
}

/* One item: the root is the hash of the leaf rlp([0x20 || rlp(0), value]), written by hand. */
static void test_single_index(void) {
    struct arena arena = arena_over(memory, sizeof memory);
    uint8_t large[5000];
    memset(large, 0x5a, sizeof large);
    for (size_t size = 1; size <= sizeof large; size = size * 7 + 1) {
        const struct bytes value = {large, size};
        uint8_t encoded[6000];
        struct buffer out = buffer_over(encoded, sizeof encoded);
        const size_t list = rlp_list_begin(&out);
        rlp_write_string(&out, BYTES_STRING("\x20\x80"));
        rlp_write_string(&out, value);
        rlp_list_end(&out, list);
        const struct hash32 expected = keccak256(buffer_bytes(&out));
        struct hash32 got;
        CHECK(trie_root_indexed(&value, 1, &arena, &got) == ERR_OK);
        CHECK(hash_equal(&got, &expected));
    }
}

/* The indexed root of 300 items equals the sorted root of entries that this test sorts itself. */
static void test_indexed_is_sorted(void) {
    enum { COUNT = 300 };
    static struct bytes values[COUNT];
    static uint8_t text[COUNT][40], keys[COUNT][9];
    static struct trie_entry entries[COUNT];
    struct arena arena = arena_over(memory, sizeof memory);
    for (size_t count = 1; count <= COUNT; count += 43) {
        for (size_t i = 0; i < count; i++) {
            memset(text[i], (int)(i + 1), sizeof text[i]);
            values[i] = (struct bytes){text[i], 1 + i % 40};
            struct buffer key = buffer_over(keys[i], sizeof keys[i]);
            rlp_write_u64(&key, i);
            size_t at = i;
            while (at > 0 && bytes_compare(entries[at - 1].key, buffer_bytes(&key)) > 0) {
                entries[at] = entries[at - 1];
                at--;
            }
            entries[at] = (struct trie_entry){buffer_bytes(&key), values[i]};
        }
        struct hash32 sorted, indexed;
        CHECK(trie_root_sorted(entries, count, &arena, &sorted) == ERR_OK);
        CHECK(trie_root_indexed(values, count, &arena, &indexed) == ERR_OK);
        CHECK(hash_equal(&sorted, &indexed));
        CHECK(arena.used == 0);
    }
    struct arena small = arena_over(memory, 64);
    struct hash32 root;
    CHECK(trie_root_indexed(values, COUNT, &small, &root) == ERR_LIMIT);
    CHECK(small.used == 0);
}

int main(void) {
    test_known_roots();
    test_single_index();
    test_indexed_is_sorted();
    return 0;
}
