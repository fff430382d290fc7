/* Blocks that one executor builds are valid for another, and anything changed in them is not. */
#include "sequencer/package.h"
#include "sequencer/test_cluster.h"

static struct cluster *cluster;
static struct cluster_node *node;
static uint8_t item_memory[4u << 20];
static struct arena item_arena;
static struct item items[256];
static size_t items_count;

static void item_add(uint32_t from, uint64_t nonce, const struct address *to, struct bytes data,
                     uint64_t gas, uint64_t max_fee) {
    struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                      .is_protected = true,
                                      .chain_id = 31337,
                                      .nonce = nonce,
                                      .max_priority_fee = u256_from_u64(1000),
                                      .max_fee = u256_from_u64(max_fee),
                                      .gas_limit = gas,
                                      .to = *to,
                                      .data = data,
                                      .value = u256_from_u64(1)};
    if (data.size != 0) transaction.value = U256_ZERO;
    CHECK(transaction_sign(&transaction, &cluster->accounts[from], &item_arena) == ERR_OK);
    const struct workload *workload = workload_by_kind(WORKLOAD_KIND_EVM);
    CHECK(workload->inspect(&cluster->config, FORK_PRAGUE, transaction.encoded, &item_arena,
                            &items[items_count++]) == VERDICT_ACCEPTED);
}

static void begin(void) {
    const struct cluster_options options = {
        .nodes = 1, .validators = 1, .blocks_per_rotation = 10, .block_time_ms = 100000};
    cluster = cluster_create(&options);
    node = &cluster->nodes[0];
    item_arena = arena_over(item_memory, sizeof item_memory);
    items_count = 0;
}

static uint8_t next_set[VALIDATOR_SET_BYTES_MAX];

static struct block_job build_job(uint32_t slot) {
    struct block_job job = {.kind = JOB_BUILD,
                            .slot = slot,
                            .height = 1,
                            .view = &node->view,
                            .validators = cluster->config.rollup.validators,
                            .candidates = items,
                            .candidates_count = items_count};
    struct validator_set advanced = job.validators, next;
    (void)rotation_advance(&advanced);
    rotation_merge(&advanced, &job.validators, &next);
    struct buffer out = buffer_over(next_set, sizeof next_set);
    validator_set_encode(&next, &out);
    job.next_validators = buffer_bytes(&out);
    job.frame = (struct frame){.version = FRAME_VERSION,
                               .height = 1,
                               .proposer = node->address,
                               .time_ms = 1700000005123,
                               .l1_number = 100,
                               .validators_hash = validator_set_hash(&job.validators),
                               .next_validators_hash = keccak256(job.next_validators)};
    return job;
}

static struct block_outcome build(void) {
    static struct block_outcome outcome;
    const struct block_job job = build_job(0);
    executor_run(node->executor, &job, &outcome);
    CHECK(outcome.err == ERR_OK);
    return outcome;
}

static struct block_outcome check(struct bytes package) {
    static struct block_outcome outcome;
    const struct block_job job = {.kind = JOB_CHECK,
                                  .slot = 1,
                                  .height = 1,
                                  .view = &node->view,
                                  .validators = cluster->config.rollup.validators,
                                  .package = package};
    executor_run(node->executor, &job, &outcome);
    CHECK(outcome.err == ERR_OK);
    return outcome;
}

static void same_outcome(const struct block_outcome *a, const struct block_outcome *b) {
    CHECK(b->verdict == VERDICT_ACCEPTED);
    CHECK(hash_equal(&a->hash, &b->hash));
    CHECK(bytes_equal(a->receipts, b->receipts));
    CHECK(a->items_count == b->items_count);
    CHECK(a->writes_count == b->writes_count);
    for (size_t i = 0; i < a->writes_count; i++) {
        CHECK(a->writes[i].table == b->writes[i].table);
        CHECK(bytes_equal(a->writes[i].key, b->writes[i].key));
        CHECK(bytes_equal(a->writes[i].value, b->writes[i].value));
    }
}

static void test_build_and_check(void) {
    begin();
    const struct address to = {{0x77}};
    for (uint64_t i = 0; i < 20; i++) {
        item_add((uint32_t)i % 4, i / 4, &to, BYTES_EMPTY, 21000, 10000000000u);
    }
    item_add(5, 1, &to, BYTES_EMPTY, 21000, 10000000000u); /* a gap: stays in the pool */
    item_add(6, 0, &to, BYTES_EMPTY, 21000, 1000);         /* below the base fee: stays */
    item_add(0, 2, &to, BYTES_EMPTY, 21000, 20000000000u); /* its nonce is used: goes */
    const struct block_outcome built = build();
    CHECK(built.items_count == 20);
    CHECK(built.rejected_count == 1);
    CHECK(built.rejected_verdicts[0] == VERDICT_NONCE_TOO_LOW);
    CHECK(hash_equal(&built.rejected[0], &items[22].hash));
    CHECK(built.header.gas_used == 20 * 21000);
    const struct hash32 root = frame_hash(&built.frame);
    CHECK(hash_equal(&built.header.parent_beacon_root, &root));
    CHECK(built.next_validators.count == 1);
    static uint8_t copy[1u << 16];
    CHECK(built.package.size <= sizeof copy);
    memcpy(copy, built.package.data, built.package.size);
    const struct block_outcome checked = check((struct bytes){copy, built.package.size});
    memset(copy, 0, sizeof copy); /* the outcome outlives the job */
    same_outcome(&built, &checked);
    CHECK(bytes_equal(built.package, checked.package));
    cluster_destroy(cluster);
}

/* A transaction that reads this very frame's hash from EIP-4788's contract makes the builder
 * execute again with the true one. */
static void test_frame_hash_is_readable(void) {
    begin();
    const struct address beacon = system_beacon_roots.address;
    static uint8_t timestamp[32];
    be_write(timestamp + 24, 8, 1700000005);
    const struct address to = {{0x77}};
    item_add(0, 0, &beacon, BYTES_OF(timestamp), 100000, 10000000000u);
    item_add(1, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    CHECK(built.items_count == 2);
    const struct receipt *receipts;
    size_t count;
    static uint8_t memory[1u << 16];
    struct arena arena = arena_over(memory, sizeof memory);
    CHECK(receipts_store_decode(built.receipts, &arena, &receipts, &count) == ERR_OK);
    CHECK(receipts[0].succeeded);
    const struct block_outcome checked = check(built.package);
    same_outcome(&built, &checked);
    cluster_destroy(cluster);
}

/* repack_with puts one other transaction into the block; none, when it is empty. */
static struct bytes repack_with(const struct block_outcome *built, const struct frame *frame,
                                const struct header *header, struct bytes transaction) {
    static uint8_t block_memory[1u << 16], frame_memory[FRAME_BYTES_MAX];
    static uint8_t package_memory[1u << 17], arena_memory[1u << 16];
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    struct block_package package;
    struct block block;
    CHECK(block_package_decode(built->package, &package) == ERR_OK);
    CHECK(block_decode(package.ethereum_block, &arena, &block) == ERR_OK);
    struct buffer out = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(frame, &out);
    package.frame_encoded = buffer_bytes(&out);
    block.header = *header;
    if (transaction.size != 0) block.transactions = &transaction;
    out = buffer_over(block_memory, sizeof block_memory);
    block_encode(&block, &out);
    CHECK(!out.overflow);
    package.ethereum_block = buffer_bytes(&out);
    out = buffer_over(package_memory, sizeof package_memory);
    block_package_encode(&package, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

static struct bytes repack(const struct block_outcome *built, const struct frame *frame,
                           const struct header *header) {
    return repack_with(built, frame, header, BYTES_EMPTY);
}

/* repack_transaction puts one other transaction into the block, and makes its frame and the roots
 * of `header` fit. */
static struct bytes repack_transaction(const struct block_outcome *built, struct header header,
                                       struct bytes transaction) {
    static uint8_t memory[1u << 14];
    struct arena arena = arena_over(memory, sizeof memory);
    struct frame frame = built->frame;
    const struct hash32 hash = keccak256(transaction);
    frame.items_root = package_items_root(&hash, 1);
    header.parent_beacon_root = frame_hash(&frame);
    CHECK(transactions_root(&transaction, 1, &arena, &header.transactions_root) == ERR_OK);
    return repack_with(built, &frame, &header, transaction);
}

static void refused_package(struct bytes package, const char *reason) {
    const struct block_outcome checked = check(package);
    CHECK(checked.verdict == VERDICT_BLOCK_INVALID);
    if (strcmp(checked.reason, reason) != 0) {
        printf("expected '%s', found '%s'\n", reason, checked.reason);
        CHECK(false);
    }
}

static void refused(const struct block_outcome *built, const struct frame *frame,
                    const struct header *header, const char *reason) {
    refused_package(repack(built, frame, header), reason);
}

/* frame_changed refuses the block with a changed frame whose hash the header follows. */
static void frame_changed(const struct block_outcome *built, const struct frame *frame,
                          const char *reason) {
    struct header header = built->header;
    header.parent_beacon_root = frame_hash(frame);
    refused(built, frame, &header, reason);
}

static void test_changed_blocks_are_refused(void) {
    begin();
    const struct address to = {{0x77}};
    item_add(0, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    CHECK(check(repack(&built, &built.frame, &built.header)).verdict == VERDICT_ACCEPTED);

    struct frame frame = built.frame;
    frame.height = 2;
    frame_changed(&built, &frame, "frame is of another height");
    frame = built.frame;
    frame.l1_hash.bytes[0] ^= 1;
    frame_changed(&built, &frame, "randao differs");
    frame = built.frame;
    frame.validators_hash.bytes[0] ^= 1;
    frame_changed(&built, &frame, "validator set differs");
    frame = built.frame;
    frame.next_validators_hash.bytes[0] ^= 1;
    frame_changed(&built, &frame, "next validator set differs");
    frame = built.frame;
    frame.items_root.bytes[0] ^= 1;
    frame_changed(&built, &frame, "items root differs");
    frame = built.frame;
    frame.workload_roots[0].bytes[0] ^= 1;
    frame_changed(&built, &frame, "workload roots differ");
    frame = built.frame;
    frame.proposer.bytes[0] ^= 1;
    frame_changed(&built, &frame, "proposer is not a validator");
    frame = built.frame;
    frame.time_ms += 1000;
    frame_changed(&built, &frame, "timestamp is not the frame's");
    frame = built.frame;
    frame.last_commit_hash.bytes[0] = 1;
    frame_changed(&built, &frame, "last commit is not the frame's");
    frame = built.frame;
    frame.round += 1;
    refused(&built, &frame, &built.header, "parent beacon root is not the frame's hash");

    struct header header = built.header;
    header.coinbase.bytes[0] ^= 1;
    refused(&built, &built.frame, &header, "coinbase is not the proposer");
    header = built.header;
    header.number += 1;
    refused(&built, &built.frame, &header, "number is not the height");
    header = built.header;
    header.gas_limit += 1;
    refused(&built, &built.frame, &header, "gas limit differs");
    header = built.header;
    header.parent_hash.bytes[0] ^= 1;
    refused(&built, &built.frame, &header, "parent differs");
    header = built.header;
    header.extra_bytes = 1;
    refused(&built, &built.frame, &header, "extra data is not empty");
    header = built.header;
    header.state_root.bytes[0] ^= 1;
    CHECK(check(repack(&built, &built.frame, &header)).verdict == VERDICT_BLOCK_INVALID);
    header = built.header;
    header.gas_used += 1;
    CHECK(check(repack(&built, &built.frame, &header)).verdict == VERDICT_BLOCK_INVALID);
    header = built.header;
    header.base_fee.limb[0] += 1;
    CHECK(check(repack(&built, &built.frame, &header)).verdict == VERDICT_BLOCK_INVALID);
    cluster_destroy(cluster);
}

/* Time goes on and the L1 origin does not go back, from parent to child. */
static void test_after_the_parent(void) {
    begin();
    const struct address to = {{0x77}};
    item_add(0, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    struct frame *parent = &node->view.head_frame;
    const struct frame before = *parent;
    parent->time_ms = built.frame.time_ms - 1;
    parent->l1_number = built.frame.l1_number;
    CHECK(check(built.package).verdict == VERDICT_ACCEPTED);
    parent->time_ms = built.frame.time_ms;
    refused_package(built.package, "time is not after the parent's");
    *parent = before;
    parent->l1_number = built.frame.l1_number + 1;
    refused_package(built.package, "L1 origin goes back");
    *parent = before;
    cluster_destroy(cluster);
}

/* Nothing was committed before block 1, and a block that is none is no block. */
static void test_spoilt_packages(void) {
    begin();
    struct block_outcome built = build();
    static const uint8_t commit[] = {0xc0};
    static uint8_t memory[1u << 16];
    struct block_package package;
    CHECK(block_package_decode(built.package, &package) == ERR_OK);
    package.last_commit = BYTES_OF(commit);
    struct buffer out = buffer_over(memory, sizeof memory);
    block_package_encode(&package, &out);
    CHECK(!out.overflow);
    built.package = buffer_bytes(&out);
    struct frame frame = built.frame;
    frame.last_commit_hash = keccak256(package.last_commit);
    frame_changed(&built, &frame, "block 1 has a last commit");
    package.ethereum_block = BYTES_OF(commit);
    out = buffer_over(memory, sizeof memory);
    block_package_encode(&package, &out);
    refused_package(buffer_bytes(&out), "package does not decode");
    cluster_destroy(cluster);
}

/* Of a valid block only the one that was voted for is checked. */
static void test_another_block(void) {
    begin();
    const struct block_outcome built = build();
    static struct block_outcome outcome;
    struct block_job job = {.kind = JOB_CHECK,
                            .slot = 1,
                            .height = 1,
                            .view = &node->view,
                            .validators = cluster->config.rollup.validators,
                            .package = built.package,
                            .expected = built.hash};
    executor_run(node->executor, &job, &outcome);
    CHECK(outcome.verdict == VERDICT_ACCEPTED);
    job.expected.bytes[31] ^= 1;
    executor_run(node->executor, &job, &outcome);
    CHECK(outcome.err == ERR_OK);
    CHECK(outcome.verdict == VERDICT_BLOCK_INVALID);
    CHECK(strcmp(outcome.reason, "another block than expected") == 0);
    cluster_destroy(cluster);
}

/* Nobody's signature spends nobody's money, were it that of the zero address: a transaction with
 * one is not executed at all, though all else of its block fits. */
static void test_transaction_without_sender(void) {
    begin();
    const struct address to = {{0x77}};
    item_add(0, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    static uint8_t changed[512];
    const struct bytes signed_by_one = items[0].encoded;
    const struct bytes transaction = {changed, signed_by_one.size};
    CHECK(signed_by_one.size <= sizeof changed);
    memcpy(changed, signed_by_one.data, signed_by_one.size);
    for (int is_changed = 0; is_changed < 2; is_changed++) {
        if (is_changed != 0) changed[transaction.size - 32] = 0xff; /* s above half of the order */
        const struct bytes package = repack_transaction(&built, built.header, transaction);
        if (is_changed == 0) CHECK(check(package).verdict == VERDICT_ACCEPTED);
        if (is_changed != 0) refused_package(package, "a transaction has no sender");
    }
    cluster_destroy(cluster);
}

/* Blobs have no place in a block that goes to another DA layer: no block with a transaction that
 * pays for one is valid, however well the rest fits. */
static void test_blob_transaction(void) {
    begin();
    const struct address to = {{0x77}};
    item_add(0, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    static uint8_t memory[1u << 14];
    struct arena arena = arena_over(memory, sizeof memory);
    const struct hash32 blob_hash = {{1}}; /* version 1 of EIP-4844 */
    struct transaction transaction;
    CHECK(transaction_decode(items[0].encoded, &arena, &transaction) == VERDICT_ACCEPTED);
    for (int is_blob = 0; is_blob < 2; is_blob++) {
        struct header header = built.header;
        if (is_blob != 0) {
            transaction.type = TRANSACTION_BLOB;
            transaction.max_fee_per_blob_gas = u256_from_u64(10000000000u);
            transaction.blob_hashes = &blob_hash;
            transaction.blob_hashes_count = 1;
            header.blob_gas_used = 1u << 17;
        }
        CHECK(transaction_sign(&transaction, &cluster->accounts[0], &arena) == ERR_OK);
        const struct bytes package = repack_transaction(&built, header, transaction.encoded);
        if (is_blob == 0) CHECK(check(package).verdict == VERDICT_ACCEPTED);
        if (is_blob != 0) refused_package(package, "block has a blob transaction");
    }
    cluster_destroy(cluster);
}

/* Any byte of a package changed or missing: invalid, never a crash. */
static void test_torn_packages(void) {
    begin();
    const struct address to = {{0x77}};
    item_add(0, 0, &to, BYTES_EMPTY, 21000, 10000000000u);
    const struct block_outcome built = build();
    static uint8_t copy[1u << 16];
    const size_t size = built.package.size;
    memcpy(copy, built.package.data, size);
    for (size_t i = 0; i < size; i += 3) {
        CHECK(check((struct bytes){copy, i}).verdict == VERDICT_BLOCK_INVALID);
    }
    for (size_t i = 0; i < size; i += 3) {
        copy[i] ^= 0x41;
        const struct block_outcome outcome = check((struct bytes){copy, size});
        CHECK(outcome.verdict == VERDICT_BLOCK_INVALID || !hash_equal(&outcome.hash, &built.hash));
        copy[i] ^= 0x41;
    }
    CHECK(check((struct bytes){copy, size}).verdict == VERDICT_ACCEPTED);
    cluster_destroy(cluster);
}

int main(void) {
    test_build_and_check();
    test_frame_hash_is_readable();
    test_changed_blocks_are_refused();
    test_after_the_parent();
    test_spoilt_packages();
    test_another_block();
    test_transaction_without_sender();
    test_blob_transaction();
    test_torn_packages();
    printf("ok\n");
    return 0;
}
