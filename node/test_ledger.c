/* The ledger: a genesis is written once, read again, and another one is refused. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "node/ledger.h"

static char directory[] = "/tmp/baton-ledger-XXXXXX";

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

static struct genesis_account account = {.address = {{[19] = 0xaa}}};

static struct genesis make_genesis(uint64_t gas_limit) {
    struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    config.chain_id = 7;
    config.is_rollup = true;
    config.rollup.blocks_per_rotation = 100;
    config.rollup.validators.count = 1;
    config.rollup.validators.validators[0] =
        (struct validator){.address = {{[19] = 1}}, .peer_id = {{[31] = 1}}, .power = 1};
    account.balance = u256_from_u64(1000);
    struct header header = header_empty(FORK_OSAKA);
    header.gas_limit = gas_limit;
    header.base_fee = u256_from_u64(1000000000);
    return (struct genesis){
        .config = config,
        .header = header,
        .accounts = &account,
        .accounts_count = 1,
    };
}

/* What a start finds: block 0, its validators, nothing signed. */
static void check_restore(struct ledger *ledger, struct bytes journal) {
    static struct ledger_view view;
    static uint8_t memory[1 << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    struct sequencer_restore restore;
    char error[512];
    CHECK(ledger_view_open(ledger, &view) == ERR_OK);
    CHECK(view.chain.head.number == 0);
    CHECK(hash_equal(&view.chain.head_hash, &ledger->genesis_hash));
    CHECK(ledger_restore(ledger, &view, &arena, &restore, error) == ERR_OK);
    CHECK(restore.validators.count == 1 && restore.validators.validators[0].power == 1);
    CHECK(!restore.has_record && bytes_equal(restore.journal, journal));
    ledger_view_close(&view);
}

static void test_reopen(void) {
    static struct ledger ledger;
    char error[512] = "";
    const struct genesis genesis = make_genesis(30000000);
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    const struct hash32 hash = ledger.genesis_hash;
    check_restore(&ledger, BYTES_EMPTY);
    CHECK(ledger_persist_journal(&ledger, bytes_from_string("journal")) == ERR_OK);
    ledger_close(&ledger);
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    CHECK(hash_equal(&hash, &ledger.genesis_hash));
    uint8_t memory[256];
    struct arena arena = arena_over(memory, sizeof memory);
    struct bytes journal;
    CHECK(wal_get(ledger.wal, WAL_JOURNAL, &arena, &journal) == ERR_OK);
    CHECK(bytes_equal(journal, bytes_from_string("journal")));
    ledger_close(&ledger);
}

/* flip_block spoils both places of the block that a record names (pages 3 to 2084, store/wal.c). */
static void flip_block(void) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/signing", directory);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    CHECK(file >= 0);
    for (off_t page = 3; page <= 3 + 1041; page += 1041) {
        uint8_t byte;
        CHECK(pread(file, &byte, 1, page * 4096 + 64) == 1);
        byte ^= 1;
        CHECK(pwrite(file, &byte, 1, page * 4096 + 64) == 1);
    }
    CHECK(close(file) == 0);
}

/* A record whose block is spoiled is a record all the same: the others have the block. */
static void test_spoiled_block(void) {
    static struct ledger ledger;
    static struct ledger_view view;
    static uint8_t memory[1 << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    struct sequencer_restore restore;
    uint8_t room[CONSENSUS_RECORD_BYTES_MAX + 16];
    struct buffer out = buffer_over(room, sizeof room);
    char error[512] = "";
    const struct genesis genesis = make_genesis(30000000);
    const struct consensus_record record = {.height = 3, .has_valid = true, .valid = {{3}}};
    consensus_record_encode(&record, &out);
    buffer_append(&out, bytes_from_string("block"));
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    CHECK(ledger_persist_record(&ledger, buffer_bytes(&out)) == ERR_OK);
    CHECK(ledger_persist_record(&ledger, buffer_bytes(&out)) == ERR_OK);
    ledger_close(&ledger);
    flip_block();
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    CHECK(ledger_view_open(&ledger, &view) == ERR_OK);
    CHECK(ledger_restore(&ledger, &view, &arena, &restore, error) == ERR_OK);
    CHECK(restore.has_record && restore.record.height == 3 && restore.record_package.size == 0);
    ledger_view_close(&view);
    ledger_close(&ledger);
}

/* Another genesis is refused with both hashes, and the directory still serves its own. */
static void test_other_genesis(void) {
    static struct ledger ledger;
    char error[512] = "", ours[67], theirs[67], path[128];
    const struct genesis genesis = make_genesis(30000000), other = make_genesis(30000001);
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    hex_string(hash_bytes(&ledger.genesis_hash), ours);
    ledger_close(&ledger);
    CHECK(ledger_open(directory, 1, &other, &ledger, error) == ERR_MISMATCH);
    CHECK(strstr(error, ours) != NULL && ledger.store == NULL && ledger.wal == NULL);
    snprintf(path, sizeof path, "%s/other", directory);
    char unused[512];
    CHECK(ledger_open(path, 1, &other, &ledger, unused) == ERR_OK);
    hex_string(hash_bytes(&ledger.genesis_hash), theirs);
    ledger_close(&ledger);
    CHECK(strcmp(ours, theirs) != 0 && strstr(error, theirs) != NULL);
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    check_restore(&ledger, bytes_from_string("journal"));
    ledger_close(&ledger);
}

static void test_in_use(void) {
    static struct ledger ledger, second;
    char error[512] = "", path[128];
    const struct genesis genesis = make_genesis(30000000);
    CHECK(ledger_open(directory, 1, &genesis, &ledger, error) == ERR_OK);
    CHECK(ledger_open(directory, 1, &genesis, &second, error) == ERR_EXISTS);
    CHECK(strstr(error, directory) != NULL);
    ledger_close(&ledger);
    snprintf(path, sizeof path, "%s/none/deeper", directory);
    CHECK(ledger_open(path, 1, &genesis, &ledger, error) == ERR_PERMISSION);
    CHECK(strstr(error, "data_dir") != NULL && strstr(error, path) != NULL);
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    test_reopen();
    test_other_genesis();
    test_in_use();
    test_spoiled_block();
    CHECK(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    puts("node ledger: ok");
    return 0;
}
