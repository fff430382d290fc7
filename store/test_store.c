/* The store against copies in memory: every block's state read back later, at its head and as
 * history; blocks, indexes, records, proofs; kill -9 during commits; corruption, limits and wrong
 * genesis. */
#include "store/test_chain.h"

static void check_proof(struct chain *chain, struct store_view *view, uint64_t number,
                        uint64_t index) {
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    const struct address address = address_at(index);
    const struct hash32 hash = keccak256(address_bytes(&address));
    struct store_prover prover;
    struct account account;
    struct proof proof;
    CHECK(store_proof_account(view, number, &address, &arena, &prover, &account, &proof) == ERR_OK);
    struct bytes value, expected = BYTES_EMPTY;
    const struct kv_reader copy = kv_memory_reader(chain->copies[number]);
    (void)copy.get(copy.context, KV_ACCOUNTS, hash_bytes(&hash), &expected);
    CHECK(proof_verify(&chain->headers[number].state_root, &hash, &proof, &value) == ERR_OK);
    CHECK(bytes_equal(value, expected));
    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        const struct hash32 key = slot_at(slot);
        const struct hash32 key_hash = keccak256(hash_bytes(&key));
        struct u256 number_found;
        CHECK(store_proof_storage(&prover, &key, &number_found, &proof) == ERR_OK);
        CHECK(proof_verify(&account.storage_root, &key_hash, &proof, &value) == ERR_OK);
        CHECK(u256_is_zero(&number_found) == (value.size == 0));
    }
}

static void check_proofs(struct chain *chain) {
    struct store_view *view;
    CHECK(store_view_open(chain->store, &view) == ERR_OK);
    for (uint64_t number = store_history_first(view); number < chain->blocks; number++) {
        for (uint64_t i = 0; i < 4; i++) {
            check_proof(chain, view, number, next_random(chain) % (ACCOUNTS + 2));
        }
    }
    store_view_close(view);
}

static void check_blocks(struct chain *chain) {
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct store_view *view;
    CHECK(store_view_open(chain->store, &view) == ERR_OK);
    for (uint64_t number = 0; number < chain->blocks; number++) {
        const struct hash32 *hash = &chain->hashes[number];
        const struct hash32 transaction = keccak256(hash_bytes(hash));
        struct hash32 found;
        struct header header;
        struct bytes bytes;
        uint64_t found_number;
        struct store_location location;
        const struct receipt *receipts;
        size_t count;
        CHECK(store_block_hash(view, number, &found) == ERR_OK);
        CHECK(hash_equal(&found, hash));
        CHECK(store_block_number(view, hash, &found_number) == ERR_OK);
        CHECK(found_number == number);
        CHECK(store_header(view, number, &header, &found) == ERR_OK);
        CHECK(hash_equal(&found, hash) && header.timestamp == 1000 + number);
        CHECK(store_package(view, number, &arena, &bytes) == ERR_OK);
        CHECK(bytes_equal(bytes, hash_bytes(&transaction)));
        CHECK(store_commit(view, number, &arena, &bytes) == ERR_OK);
        CHECK(bytes_equal(bytes, BYTES_STRING("commit")));
        CHECK(store_transaction(view, &transaction, &location) == ERR_OK);
        CHECK(location.number == number && location.index == 0);
        CHECK(store_receipts(view, number, &arena, &receipts, &count) == ERR_OK);
        CHECK(count == 1 && receipts[0].gas_used == number && receipts[0].succeeded);
    }
    struct hash32 none = {{1}};
    uint64_t number;
    struct bytes bytes;
    struct store_location location;
    CHECK(store_block_number(view, &none, &number) == ERR_NOT_FOUND);
    CHECK(store_transaction(view, &none, &location) == ERR_NOT_FOUND);
    CHECK(store_package(view, chain->blocks, &arena, &bytes) == ERR_NOT_FOUND);
    CHECK(store_record(view, BYTES_STRING("latest"), &arena, &bytes) == ERR_OK);
    CHECK(bytes_equal(bytes, hash_bytes(&chain->hashes[chain->blocks - 1])));
    struct store_record record;
    CHECK(store_record_seek(view, BYTES_STRING("l"), &arena, &record) == ERR_OK);
    CHECK(bytes_equal(record.name, BYTES_STRING("latest")));
    CHECK(store_record_seek(view, BYTES_STRING("m"), &arena, &record) == ERR_NOT_FOUND);
    store_view_close(view);
}

/* --- logs */

static bool matches(uint64_t number, uint64_t address, uint64_t topic0, uint64_t topic1) {
    if (number % 4 == 3) return false;
    return (address == UINT64_MAX || number % 5 == address) &&
           (topic0 == UINT64_MAX || number % 3 == topic0) &&
           (topic1 == UINT64_MAX || number % 7 == topic1);
}

static void check_filter(struct chain *chain, struct store_view *view, uint64_t address,
                         uint64_t topic0, uint64_t topic1) {
    const struct address addresses[2] = {address_at(200), address_at(address)};
    const struct hash32 topics[2] = {slot_at(topic0), slot_at(topic1)};
    struct store_log_filter filter = {0};
    if (address != UINT64_MAX) {
        filter.addresses = addresses;
        filter.addresses_count = 2;
    }
    if (topic0 != UINT64_MAX) {
        filter.topics[0].values = &topics[0];
        filter.topics[0].count = 1;
    }
    if (topic1 != UINT64_MAX) {
        filter.topics[1].values = &topics[1];
        filter.topics[1].count = 1;
    }
    uint64_t from = 2;
    for (uint64_t number = 2; number < chain->blocks; number++) {
        if (!matches(number, address, topic0, topic1)) continue;
        uint64_t found;
        CHECK(store_logs_next(view, &filter, from, chain->blocks, &found) == ERR_OK);
        CHECK(found == number);
        if (number > from) {
            CHECK(store_logs_next(view, &filter, from, number - 1, &found) == ERR_NOT_FOUND);
        }
        from = number + 1;
    }
    uint64_t found;
    CHECK(store_logs_next(view, &filter, from, chain->blocks, &found) == ERR_NOT_FOUND);
}

static void check_logs(struct chain *chain) {
    struct store_view *view;
    CHECK(store_view_open(chain->store, &view) == ERR_OK);
    for (uint64_t address = 0; address <= 6; address++) {
        for (uint64_t topic0 = 0; topic0 <= 4; topic0++) {
            for (uint64_t topic1 = 0; topic1 <= 8; topic1++) {
                check_filter(chain, view, address == 6 ? UINT64_MAX : address,
                             topic0 == 4 ? UINT64_MAX : topic0, topic1 == 8 ? UINT64_MAX : topic1);
            }
        }
    }
    store_view_close(view);
}

/* --- the tests */

static void test_chain(uint64_t seed, uint64_t history_blocks) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = seed * 0x9e3779b97f4a7c15u + 1;
    chain.store = open_store(history_blocks);
    CHECK(!store_head(chain.store).has_block);
    while (chain.blocks < BLOCKS)
        append_block(&chain);
    const uint64_t first =
        history_blocks == 0 || history_blocks >= BLOCKS ? 0 : BLOCKS - 1 - history_blocks;
    compare_states(&chain, first);
    store_close(chain.store);
    chain.store = open_store(history_blocks);
    const struct store_head head = store_head(chain.store);
    CHECK(head.has_block && head.number == BLOCKS - 1);
    CHECK(hash_equal(&head.hash, &chain.hashes[BLOCKS - 1]));
    compare_states(&chain, first);
    check_blocks(&chain);
    check_logs(&chain);
    check_proofs(&chain);
    store_close(chain.store);
}

static void test_genesis_and_limits(void) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 5;
    chain.store = open_store(0);
    char error[STORE_ERROR_BYTES];
    struct hash32 other = {{0xee}}, found;
    CHECK(store_genesis_check(chain.store, &other, &found, error) == ERR_NOT_FOUND);
    append_block(&chain);
    CHECK(store_genesis_check(chain.store, &chain.hashes[0], &found, error) == ERR_OK);
    CHECK(store_genesis_check(chain.store, &other, &found, error) == ERR_MISMATCH);
    CHECK(hash_equal(&found, &chain.hashes[0]));
    CHECK(strstr(error, "0xee000000") != NULL);

    struct store_view *views[9];
    for (int i = 0; i < 8; i++)
        CHECK(store_view_open(chain.store, &views[i]) == ERR_OK);
    CHECK(store_view_open(chain.store, &views[8]) == ERR_LIMIT);
    /* A view keeps its head while the writer goes on. */
    store_view_close(views[7]);
    append_block(&chain);
    CHECK(store_view_head(views[0]).number == 0);
    CHECK(store_head(chain.store).number == 1);
    for (int i = 0; i < 7; i++)
        store_view_close(views[i]);

    const struct store_config config = {directory, 1ull << 30, 8, 0};
    struct store *second = NULL;
    CHECK(store_open(&config, &second, error) == ERR_EXISTS);
    CHECK(strstr(error, directory) != NULL);

    const struct store_record records[2] = {{BYTES_STRING("a"), BYTES_STRING("1")},
                                            {BYTES_STRING("b"), BYTES_STRING("2")}};
    const struct store_record deletion = {BYTES_STRING("a"), BYTES_EMPTY};
    CHECK(store_put_records(chain.store, records, 2) == ERR_OK);
    CHECK(store_put_records(chain.store, &deletion, 1) == ERR_OK);
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct bytes value;
    CHECK(store_view_open(chain.store, &views[0]) == ERR_OK);
    CHECK(store_record(views[0], BYTES_STRING("a"), &arena, &value) == ERR_NOT_FOUND);
    CHECK(store_record(views[0], BYTES_STRING("b"), &arena, &value) == ERR_OK);
    store_view_close(views[0]);
    store_close(chain.store);
}

/* A write computed on another state is refused and changes nothing; so is one that finds no room.
 */
static void test_refusals(void) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 6;
    chain.store = open_store(0);
    struct store_view *stale = NULL;
    for (int i = 0; i < 4; i++) {
        append_block(&chain);
        if (i == 2) CHECK(store_view_open(chain.store, &stale) == ERR_OK);
    }
    struct arena scratch = arena_over(scratch_room, sizeof scratch_room);
    struct header header = {.number = 4, .parent_hash = chain.hashes[3]};
    struct store_block block = {
        .header = &header, .hash = header_hash(&header), .package = BYTES_STRING("p")};
    const struct kv_write write = {KV_ACCOUNTS, BYTES_STRING("key"), BYTES_STRING("value"),
                                   BYTES_STRING("never there")};
    block.writes = &write;
    block.writes_count = 1;
    CHECK(store_commit_block(chain.store, &block, &scratch) == ERR_MISMATCH);
    block.writes_count = 0;
    block.view = stale; /* of the block before the parent */
    CHECK(store_commit_block(chain.store, &block, &scratch) == ERR_MISMATCH);
    store_view_close(stale);
    block.view = NULL;
    const struct log log = log_of(1);
    const struct receipt receipt = {.logs = &log, .logs_count = 1};
    const struct hash32 transaction = {{1}};
    block.transaction_hashes = &transaction;
    block.receipts = &receipt;
    block.transactions_count = block.receipts_count = 1;
    struct arena small = arena_over(scratch_room, 80);
    CHECK(store_commit_block(chain.store, &block, &small) == ERR_LIMIT);
    CHECK(store_head(chain.store).number == 3);
    compare_states(&chain, 0);
    append_block(&chain);
    compare_states(&chain, 0);
    store_close(chain.store);

    test_files_remove(directory);
    const struct store_config config = {directory, 1u << 20, 8, 0}; /* a map that fills up */
    char error[STORE_ERROR_BYTES];
    CHECK(store_open(&config, &chain.store, error) == ERR_OK);
    static uint8_t big[600000];
    const struct store_record record = {BYTES_STRING("big"), BYTES_OF(big)};
    big[0] = 1;
    enum err err = ERR_OK;
    for (int i = 0; i < 3 && err == ERR_OK; i++) {
        const struct store_record next = {{(const uint8_t *)"abc" + i, 1}, record.value};
        err = store_put_records(chain.store, &next, 1);
    }
    CHECK(err == ERR_DISK_FULL);
    const struct store_record little = {BYTES_STRING("little"), BYTES_STRING("fits")};
    CHECK(store_put_records(chain.store, &little, 1) == ERR_OK);
    store_close(chain.store);
}

/* The file may not grow any more, as on a full disk: commits fail, and go on when there is room. */
static void test_disk_full(void) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 9;
    chain.store = open_store(0);
    for (int i = 0; i < 5; i++)
        append_block(&chain);
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct rlimit before;
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const struct rlimit little = {store_stats(chain.store).file_bytes, before.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &little) == 0);
    static uint8_t big[3 << 20] = {1};
    const struct store_record record = {BYTES_STRING("big"), BYTES_OF(big)};
    CHECK(store_put_records(chain.store, &record, 1) == ERR_DISK_FULL);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    compare_states(&chain, 0);
    CHECK(store_put_records(chain.store, &record, 1) == ERR_OK);
    append_block(&chain);
    store_close(chain.store);
    chain.store = open_store(0);
    compare_states(&chain, 0);
    store_close(chain.store);
}

static void test_corrupt(void) {
    static struct chain chain;
    memset(&chain, 0, sizeof chain);
    test_files_remove(directory);
    chain.random = 7;
    chain.store = open_store(0);
    for (int i = 0; i < 20; i++)
        append_block(&chain);
    store_close(chain.store);
    char path[256], error[STORE_ERROR_BYTES];
    (void)snprintf(path, sizeof path, "%s/data.mdb", directory);
    const struct store_config config = {directory, 1ull << 30, 8, 0};
    struct store *store = NULL;
    FILE *file = fopen(path, "r+");
    CHECK(file != NULL);
    static const uint8_t rubbish[8192] = {0xff, 1, 2, 3};
    CHECK(fwrite(rubbish, 1, sizeof rubbish, file) == sizeof rubbish);
    CHECK(fclose(file) == 0);
    CHECK(store_open(&config, &store, error) == ERR_CORRUPT);
    CHECK(strstr(error, directory) != NULL);
    const struct store_config nowhere = {"/nowhere/at/all", 1ull << 30, 8, 0};
    CHECK(store_open(&nowhere, &store, error) == ERR_NOT_FOUND);
    CHECK(strstr(error, "/nowhere/at/all") != NULL);
}

/* check_root: the tables give the root that the head's header names (a proof compares them). */
static void check_root(struct store *store, uint64_t number) {
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct store_view *view;
    CHECK(store_view_open(store, &view) == ERR_OK);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        const struct address address = address_at(i);
        struct store_prover prover;
        struct account account;
        struct proof proof;
        CHECK(store_proof_account(view, number, &address, &arena, &prover, &account, &proof) ==
              ERR_OK);
    }
    store_view_close(view);
}

/* A child commits blocks and acknowledges each; kill -9 it anywhere; the head is the last block
 * that was acknowledged or the one after, and the state is that block's. */
static void test_kill(void) {
    static struct chain chain;
    test_files_remove(directory);
    for (unsigned round = 0; round < 12; round++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        test_files_remove(directory);
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            memset(&chain, 0, sizeof chain);
            chain.random = 99;
            chain.store = open_store(0);
            while (chain.blocks < BLOCKS) {
                append_block(&chain);
                CHECK(write(ends[1], &chain.blocks, sizeof chain.blocks) == sizeof chain.blocks);
            }
            for (;;)
                pause();
        }
        const uint64_t acknowledged = test_kill_at(child, ends, 3 + 4 * round);
        struct store *store = open_store(0);
        const struct store_head head = store_head(store);
        CHECK(head.has_block);
        CHECK(head.number + 1 == acknowledged || head.number == acknowledged);
        check_root(store, head.number);
        store_close(store);

        /* The same seed gives the same chain: go on from what is there in a second store's
         * likeness. */
        memset(&chain, 0, sizeof chain);
        test_files_remove(directory);
        chain.random = 99;
        chain.store = open_store(0);
        while (chain.blocks <= head.number)
            append_block(&chain);
        CHECK(hash_equal(&chain.hashes[head.number], &head.hash));
        store_close(chain.store);
    }
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    test_genesis_and_limits();
    test_refusals();
    test_disk_full();
    test_corrupt();
    test_kill();
    for (uint64_t seed = 1; seed <= 3; seed++)
        test_chain(seed, 0);
    test_chain(4, 10);
    test_chain(5, 1);
    test_files_remove(directory);
    CHECK(rmdir(directory) == 0);
    return 0;
}
