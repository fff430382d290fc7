/* Forks: names there and back, activation by block and by time, blob schedules that carry on. */
#include "chain/fork.h"

#include "base/check.h"

static void test_names(void) {
    for (unsigned i = 0; i < FORK_COUNT; i++) {
        enum fork fork = FORK_FRONTIER;
        CHECK(fork_from_name(bytes_from_string(fork_name((enum fork)i)), &fork));
        CHECK(fork == (enum fork)i);
    }
    enum fork fork = FORK_OSAKA;
    CHECK(fork_from_name(BYTES_STRING("Merge"), &fork) && fork == FORK_PARIS);
    CHECK(!fork_from_name(BYTES_STRING("Atlantis"), &fork) && fork == FORK_PARIS);
}

static void test_activation(void) {
    for (unsigned i = 0; i < FORK_COUNT; i++) {
        const struct chain_config config = chain_config_for_fork((enum fork)i);
        CHECK(fork_at(&config, 0, 0) == (enum fork)i);
        CHECK(fork_at(&config, UINT64_MAX - 1, UINT64_MAX - 1) == (enum fork)i);
    }
    struct chain_config config = chain_config_for_fork(FORK_LONDON);
    config.fork_block[FORK_LONDON] = 10;
    config.fork_block[FORK_PARIS] = 20;
    config.fork_time[FORK_SHANGHAI] = 1000;
    config.fork_time[FORK_PRAGUE] = 2000; /* brings Cancun along */
    CHECK(fork_at(&config, 9, 0) == FORK_BERLIN);
    CHECK(fork_at(&config, 10, 0) == FORK_LONDON);
    CHECK(fork_at(&config, 20, 999) == FORK_PARIS);
    CHECK(fork_at(&config, 21, 1000) == FORK_SHANGHAI);
    CHECK(fork_at(&config, 21, 2000) == FORK_PRAGUE);
}

static void test_blob_schedule(void) {
    const struct chain_config config = chain_config_for_fork(FORK_BPO2);
    CHECK(fork_blob_schedule(&config, FORK_SHANGHAI).max_blobs == 0);
    CHECK(fork_blob_schedule(&config, FORK_CANCUN).max_blobs == 6);
    CHECK(fork_blob_schedule(&config, FORK_OSAKA).max_blobs == 9);
    CHECK(fork_blob_schedule(&config, FORK_BPO1).max_blobs == 15);
    CHECK(fork_blob_schedule(&config, FORK_BPO5).max_blobs == 21);
}

int main(void) {
    test_names();
    test_activation();
    test_blob_schedule();
    return 0;
}
