/* Ranges with proofs: whole tries taken piece by piece, and every way to tamper with a piece. */
#include "state/range.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/kv_memory.h"

#define KEYS_MAX 300

static uint8_t kv_room[4 << 20] __attribute__((aligned(16)));
static uint8_t arena_room[16 << 20] __attribute__((aligned(16)));
static uint64_t random_state;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1du >> 16;
}

struct sample {
    struct kv_memory *kv;
    struct kv_reader reader;
    struct hash32 owner;
    bool is_storage;
    struct hash32 root;
    size_t count;
};

static struct hash32 random_key(unsigned shared, bool is_binary) {
    struct hash32 key = {{0}};
    for (unsigned i = shared; i < 64; i++) {
        const unsigned nibble = (unsigned)next_random() & (is_binary ? 1 : 15);
        key.bytes[i / 2] = (uint8_t)(key.bytes[i / 2] | nibble << (i % 2 == 0 ? 4 : 0));
    }
    return key;
}

static const struct hash32 *owner_of(const struct sample *sample) {
    return sample->is_storage ? &sample->owner : NULL;
}

static enum err apply_write(void *context, const struct kv_write *write) {
    return kv_memory_put(context, write->table, write->key, write->value);
}

/* make fills the tables and the trie with random entries. */
static void make(struct sample *sample, struct arena *arena, unsigned shared, bool is_binary) {
    sample->kv = kv_memory_create(kv_room, sizeof kv_room);
    sample->reader = kv_memory_reader(sample->kv);
    sample->owner = (struct hash32){{[0] = 0x33}};
    struct trie trie;
    trie_begin(&trie, arena, &sample->reader, owner_of(sample), true);
    const size_t wanted = next_random() % KEYS_MAX;
    for (size_t i = 0; i < wanted; i++) {
        const struct hash32 key = random_key(shared, is_binary);
        uint8_t value[32], flat_key[64];
        const size_t value_bytes = 1 + next_random() % 32;
        for (size_t at = 0; at < value_bytes; at++)
            value[at] = (uint8_t)(1 + next_random() % 255);
        struct bytes payload = {value, value_bytes};
        uint8_t room[40];
        struct buffer encoded = buffer_over(room, sizeof room);
        if (sample->is_storage) {
            rlp_write_string(&encoded, payload);
            payload = buffer_bytes(&encoded);
        }
        CHECK(arena_copy(arena, payload, &payload));
        CHECK(trie_set(&trie, &key, payload) == ERR_OK);
        const size_t owner_bytes = sample->is_storage ? 32 : 0;
        memcpy(flat_key, sample->owner.bytes, owner_bytes);
        memcpy(flat_key + owner_bytes, key.bytes, 32);
        CHECK(kv_memory_put(sample->kv, sample->is_storage ? KV_STORAGE : KV_ACCOUNTS,
                            (struct bytes){flat_key, owner_bytes + 32},
                            (struct bytes){value, value_bytes}) == ERR_OK);
    }
    CHECK(trie_root(&trie, &sample->root) == ERR_OK);
    CHECK(trie_writes(&trie, sample->kv, apply_write) == ERR_OK);
    sample->count = kv_memory_count(sample->kv, sample->is_storage ? KV_STORAGE : KV_ACCOUNTS);
}

static enum err verify(const struct sample *sample, const struct range *range,
                       struct arena *arena) {
    const size_t mark = arena_mark(arena);
    const enum err err = range_verify(&sample->root, sample->is_storage, range, arena);
    arena_release(arena, mark);
    return err;
}

/* tamper tries one change; whatever it is, the range must be refused. */
static void tamper(const struct sample *sample, const struct range *good, struct arena *arena) {
    const size_t mark = arena_mark(arena);
    struct range bad = *good;
    const size_t count = good->entries_count;
    struct range_entry *entries = arena_array(arena, count + 1, sizeof *entries);
    struct bytes *nodes = arena_array(arena, good->proof.nodes_count + 1, sizeof *nodes);
    if (count != 0) memcpy(entries, good->entries, count * sizeof *entries);
    memcpy(nodes, good->proof.nodes, good->proof.nodes_count * sizeof *nodes);
    bad.entries = entries;
    bad.proof.nodes = nodes;
    const size_t at = count == 0 ? 0 : next_random() % count;
    const size_t node = next_random() % good->proof.nodes_count;
    uint8_t changed[600];
    switch (next_random() % 5) {
    case 0: /* an entry is missing */
        if (count == 0) break;
        memmove(entries + at, entries + at + 1, (count - at - 1) * sizeof *entries);
        bad.entries_count--;
        break;
    case 1: /* a value is changed */
        if (count == 0) break;
        memcpy(changed, entries[at].value.data, entries[at].value.size);
        changed[0] = (uint8_t)(changed[0] == 1 ? 2 : changed[0] - 1);
        entries[at].value.data = changed;
        break;
    case 2: /* an entry is invented */
        entries[count] = (struct range_entry){count == 0 ? good->from : entries[count - 1].key,
                                              BYTES_STRING("new")};
        if (count != 0 && ++entries[count].key.bytes[31] == 0) break;
        if (hash_compare(&entries[count].key, &good->to) > 0) bad.to = entries[count].key;
        bad.entries_count++;
        break;
    case 3: /* a node is missing, and no other is the same */
        for (size_t i = 0; i < good->proof.nodes_count; i++) {
            if (i != node && bytes_equal(nodes[i], nodes[node])) {
                arena_release(arena, mark);
                return;
            }
        }
        memmove(nodes + node, nodes + node + 1,
                (good->proof.nodes_count - node - 1) * sizeof *nodes);
        bad.proof.nodes_count--;
        break;
    default: /* a node is changed */
        CHECK(nodes[node].size <= sizeof changed);
        memcpy(changed, nodes[node].data, nodes[node].size);
        changed[next_random() % nodes[node].size] ^= (uint8_t)(1u << next_random() % 8);
        nodes[node].data = changed;
        break;
    }
    const bool is_changed = bad.entries_count != count ||
                            bad.proof.nodes_count != good->proof.nodes_count ||
                            memcmp(entries, good->entries, count * sizeof *entries) != 0 ||
                            nodes[node].data != good->proof.nodes[node].data;

    if (is_changed) CHECK(verify(sample, &bad, arena) == ERR_MISMATCH);
    arena_release(arena, mark);
}

/* claim_more says that nothing follows, where something does. */
static void claim_more(const struct sample *sample, const struct range *good, struct arena *arena) {
    struct range bad = *good;
    memset(bad.to.bytes, 0xff, sizeof bad.to.bytes); /* "nothing follows" */
    CHECK(verify(sample, &bad, arena) == ERR_MISMATCH);
}

static void take_all(struct sample *sample, struct arena *arena) {
    struct hash32 from = {{0}};
    size_t taken = 0;
    for (;;) {
        const size_t mark = arena_mark(arena);
        struct range range;
        struct trie trie;
        CHECK(range_read(&sample->reader, owner_of(sample), &from, 100 + next_random() % 4000,
                         arena, &range) == ERR_OK);
        trie_begin(&trie, arena, &sample->reader, owner_of(sample), sample->count == 0);
        CHECK(range_prove(&trie, arena, &range) == ERR_OK);
        CHECK(verify(sample, &range, arena) == ERR_OK);
        if (range.proof.nodes_count != 0) {
            for (int i = 0; i < 6; i++)
                tamper(sample, &range, arena);
            if (taken + range.entries_count < sample->count) claim_more(sample, &range, arena);
        }
        taken += range.entries_count;
        from = range.to;
        arena_release(arena, mark);
        size_t at = sizeof from.bytes;
        while (at > 0 && ++from.bytes[at - 1] == 0)
            at--;
        if (at == 0) break;
    }
    CHECK(taken == sample->count);
}

/* Any two edges, whether there are entries at them or between them or not. */
static void take_any(struct sample *sample, struct arena *arena, unsigned shared, bool is_binary) {
    for (int i = 0; i < 20; i++) {
        const size_t mark = arena_mark(arena);
        struct hash32 a = random_key(shared, is_binary), b = random_key(shared / 2, false);
        if (hash_compare(&a, &b) > 0) {
            const struct hash32 swap = a;
            a = b;
            b = swap;
        }
        struct range range;
        struct trie trie;
        CHECK(range_read(&sample->reader, owner_of(sample), &a, 1 << 20, arena, &range) == ERR_OK);
        while (range.entries_count > 0 &&
               hash_compare(&range.entries[range.entries_count - 1].key, &b) > 0) {
            range.entries_count--;
        }
        range.to = b;
        trie_begin(&trie, arena, &sample->reader, owner_of(sample), sample->count == 0);
        CHECK(range_prove(&trie, arena, &range) == ERR_OK);
        CHECK(verify(sample, &range, arena) == ERR_OK);
        if (range.proof.nodes_count != 0) {
            for (int at = 0; at < 6; at++)
                tamper(sample, &range, arena);
        }
        arena_release(arena, mark);
    }
}

int main(void) {
    for (uint64_t seed = 1; seed <= 250; seed++) {
        static const unsigned shares[] = {0, 0, 57, 52, 60, 20};
        random_state = seed * 0x9e3779b97f4a7c15u;
        struct arena arena = arena_over(arena_room, sizeof arena_room);
        struct sample sample = {.is_storage = seed % 3 != 0};
        const unsigned shared = shares[seed % 6];
        const bool is_binary = seed % 2 == 0;
        make(&sample, &arena, shared, is_binary);
        take_all(&sample, &arena);
        take_any(&sample, &arena, shared, is_binary);
    }
    return 0;
}
