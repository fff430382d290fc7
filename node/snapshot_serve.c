/* Serving snapshots: what proves blocks, ranges of the state, code, headers, and the genesis file
 * for those who have nothing yet. */
#include "node/snapshot.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "node/log.h"
#include "node/node.h"
#include "pages/pages.h"
#include "threads/clock.h"

#define QUEUE_BYTES      ((size_t)1 << 20)
#define ARENA_BYTES      ((size_t)256 << 20) /* address space */
#define ANSWER_BYTES_MAX (MESSAGE_BYTES_MAX - 65536)
#define REQUESTERS_MAX   64
#define PINS_MAX         4
#define TICK_MS          200
#define NICE             10
#define GENESIS_PIECE    ((size_t)1 << 20)
#define PEERS_TEXT_BYTES 16384
#define BLOCKS_BYTES_MAX (4u << 20)
#define BURST_MS         1000 /* an idle server may answer so much of its rate at once */
#define TASK_REQUEST     1u
#define TASK_GUEST       2u

struct requester {
    struct hash32 id;
    uint32_t pending;
    bool is_gone; /* nobody waits for the answers */
};

/* A view that stays open for those who take `pivot`. */
struct pin {
    uint64_t pivot;
    struct store_view *view; /* NULL: free */
    uint64_t opened_ms, used_ms;
};

struct snapshot_serving {
    struct node *node;
    struct queue *queue;
    struct arena arena;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards requesters */
    struct requester requesters[REQUESTERS_MAX];
    atomic_uint_fast64_t requests, refused, dropped, bytes;
    atomic_uint_fast32_t pins_open;
    atomic_bool is_stopping;
    /* the thread's */
    struct message *request, *answer;
    uint8_t *encoded; /* MESSAGE_BYTES_MAX */
    struct pin pins[PINS_MAX];
    uint64_t paid_until_ms; /* what was sent is paid for by then */
    uint64_t told_height;   /* guests know it */
    uint8_t *genesis;       /* the file; NULL: not read yet, or not the one of the chain */
    size_t genesis_bytes;
    char peers_text[PEERS_TEXT_BYTES];
};

/* --- who waits */

/* requester_find finds who has requests waiting; the lock is held. */
static struct requester *requester_find(struct snapshot_serving *serving, const struct hash32 *id) {
    for (size_t i = 0; i < REQUESTERS_MAX; i++) {
        struct requester *requester = &serving->requesters[i];
        if (requester->pending > 0 && hash_equal(&requester->id, id)) return requester;
    }
    return NULL;
}

/* requester_add counts a request; false: that one has too many waiting. */
static bool requester_add(struct snapshot_serving *serving, const struct hash32 *id) {
    bool fits = false;
    pthread_mutex_lock(&serving->lock);
    struct requester *place = requester_find(serving, id);
    for (size_t i = 0; i < REQUESTERS_MAX && place == NULL; i++) {
        if (serving->requesters[i].pending == 0) place = &serving->requesters[i];
    }
    if (place != NULL && place->pending < SNAPSHOT_SERVE_PENDING) {
        place->id = *id;
        place->pending += 1;
        place->is_gone = false;
        fits = true;
    }
    pthread_mutex_unlock(&serving->lock);
    return fits;
}

static bool requester_is_gone(struct snapshot_serving *serving, const struct hash32 *id) {
    pthread_mutex_lock(&serving->lock);
    const struct requester *requester = requester_find(serving, id);
    const bool is_gone = requester != NULL && requester->is_gone;
    pthread_mutex_unlock(&serving->lock);
    return is_gone;
}

static void requester_done(struct snapshot_serving *serving, const struct hash32 *id) {
    pthread_mutex_lock(&serving->lock);
    struct requester *requester = requester_find(serving, id);
    if (requester != NULL) requester->pending -= 1;
    pthread_mutex_unlock(&serving->lock);
}

/* --- views */

static void pin_close(struct snapshot_serving *serving, struct pin *pin) {
    if (pin->view == NULL) return;
    store_view_close(pin->view);
    pin->view = NULL;
    atomic_fetch_sub(&serving->pins_open, 1);
}

static void pins_tick(struct snapshot_serving *serving, uint64_t now_ms) {
    for (size_t i = 0; i < PINS_MAX; i++) {
        struct pin *pin = &serving->pins[i];
        const bool is_over = now_ms - pin->used_ms >= SNAPSHOT_PIN_IDLE_MS ||
                             now_ms - pin->opened_ms >= SNAPSHOT_PIN_MS;
        if (is_over) pin_close(serving, pin);
    }
}

/* pin_of finds or opens the view for a pivot; NULL: the database has no view left. */
static struct pin *pin_of(struct snapshot_serving *serving, uint64_t pivot) {
    const uint64_t now_ms = monotonic_ms();
    struct pin *oldest = &serving->pins[0];
    for (size_t i = 0; i < PINS_MAX; i++) {
        struct pin *pin = &serving->pins[i];
        if (pin->view != NULL && pin->pivot == pivot) {
            pin->used_ms = now_ms;
            return pin;
        }
        if (pin->view == NULL || (oldest->view != NULL && pin->used_ms < oldest->used_ms)) {
            oldest = pin;
        }
    }
    pin_close(serving, oldest);
    struct store_view *view;
    if (store_view_open(serving->node->ledger.store, &view) != ERR_OK) return NULL;
    *oldest = (struct pin){pivot, view, now_ms, now_ms};
    atomic_fetch_add(&serving->pins_open, 1);
    return oldest;
}

/* --- answers: pieces into serving->answer; nothing in it means that it is not to be had */

static void add_piece(struct snapshot_serving *serving, struct bytes piece) {
    serving->answer->pieces[serving->answer->count++] = piece;
}

/* light_made proves a block that is here; light_kept reads what a snapshot left of one that is not.
 * Errors as store_package. */
static enum err light_made(struct snapshot_serving *serving, struct store_view *view,
                           uint64_t height, struct bytes *out) {
    struct bytes package, commit;
    TRY(store_package(view, height, &serving->arena, &package));
    TRY(store_commit(view, height, &serving->arena, &commit));
    const size_t room_bytes = package.size + commit.size + 64;
    uint8_t *room = arena_alloc(&serving->arena, room_bytes);
    if (room == NULL) return ERR_LIMIT;
    struct buffer encoded = buffer_over(room, room_bytes);
    TRY(snapshot_light_encode(package, commit, &encoded));
    if (encoded.overflow) return ERR_LIMIT;
    *out = buffer_bytes(&encoded);
    return ERR_OK;
}

static enum err light_kept(struct snapshot_serving *serving, struct store_view *view,
                           uint64_t height, struct bytes *out) {
    uint8_t name[32];
    return store_record(view, ledger_light_name(height, name), &serving->arena, out);
}

static void answer_light(struct snapshot_serving *serving, struct store_view *view) {
    const struct message *request = serving->request;
    size_t total = 0;
    for (uint32_t i = 0; i < request->count && total < SNAPSHOT_ANSWER_BYTES; i++) {
        const uint64_t height = request->heights[i];
        struct bytes piece;
        enum err err = light_made(serving, view, height, &piece);
        if (err == ERR_NOT_FOUND) err = light_kept(serving, view, height, &piece);
        if (err != ERR_OK) return;
        add_piece(serving, piece);
        total += piece.size;
    }
}

/* range_piece reads, proves and encodes one range; the result says whether it is whole. */
static enum err range_piece(struct snapshot_serving *serving, struct store_view *view,
                            struct bytes name, size_t *left, bool *is_whole) {
    struct hash32 owner, from;
    const bool is_storage = name.size == 64;
    if (is_storage) memcpy(owner.bytes, name.data, 32);
    memcpy(from.bytes, name.data + (is_storage ? 32 : 0), 32);
    struct range range;
    TRY(store_range(view, serving->request->height, is_storage ? &owner : NULL, &from, *left,
                    &serving->arena, &range));
    size_t bytes = 256, entries_bytes = 0;
    for (size_t i = 0; i < range.entries_count; i++)
        entries_bytes += 32 + range.entries[i].value.size;
    for (size_t i = 0; i < range.proof.nodes_count; i++)
        bytes += range.proof.nodes[i].size + 8;
    bytes += entries_bytes + 16 * range.entries_count;
    uint8_t *room = arena_alloc(&serving->arena, bytes);
    if (room == NULL) return ERR_LIMIT;
    struct buffer out = buffer_over(room, bytes);
    snapshot_range_encode(is_storage ? &owner : NULL, &range, &out);
    if (out.overflow) return ERR_LIMIT;
    add_piece(serving, buffer_bytes(&out));
    *left -= entries_bytes < *left ? entries_bytes : *left;
    *is_whole = true;
    for (size_t i = 0; i < sizeof range.to.bytes; i++)
        *is_whole &= range.to.bytes[i] == 0xff;
    return ERR_OK;
}

static void answer_ranges(struct snapshot_serving *serving) {
    const struct message *request = serving->request;
    serving->answer->height = request->height;
    struct pin *pin = pin_of(serving, request->height);
    if (pin == NULL) return;
    size_t left = SNAPSHOT_ANSWER_BYTES;
    bool is_whole = true;
    for (uint32_t i = 0; i < request->count && is_whole && left > 0; i++) {
        const enum err err = range_piece(serving, pin->view, request->pieces[i], &left, &is_whole);
        if (err == ERR_OK) continue;
        if (i == 0) { /* too old, or not here yet */
            pin_close(serving, pin);
            atomic_fetch_add(&serving->refused, 1);
        }
        return;
    }
}

static void answer_codes(struct snapshot_serving *serving, struct store_view *view) {
    const struct message *request = serving->request;
    struct store_state state;
    size_t total = 0;
    store_state_latest(view, &state);
    for (uint32_t i = 0; i < request->count && total < SNAPSHOT_ANSWER_BYTES; i++) {
        struct bytes code;
        if (state.reader.get(state.reader.context, KV_CODE, request->pieces[i], &code) != ERR_OK ||
            !arena_copy(&serving->arena, code, &code)) {
            return;
        }
        add_piece(serving, code);
        total += code.size;
    }
}

static void answer_headers(struct snapshot_serving *serving, struct store_view *view) {
    const struct message *request = serving->request;
    for (uint32_t i = 0; i < request->count; i++) {
        struct header header;
        if (store_header(view, request->height + i, &header, NULL) != ERR_OK) return;
        uint8_t *room = arena_alloc(&serving->arena, HEADER_BYTES_MAX);
        if (room == NULL) return;
        struct buffer out = buffer_over(room, HEADER_BYTES_MAX);
        header_encode(&header, &out);
        add_piece(serving, buffer_bytes(&out));
    }
}

/* answer_blocks is for guests; peers' requests come through the sequencer. */
static void answer_blocks(struct snapshot_serving *serving, struct store_view *view) {
    const struct message *request = serving->request;
    struct message *answer = serving->answer;
    size_t total = 0;
    answer->kind = MESSAGE_BLOCKS;
    for (uint32_t i = 0; i < request->count && i < MESSAGE_BLOCKS_MAX; i++) {
        struct bytes package, commit;
        const uint64_t height = request->height + i;
        if (store_package(view, height, &serving->arena, &package) != ERR_OK) return;
        if (store_commit(view, height, &serving->arena, &commit) != ERR_OK) return;
        if (total + package.size > BLOCKS_BYTES_MAX && i > 0) return;
        answer->blocks[i].package = package;
        answer->blocks[i].commit = commit;
        answer->count = i + 1;
        total += package.size + commit.size;
    }
}

/* genesis_read reads the genesis file once, when it is still the one that the node started with. */
static void genesis_read(struct snapshot_serving *serving) {
    FILE *file = fopen(serving->node->options.settings->genesis, "rb");
    long size = -1;
    if (file == NULL) return;
    if (fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    uint8_t *text = size > 0 ? malloc((size_t)size) : NULL;
    bool is_read = false;
    if (text != NULL && fseek(file, 0, SEEK_SET) == 0) {
        is_read = fread(text, 1, (size_t)size, file) == (size_t)size;
    }
    fclose(file);
    const struct bytes whole = {text, is_read ? (size_t)size : 0};
    const struct hash32 hash = keccak256(whole);
    if (is_read && hash_equal(&hash, &serving->node->options.genesis->file_hash)) {
        serving->genesis = text;
        serving->genesis_bytes = whole.size;
    } else {
        free(text);
    }
}

/* peers_write lists the peers whose addresses we know. */
static struct bytes peers_write(struct snapshot_serving *serving) {
    struct node *node = serving->node;
    size_t at = 0;
    serving->peers_text[0] = '\0';
    pthread_mutex_lock(&node->peers_lock);
    for (size_t i = 0; i < node->peers_count; i++) {
        char id[67];
        const struct p2p_peer *peer = &node->peers[i];
        if (peer->host[0] == '\0') continue;
        const int size = snprintf(serving->peers_text + at, sizeof serving->peers_text - at,
                                  "%s%s@%s:%u", at > 0 ? "," : "",
                                  hex_string(hash_bytes(&peer->id), id), peer->host, peer->port);
        if (size < 0 || (size_t)size >= sizeof serving->peers_text - at) break;
        at += (size_t)size;
    }
    pthread_mutex_unlock(&node->peers_lock);
    return (struct bytes){(const uint8_t *)serving->peers_text, at};
}

static void answer_chain(struct snapshot_serving *serving) {
    struct message *answer = serving->answer;
    if (serving->genesis == NULL) genesis_read(serving);
    const struct bytes whole = {serving->genesis, serving->genesis_bytes};
    const uint64_t offset = serving->request->height;
    const size_t from = offset < whole.size ? (size_t)offset : whole.size;
    const size_t end = whole.size - from < GENESIS_PIECE ? whole.size : from + GENESIS_PIECE;
    answer->height = offset;
    answer->total_bytes = whole.size;
    answer->peers = peers_write(serving);
    add_piece(serving, whole.size == 0 ? BYTES_EMPTY : bytes_slice(whole, from, end - from));
}

static void answer_make(struct snapshot_serving *serving) {
    const struct message *request = serving->request;
    struct message *answer = serving->answer;
    struct store_view *view;
    answer->kind = request->kind + 1;
    answer->request = request->request;
    answer->height = 0;
    answer->count = 0;
    if (store_view_open(serving->node->ledger.store, &view) != ERR_OK) return;
    const bool is_whole = !store_is_loading(view); /* who takes a snapshot itself has none */
    switch (request->kind) {
    case MESSAGE_GET_LIGHT: answer_light(serving, view); break;
    case MESSAGE_GET_RANGES:
        answer->height = request->height;
        if (is_whole) answer_ranges(serving);
        break;
    case MESSAGE_GET_CODES:
        if (is_whole) answer_codes(serving, view);
        break;
    case MESSAGE_GET_HEADERS: answer_headers(serving, view); break;
    case MESSAGE_GET_BLOCKS: answer_blocks(serving, view); break;
    default: answer_chain(serving); break;
    }
    store_view_close(view);
}

/* --- the thread */

/* pay waits so that the rate is kept to. */
static void pay(struct snapshot_serving *serving, size_t bytes) {
    const uint64_t rate = serving->node->options.settings->snapshot_bytes_per_second;
    const uint64_t now_ms = monotonic_ms();
    if (serving->paid_until_ms + BURST_MS < now_ms) serving->paid_until_ms = now_ms - BURST_MS;
    serving->paid_until_ms += bytes * 1000 / rate;
    while (monotonic_ms() < serving->paid_until_ms && !atomic_load(&serving->is_stopping))
        usleep(5000);
}

static void serve(struct snapshot_serving *serving, const struct hash32 *peer, struct bytes body) {
    struct node *node = serving->node;
    const struct message_context context = {node->domain, node->batch_domain, node->recoverer};
    if (message_decode(&context, body, serving->request) != VERDICT_ACCEPTED) {
        atomic_fetch_add(&node->counters.bad_peers, 1);
        return;
    }
    answer_make(serving);
    struct buffer out = buffer_over(serving->encoded, ANSWER_BYTES_MAX);
    message_encode(serving->answer, &out);
    if (out.overflow || node->p2p == NULL) return;
    traffic_sent(&node->counters.traffic, buffer_bytes(&out), 1);
    p2p_send(node->p2p, peer, P2P_LANE_SYNC, buffer_bytes(&out));
    atomic_fetch_add(&serving->requests, 1);
    atomic_fetch_add(&serving->bytes, out.size);
    pay(serving, out.size);
}

/* status_tell tells one guest, or all, how high our chain is. */
static void status_tell(struct snapshot_serving *serving, const struct hash32 *guest) {
    struct node *node = serving->node;
    const struct store_head head = store_head(node->ledger.store);
    uint8_t memory[64];
    struct buffer out = buffer_over(memory, sizeof memory);
    serving->answer->kind = MESSAGE_STATUS;
    serving->answer->height = head.number;
    serving->answer->hash = head.hash;
    message_encode(serving->answer, &out);
    CHECK(!out.overflow);
    if (node->p2p == NULL) return;
    if (guest != NULL) {
        p2p_send(node->p2p, guest, P2P_LANE_CONSENSUS, buffer_bytes(&out));
        return;
    }
    if (head.number == serving->told_height) return;
    serving->told_height = head.number;
    p2p_send_guests(node->p2p, P2P_LANE_CONSENSUS, buffer_bytes(&out));
}

static void handle_request(struct snapshot_serving *serving, const struct hash32 *peer,
                           struct bytes body) {
    if (requester_is_gone(serving, peer)) {
        atomic_fetch_add(&serving->dropped, 1);
    } else {
        serve(serving, peer, body);
    }
    requester_done(serving, peer);
}

static void *serving_main(void *context) {
    struct snapshot_serving *serving = context;
    /* It yields to those who make blocks; without that it works the same, only less politely. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    while (!atomic_load(&serving->is_stopping)) {
        uint32_t kind;
        struct bytes header, body;
        struct hash32 peer;
        if (queue_pop(serving->queue, monotonic_ms() + TICK_MS, &kind, &header, &body)) {
            CHECK(header.size == sizeof peer);
            memcpy(&peer, header.data, sizeof peer);
            arena_reset(&serving->arena);
            if (kind == TASK_GUEST) status_tell(serving, &peer);
            if (kind == TASK_REQUEST) handle_request(serving, &peer, body);
            queue_release(serving->queue);
        }
        pins_tick(serving, monotonic_ms());
        status_tell(serving, NULL);
    }
    for (size_t i = 0; i < PINS_MAX; i++)
        pin_close(serving, &serving->pins[i]);
    return NULL;
}

enum err snapshot_serve_start(struct node *node, struct snapshot_serving **out) {
    struct snapshot_serving *serving = calloc(1, sizeof *serving);
    if (serving == NULL) return ERR_MEMORY;
    *out = serving; /* whatever happens, snapshot_serve_destroy frees it */
    serving->node = node;
    pthread_mutex_init(&serving->lock, NULL);
    serving->request = calloc(1, sizeof *serving->request);
    serving->answer = calloc(1, sizeof *serving->answer);
    serving->encoded = malloc(MESSAGE_BYTES_MAX);
    if (serving->request == NULL || serving->answer == NULL || serving->encoded == NULL) {
        return ERR_MEMORY;
    }
    void *memory;
    TRY(memory_reserve(ARENA_BYTES, &memory));
    serving->arena = arena_over(memory, ARENA_BYTES);
    TRY(queue_create(QUEUE_BYTES, 4096, &serving->queue));
    if (pthread_create(&serving->thread, NULL, serving_main, serving) != 0) return ERR_SYSTEM;
    serving->has_thread = true;
    return ERR_OK;
}

void snapshot_serve_stop(struct snapshot_serving *serving) {
    if (serving == NULL) return;
    atomic_store(&serving->is_stopping, true);
    if (serving->queue != NULL) queue_close(serving->queue);
    if (serving->has_thread) pthread_join(serving->thread, NULL);
    serving->has_thread = false;
}

void snapshot_serve_destroy(struct snapshot_serving *serving) {
    if (serving == NULL) return;
    CHECK(!serving->has_thread);
    if (serving->queue != NULL) queue_destroy(serving->queue);
    pages_release(serving->arena.data, ARENA_BYTES);
    free(serving->request);
    free(serving->answer);
    free(serving->encoded);
    free(serving->genesis);
    pthread_mutex_destroy(&serving->lock);
    free(serving);
}

void snapshot_serve_ask(struct snapshot_serving *serving, const struct hash32 *peer,
                        struct bytes message) {
    if (!requester_add(serving, peer)) {
        atomic_fetch_add(&serving->dropped, 1);
        return;
    }
    if (queue_push(serving->queue, QUEUE_URGENT, TASK_REQUEST, hash_bytes(peer), message) ==
        ERR_OK) {
        return;
    }
    requester_done(serving, peer);
    atomic_fetch_add(&serving->dropped, 1);
}

void snapshot_serve_guest(struct snapshot_serving *serving, const struct hash32 *guest) {
    (void)!queue_push(serving->queue, QUEUE_URGENT, TASK_GUEST, hash_bytes(guest), BYTES_EMPTY);
}

void snapshot_serve_gone(struct snapshot_serving *serving, const struct hash32 *guest) {
    pthread_mutex_lock(&serving->lock);
    struct requester *requester = requester_find(serving, guest);
    if (requester != NULL) requester->is_gone = true;
    pthread_mutex_unlock(&serving->lock);
}

struct snapshot_serve_counts snapshot_serve_counts(struct snapshot_serving *serving) {
    if (serving == NULL) return (struct snapshot_serve_counts){0};
    return (struct snapshot_serve_counts){
        .requests = atomic_load(&serving->requests),
        .refused = atomic_load(&serving->refused),
        .dropped = atomic_load(&serving->dropped),
        .bytes = atomic_load(&serving->bytes),
        .pins = (uint32_t)atomic_load(&serving->pins_open),
    };
}
