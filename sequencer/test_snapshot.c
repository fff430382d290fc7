/* A node takes the state from peers that are honest, silent or liars, and comes to the same tables;
 * or begins again where a crash ended it. */
#include "base/rlp.h"
#include "sequencer/test_snapshot_world.h"
#include "state/trie.h"

static struct snapshot *snapshot;
static struct snapshot_config config;
static struct snapshot_effects effects;
static struct message answer;
static uint64_t now_ms;
static struct arena step_arena, server_arena;
static uint64_t loads_until_crash; /* 0: none */
static bool has_crashed;

/* Requests under way: one that was sent is answered in a later turn. */
struct letter {
    uint32_t server;
    uint8_t bytes[MESSAGE_NAMES_MAX * 68 + 256];
    size_t size;
};
static struct letter letters[256];
static size_t letters_count;

static void step(const struct snapshot_input *input);

/* --- a server's answers */

static struct bytes tampered(struct bytes in, size_t at) {
    struct bytes out = in;
    CHECK(arena_copy(&server_arena, in, &out));
    ((uint8_t *)(uintptr_t)out.data)[at % in.size] ^= 1;
    return out;
}

static void strangers(struct light_block *out) {
    struct validator_set other = out->set;
    other.validators[0].power += 1;
    static struct light_block made;
    make_block(&made, 1, &genesis_hash, &out->set, &other);
    *out = made;
}

static void serve_light(const struct server *server, const struct message *request) {
    static uint8_t room[1u << 20];
    struct buffer out = buffer_over(room, sizeof room);
    for (uint32_t i = 0; i < request->count; i++) {
        if (request->heights[i] > HEIGHTS) break; /* what VICE_HEIGHT cannot have */
        struct light_block block = chain[request->heights[i]];
        if (server->vice == VICE_COMMIT) sign_block(&block, request->heights[i], 1);
        if (server->vice == VICE_STRANGERS && request->heights[i] == 1) {
            strangers(&block);
            sign_block(&block, 1, 1);
        }
        const size_t at = out.size;
        CHECK(snapshot_light_encode(block.package, block.commit, &out) == ERR_OK);
        answer.pieces[answer.count++] = bytes_slice(buffer_bytes(&out), at, out.size - at);
    }
    CHECK(!out.overflow);
}

/* read_range reads what the source has from the name on. */
static void read_range(const struct server *server, struct bytes name, size_t bytes_max,
                       struct hash32 *owner, struct range *range) {
    struct hash32 from;
    const bool is_storage = name.size == 64;
    if (is_storage) memcpy(owner->bytes, name.data, 32);
    memcpy(from.bytes, name.data + (is_storage ? 32 : 0), 32);
    const struct hash32 *of = is_storage ? owner : NULL;
    CHECK(range_read(&source_reader, of, &from, bytes_max, &server_arena, range) == ERR_OK);
    if (is_storage && server->vice == VICE_STORAGE_EMPTY) {
        range->entries_count = 0;
        memset(range->to.bytes, 0xff, 32);
    }
    if (server->vice == VICE_TINY) {
        range->entries_count = 0;
        range->to = range->from;
    }
    struct trie trie;
    trie_begin(&trie, &server_arena, &source_reader, of, false);
    CHECK(range_prove(&trie, &server_arena, range) == ERR_OK);
}

static void spoil(const struct server *server, struct range *range) {
    if (server->vice == VICE_PROOF && range->proof.nodes_count > 0) {
        struct bytes *nodes = (struct bytes *)(uintptr_t)range->proof.nodes;
        nodes[0] = tampered(nodes[0], 40);
    }
    if (range->entries_count == 0) return;
    struct range_entry *entries = (struct range_entry *)(uintptr_t)range->entries;
    const size_t last = range->entries_count - 1;
    if (server->vice == VICE_ENTRY) entries[0].value = tampered(entries[0].value, 1);
    if (server->vice == VICE_MISSING && range->entries_count > 1) {
        entries[last - 1] = entries[last];
        range->entries_count -= 1;
    }
}

static void serve_ranges(const struct server *server, const struct message *request) {
    static uint8_t room[4u << 20];
    struct buffer out = buffer_over(room, sizeof room);
    answer.height = request->height;
    if (request->height < server->refuses_below) return; /* none: refused */
    size_t left = answer_bytes;
    for (uint32_t i = 0; i < request->count && left > 0; i++) {
        struct hash32 owner;
        struct range range;
        read_range(server, request->pieces[i], left, &owner, &range);
        size_t used = 0;
        for (size_t k = 0; k < range.entries_count; k++)
            used += 32 + range.entries[k].value.size;
        left -= used < left ? used : left;
        spoil(server, &range);
        const size_t at = out.size;
        snapshot_range_encode(request->pieces[i].size == 64 ? &owner : NULL, &range, &out);
        struct bytes piece = bytes_slice(buffer_bytes(&out), at, out.size - at);
        if (server->vice == VICE_GARBAGE) piece = bytes_slice(piece, 0, piece.size / 2);
        answer.pieces[answer.count++] = piece;
        const uint8_t last = range.to.bytes[31];
        if (last != 0xff) break; /* it is not whole: nothing may follow */
    }
    CHECK(!out.overflow);
}

static void serve_codes(const struct server *server, const struct message *request) {
    for (uint32_t i = 0; i < request->count && i < 3; i++) {
        struct bytes code;
        CHECK(source_reader.get(source_reader.context, KV_CODE, request->pieces[i], &code) ==
              ERR_OK);
        answer.pieces[answer.count++] = server->vice == VICE_CODE ? tampered(code, 1) : code;
    }
}

static void serve_headers(const struct server *server, const struct message *request) {
    for (uint32_t i = 0; i < request->count; i++) {
        const struct bytes header = chain[request->height + i].header;
        const bool is_spoilt = server->vice == VICE_HEADERS && i == request->count / 2;
        answer.pieces[answer.count++] = is_spoilt ? tampered(header, 20) : header;
    }
}

static void serve_block(const struct server *server, const struct message *request) {
    const uint64_t height = request->height - (server->vice == VICE_BLOCK ? 1 : 0);
    answer.kind = MESSAGE_BLOCKS;
    answer.blocks[0].package = chain[height].package;
    answer.blocks[0].commit = chain[height].commit;
    answer.count = 1;
}

/* meddle answers in place of the one who was asked, as server 0, with nothing. */
static bool is_meddling;
static void meddle(const struct message *answered) {
    static struct message empty;
    empty.kind = answered->kind;
    empty.request = answered->request;
    empty.height = answered->height;
    step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_MESSAGE,
                                  .now_ms = now_ms,
                                  .peer = servers[0].id,
                                  .message = &empty});
}

/* serve answers a request; the answer travels encoded, as between nodes. */
static void serve(uint32_t index, struct bytes request_bytes) {
    static struct message request, received;
    static uint8_t wire[6u << 20];
    const struct message_context context = {domain, domain, secp_recoverer()};
    struct server *server = &servers[index];
    CHECK(message_decode(&context, request_bytes, &request) == VERDICT_ACCEPTED);
    server->requests += 1;
    if (server->vice == VICE_SILENT || !server->is_connected) return;
    arena_reset(&server_arena);
    answer = (struct message){.kind = request.kind + 1, .request = request.request};
    switch (request.kind) {
    case MESSAGE_GET_LIGHT: serve_light(server, &request); break;
    case MESSAGE_GET_RANGES: serve_ranges(server, &request); break;
    case MESSAGE_GET_CODES: serve_codes(server, &request); break;
    case MESSAGE_GET_HEADERS: serve_headers(server, &request); break;
    default: serve_block(server, &request); break;
    }
    struct buffer out = buffer_over(wire, sizeof wire);
    message_encode(&answer, &out);
    CHECK(!out.overflow);
    CHECK(message_decode(&context, buffer_bytes(&out), &received) == VERDICT_ACCEPTED);
    if (is_meddling && index != 0) meddle(&received);
    step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_MESSAGE,
                                  .now_ms = now_ms,
                                  .peer = server->id,
                                  .message = &received});
}

/* --- the node */

static uint32_t server_of(const struct hash32 *id) {
    for (uint32_t i = 0; i < PEERS; i++) {
        if (hash_equal(&servers[i].id, id)) return i;
    }
    CHECK(false);
    return 0;
}

static void send(const struct snapshot_effect *effect) {
    CHECK(letters_count < sizeof letters / sizeof letters[0]);
    struct letter *letter = &letters[letters_count++];
    CHECK(effect->bytes.size <= sizeof letter->bytes);
    letter->server = server_of(&effect->peer);
    letter->size = effect->bytes.size;
    memcpy(letter->bytes, effect->bytes.data, effect->bytes.size);
}

static void set_head(const struct snapshot_head *head) {
    CHECK(!sink.has_head);
    sink.has_head = true;
    sink.head_number = head->header.number;
    sink.head_hash = head->hash;
    sink.headers_count = head->headers_count;
    const struct light_block *block = &chain[head->header.number];
    CHECK(bytes_equal(head->package, block->package));
    CHECK(bytes_equal(head->commit, block->commit));
    for (size_t i = 0; i < head->headers_count; i++) {
        const uint64_t height = head->header.number - head->headers_count + i;
        CHECK(bytes_equal(head->headers[i], chain[height].header));
    }
    const struct validator_set next = set_of(head->rotation + 1);
    const struct hash32 found = validator_set_hash(head->next_validators);
    const struct hash32 wanted = validator_set_hash(&next);
    CHECK(hash_equal(&found, &wanted));
    sink.record_bytes = 0;
}

static void keep_lights(const struct snapshot_lights *lights) {
    static struct snapshot_light light;
    CHECK(lights->count > 0 && lights->count <= SNAPSHOT_LIGHT_PER_ASK);
    for (size_t i = 0; i < lights->count; i++) {
        CHECK(snapshot_light_decode(lights->pieces[i], &light) == ERR_OK);
        CHECK(light.header.number == lights->heights[i]);
        CHECK(hash_equal(&light.hash, &chain[lights->heights[i]].hash));
        sink.has_light[lights->heights[i]] = true;
    }
}

static void perform(const struct snapshot_effect *effect) {
    switch (effect->kind) {
    case SNAPSHOT_EFFECT_SEND: send(effect); break;
    case SNAPSHOT_EFFECT_DROP: sink.dropped[server_of(&effect->peer)] += 1; break;
    case SNAPSHOT_EFFECT_CLEAR:
        sink.kv = kv_memory_create(sink.memory, sink.memory_bytes);
        sink.cleared += 1;
        break;
    case SNAPSHOT_EFFECT_KEEP_LIGHT: keep_lights(&effect->lights); break;
    case SNAPSHOT_EFFECT_LOAD_RANGE:
        CHECK(kv_memory_put_range(sink.kv, effect->owner, effect->range) == ERR_OK);
        sink.loads += 1;
        if (loads_until_crash != 0 && --loads_until_crash == 0) has_crashed = true;
        break;
    case SNAPSHOT_EFFECT_LOAD_CODE:
        CHECK(kv_memory_put(sink.kv, KV_CODE, hash_bytes(&effect->hash), effect->bytes) == ERR_OK);
        break;
    case SNAPSHOT_EFFECT_PERSIST:
        CHECK(effect->bytes.size <= sizeof sink.record);
        memcpy(sink.record, effect->bytes.data, effect->bytes.size);
        sink.record_bytes = effect->bytes.size;
        break;
    case SNAPSHOT_EFFECT_SET_HEAD: set_head(effect->head); break;
    case SNAPSHOT_EFFECT_DONE: sink.is_done = true; break;
    case SNAPSHOT_EFFECT_NOT_NEEDED: sink.is_not_needed = true; break;
    }
}

static void step(const struct snapshot_input *input) {
    effects.count = 0;
    snapshot_step(snapshot, input, &effects);
    for (size_t i = 0; i < effects.count && !has_crashed; i++)
        perform(&effects.list[i]);
}

static void tell_height(uint32_t index) {
    static struct message status;
    status.kind = MESSAGE_STATUS;
    status.height = servers[index].height;
    step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_MESSAGE,
                                  .now_ms = now_ms,
                                  .peer = servers[index].id,
                                  .message = &status});
}

static void connect_all(void) {
    for (uint32_t i = 0; i < PEERS; i++) {
        if (!servers[i].is_connected) continue;
        step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_PEER,
                                      .now_ms = now_ms,
                                      .peer = servers[i].id,
                                      .is_connected = true});
        tell_height(i);
    }
}

static void begin_node(void) {
    static void *memory;
    if (memory == NULL) memory = malloc(snapshot_bytes());
    CHECK(memory != NULL);
    config.record = (struct bytes){sink.record, sink.record_bytes};
    letters_count = 0;
    has_crashed = false;
    snapshot = snapshot_create(memory, &config, &step_arena, now_ms);
    connect_all();
}

/* begin prepares a test: peers of the given vices, those left out honest. */
static void begin(const enum vice vices[PEERS]) {
    static uint8_t step_room[SNAPSHOT_ARENA_BYTES_MIN] __attribute__((aligned(16)));
    static uint8_t server_room[32u << 20] __attribute__((aligned(16)));
    static uint8_t sink_room[32u << 20] __attribute__((aligned(16)));
    step_arena = arena_over(step_room, sizeof step_room);
    server_arena = arena_over(server_room, sizeof server_room);
    memset(&sink, 0, sizeof sink);
    sink.memory = sink_room;
    sink.memory_bytes = sizeof sink_room;
    loads_until_crash = 0;
    for (uint32_t i = 0; i < PEERS; i++) {
        servers[i] = (struct server){
            .id = {{(uint8_t)(i + 1)}}, .vice = vices[i], .height = HEIGHTS, .is_connected = true};
        if (vices[i] == VICE_HEIGHT) servers[i].height = 1000000;
        if (vices[i] == VICE_TOO_OLD) servers[i].refuses_below = HEIGHTS - 1;
    }
    config = (struct snapshot_config){.blocks_per_rotation = PER_ROTATION,
                                      .fault_model = FAULT_MODEL_BYZANTINE,
                                      .domain = domain,
                                      .recoverer = secp_recoverer(),
                                      .head_hash = genesis_hash,
                                      .validators = genesis_set,
                                      .behind_min = 100,
                                      .find_ms = 5000};
    begin_node();
}

static bool is_over(void) {
    return sink.is_done || sink.is_not_needed || has_crashed;
}

/* turn delivers what is under way and lets time pass. */
static void turn(void) {
    static struct letter now[256];
    const size_t count = letters_count;
    memcpy(now, letters, count * sizeof now[0]);
    letters_count = 0;
    for (size_t i = 0; i < count && !is_over(); i++)
        serve(now[i].server, (struct bytes){now[i].bytes, now[i].size});
    now_ms += 50;
    if (!is_over()) step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_TICK, .now_ms = now_ms});
}

static void run(uint32_t turns_max) {
    for (uint32_t i = 0; i < turns_max && !is_over(); i++)
        turn();
}

/* check_table: the sink's table is the source's. */
static void check_table(enum kv_table table) {
    const struct kv_reader taken = kv_memory_reader(sink.kv);
    uint8_t cursor[KV_KEY_BYTES_MAX + 1];
    struct bytes from = {cursor, 0}, key, value, other;
    size_t count = 0;
    while (source_reader.seek(source_reader.context, table, from, &key, &value) == ERR_OK) {
        CHECK(taken.get(taken.context, table, key, &other) == ERR_OK);
        CHECK(bytes_equal(value, other));
        memcpy(cursor, key.data, key.size);
        cursor[key.size] = 0;
        from.size = key.size + 1;
        count += 1;
    }
    CHECK(count > 10);
    CHECK(count == kv_memory_count(sink.kv, table));
}

static void check_taken(void) {
    CHECK(sink.is_done);
    CHECK(sink.has_head);
    CHECK(hash_equal(&sink.head_hash, &chain[sink.head_number].hash));
    check_table(KV_ACCOUNTS);
    check_table(KV_STORAGE);
    check_table(KV_CODE);
    CHECK(sink.record_bytes == 0);
    const uint64_t own = rotation_of(config.head_height + 1, PER_ROTATION);
    for (uint64_t i = own; i <= rotation_of(sink.head_number, PER_ROTATION); i++)
        CHECK(sink.has_light[i == 0 ? 1 : i * PER_ROTATION]);
}

/* --- tests */

static void test_honest(void) {
    begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
    run(4000);
    check_taken();
    CHECK(sink.head_number == HEIGHTS - SNAPSHOT_PIVOT_DISTANCE);
    CHECK(sink.headers_count == SNAPSHOT_HEADERS_MAX);
    CHECK(sink.cleared == 1);
    for (uint32_t i = 0; i < PEERS; i++) {
        CHECK(servers[i].requests > 20); /* all of them work */
        CHECK(sink.dropped[i] == 0);
    }
    struct snapshot_status status;
    snapshot_status(snapshot, &status);
    CHECK(status.percent == 100 && status.stage == SNAPSHOT_ENDED);
    CHECK(status.slots > BIG_SLOTS && status.accounts >= ACCOUNTS);
}

/* Every vice beside honest peers: the state is taken, and whoever lies is found out. */
static void test_vices(void) {
    for (enum vice vice = VICE_SILENT; vice < VICE_COUNT; vice++) {
        enum vice vices[PEERS] = {vice, VICE_NONE, VICE_NONE, VICE_NONE};
        begin(vices);
        run(20000);
        check_taken();
        const bool is_liar = vice != VICE_SILENT && vice != VICE_HEIGHT && vice != VICE_TOO_OLD;
        const bool was_asked_in_tail = vice != VICE_HEADERS && vice != VICE_BLOCK;
        if (is_liar && was_asked_in_tail && vice != VICE_COMMIT && vice != VICE_STRANGERS) {
            CHECK(sink.dropped[0] == 1);
        }
        for (uint32_t i = 1; i < PEERS; i++)
            CHECK(sink.dropped[i] == 0);
    }
}

/* Who answers what another one was asked is not listened to, and no blame falls on that one. */
static void test_meddler(void) {
    is_meddling = true;
    begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
    run(4000);
    is_meddling = false;
    check_taken();
    struct snapshot_status status;
    snapshot_status(snapshot, &status);
    CHECK(status.refusals_total == 0);
    CHECK(status.bad_peers_total == 0);
    for (uint32_t i = 1; i < PEERS; i++)
        CHECK(servers[i].requests > 20);
}

/* The owner of a range is nobody or a whole key: less is not read as one. */
static void test_range_of_part_of_an_owner(void) {
    static uint8_t room[1u << 16];
    const struct hash32 key = {{1}};
    for (size_t size = 0; size <= 32; size++) {
        uint8_t data[256];
        struct snapshot_range range;
        struct arena arena = arena_over(room, sizeof room);
        struct buffer out = buffer_over(data, sizeof data);
        const size_t list = rlp_list_begin(&out);
        rlp_write_string(&out, bytes_slice(hash_bytes(&key), 0, size));
        rlp_write_hash(&out, &key);
        rlp_write_hash(&out, &key);
        for (int i = 0; i < 2; i++) /* no entries, no proof */
            rlp_list_end(&out, rlp_list_begin(&out));
        rlp_list_end(&out, list);
        CHECK(!out.overflow);
        const enum err err = snapshot_range_decode(buffer_bytes(&out), &arena, &range);
        CHECK(err == (size == 0 || size == 32 ? ERR_OK : ERR_ENCODING));
    }
}

/* A liar alone: nothing of it is believed.  Then an honest peer comes. */
static void test_alone(void) {
    for (enum vice vice = VICE_ENTRY; vice < VICE_COUNT; vice++) {
        if (vice == VICE_TOO_OLD) continue;
        begin((enum vice[PEERS]){vice, VICE_NONE, VICE_NONE, VICE_NONE});
        for (uint32_t i = 1; i < PEERS; i++) {
            servers[i].is_connected = false;
            step(&(struct snapshot_input){.kind = SNAPSHOT_INPUT_PEER,
                                          .now_ms = now_ms,
                                          .peer = servers[i].id,
                                          .is_connected = false});
        }
        run(3000);
        CHECK(!sink.is_done && !sink.has_head);
        CHECK(sink.dropped[0] == 1);
        if (sink.is_not_needed) continue; /* nothing had begun: others may sync blocks */
        servers[2].is_connected = true;
        connect_all();
        run(5000);
        check_taken();
    }
}

/* All liars together but one. */
static void test_many(void) {
    begin((enum vice[PEERS]){VICE_ENTRY, VICE_CODE, VICE_NONE, VICE_STORAGE_EMPTY});
    run(20000);
    check_taken();
    CHECK(sink.dropped[0] == 1 && sink.dropped[1] == 1 && sink.dropped[3] == 1);
    CHECK(sink.dropped[2] == 0);
}

static void test_restart(void) {
    static const uint64_t crashes[] = {1, 2, 17, 60, 90};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
        loads_until_crash = crashes[i];
        run(4000);
        CHECK(has_crashed && !sink.is_done);
        const uint64_t before = sink.loads;
        begin_node();
        struct snapshot_status status;
        snapshot_status(snapshot, &status);
        CHECK(status.is_resumed && status.stage == SNAPSHOT_STATE);
        run(4000);
        check_taken();
        CHECK(sink.cleared == 1);         /* not from the beginning */
        CHECK(sink.loads < 200 + before); /* what was not persisted comes again */
    }
}

/* A crash again and again comes to the end all the same, through the big account's storage too. */
static void test_crashes(void) {
    begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
    uint32_t crashes = 0;
    while (!sink.is_done) {
        loads_until_crash = 45;
        now_ms += 2000; /* the process starts anew */
        begin_node();
        run(4000);
        crashes += has_crashed ? 1 : 0;
        CHECK(crashes < 30);
    }
    CHECK(crashes > 0);
    check_taken();
}

/* Nobody serves the pivot any more: a newer one is taken, and the state begins anew. */
static void test_too_old(void) {
    begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
    for (uint32_t i = 0; i < PEERS; i++) {
        servers[i].height = 200;
        tell_height(i);
    }
    while (sink.loads < 20)
        turn();
    CHECK(!sink.is_done && sink.cleared == 1);
    for (uint32_t i = 0; i < PEERS; i++) {
        servers[i].refuses_below = 300;
        servers[i].height = HEIGHTS;
        tell_height(i);
    }
    run(4000);
    check_taken();
    CHECK(sink.cleared == 2);
    CHECK(sink.head_number == HEIGHTS - SNAPSHOT_PIVOT_DISTANCE);
}

static void test_not_needed(void) {
    begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
    for (uint32_t i = 0; i < PEERS; i++) {
        servers[i].height = 99;
        tell_height(i);
    }
    run(4000);
    CHECK(sink.is_not_needed && sink.cleared == 0);
    begin((enum vice[PEERS]){VICE_SILENT, VICE_SILENT, VICE_SILENT, VICE_SILENT});
    run(40000); /* they have it, they say, and say no more */
    CHECK(!sink.has_head && sink.cleared == 0);
}

/* L1 has settled a block: a chain that has another one there is nobody's, whatever its commits. */
static void test_anchor(void) {
    for (uint64_t height = 1; height < 330; height += 37) {
        begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
        config.has_anchor = true;
        config.anchor_height = height;
        config.anchor_hash = chain[height].hash;
        begin_node();
        run(4000);
        check_taken();
        begin((enum vice[PEERS]){VICE_NONE, VICE_NONE, VICE_NONE, VICE_NONE});
        config.has_anchor = true;
        config.anchor_height = height;
        config.anchor_hash = chain[height + 1].hash;
        begin_node();
        run(4000);
        CHECK(!sink.is_done && sink.cleared == 0);
        for (uint32_t i = 0; i < PEERS; i++)
            CHECK(sink.dropped[i] == 1);
    }
}

/* A node that has the chain's beginning starts at its own rotation. */
static void test_far_behind(void) {
    begin((enum vice[PEERS]){VICE_NONE, VICE_COMMIT, VICE_NONE, VICE_NONE});
    config.head_height = 153;
    config.head_hash = chain[153].hash;
    config.validators = set_of(15);
    begin_node();
    run(4000);
    check_taken();
    CHECK(sink.headers_count == HEIGHTS - SNAPSHOT_PIVOT_DISTANCE - 154);
}

/* A liar led the way to a rotation's first block, and the chain stands still one block behind it:
 * it may be waiting for this node. */
static void test_stands_still(void) {
    const uint64_t first = rotation_first(HEIGHTS, PER_ROTATION);
    for (uint64_t height = first; height < first + SNAPSHOT_PIVOT_DISTANCE; height++) {
        begin((enum vice[PEERS]){VICE_HEIGHT, VICE_NONE, VICE_NONE, VICE_NONE});
        for (uint32_t i = 1; i < PEERS; i++) {
            servers[i].height = height;
            tell_height(i);
        }
        run(20000);
        check_taken();
        CHECK(sink.head_number == first);
    }
}

int main(void) {
    make_world();
    test_honest();
    test_vices();
    test_meddler();
    test_range_of_part_of_an_owner();
    test_alone();
    test_many();
    test_restart();
    test_crashes();
    test_too_old();
    test_not_needed();
    test_anchor();
    test_far_behind();
    test_stands_still();
    puts("ok");
    return 0;
}
