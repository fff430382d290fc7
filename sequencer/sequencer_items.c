/* The pool's door: admission, gossip, and the answer to the client.
 *
 * An item that a client sent is broadcast to all peers, and the client gets its answer once every
 * connected peer has said that it holds the item (or WAIT_MS_MAX later: a peer that hangs is then
 * not waited for any more until it speaks again).  So whatever was acknowledged survives a kill -9
 * of this process, and the client's next request finds it on whichever node it lands.  (That it
 * survives the end of all processes is the edge's work: node/pool_keeper.h.)
 *
 * The first item after a pause leaves at once; those that arrive within SEQUENCER_FLUSH_MS of one
 * that left share the next message, and so do acknowledgements.  Items from peers are not sent on:
 * the mesh is full.  Local ones that stay pending are sent again every RESEND_MS, and a peer that
 * connects gets the whole pool. */
#include "sequencer/sequencer_internal.h"

#define GOSSIP_ITEMS_MAX 256u
#define GOSSIP_BYTES_MAX (256u << 10)
#define DUMP_PAUSE_MS    2u
#define EXPIRE_ENTRIES   256u

size_t items_bytes(const struct sequencer_limits *limits) {
    (void)limits;
    return WAITS_MAX * sizeof(struct wait) + PEERS_MAX * sizeof(struct held_list) + 256;
}

void items_create(struct sequencer *sequencer, struct arena *arena) {
    struct items *items = &sequencer->items;
    items->waits = arena_array(arena, WAITS_MAX, sizeof *items->waits);
    items->held = arena_array(arena, PEERS_MAX, sizeof *items->held);
    CHECK(items->waits != NULL);
    CHECK(items->held != NULL);
    items->flush_at_ms = UINT64_MAX;
}

struct admit_context sequencer_admit_context(const struct sequencer *sequencer) {
    const struct chain_view *view = sequencer->view;
    const uint64_t now_s = sequencer->unix_ms / 1000;
    const uint64_t time_s = now_s > view->head.timestamp ? now_s : view->head.timestamp;
    return (struct admit_context){
        .config = sequencer->config.chain,
        .reader = &view->admission,
        .fork = fork_at(sequencer->config.chain, sequencer->head_height + 1, time_s),
        .base_fee = header_next_base_fee(&view->head),
        .block_weight_max = view->head.gas_limit,
    };
}

static void reply(struct sequencer *sequencer, uint64_t request, enum verdict verdict,
                  const struct item *item) {
    struct effect *effect = sequencer_push(sequencer, EFFECT_REPLY);
    effect->request = request;
    effect->verdict = verdict;
    effect->item = item;
}

/* --- waiting for peers */

static struct wait *wait_at(struct items *items, uint32_t offset) {
    return &items->waits[(items->waits_begin + offset) % WAITS_MAX];
}

static bool is_waiting(const struct wait *wait) {
    uint64_t any = 0;
    for (size_t i = 0; i < PEER_WORDS; i++)
        any |= wait->peers[i];
    return any != 0;
}

/* wait_answer tells the client; the wait's memory is reused only after this step. */
static void wait_answer(struct sequencer *sequencer, struct wait *wait) {
    wait->is_used = false;
    reply(sequencer, wait->request, VERDICT_ACCEPTED, &wait->item);
}

/* wait_begin makes a client wait; false when nobody has to be waited for, or too many wait. */
static bool wait_begin(struct sequencer *sequencer, const struct item *item, uint64_t request) {
    struct items *items = &sequencer->items;
    struct wait wait = {.is_used = true,
                        .request = request,
                        .item.hash = item->hash,
                        .deadline_ms = sequencer->now_ms + WAIT_MS_MAX};
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (!peer->is_connected || peer->is_slow) continue;
        wait.peers[i / 64] |= (uint64_t)1 << i % 64;
    }
    if (!is_waiting(&wait) || items->waits_count == WAITS_MAX) return false;
    const uint32_t at = (items->waits_begin + items->waits_count++) % WAITS_MAX;
    items->waits[at] = wait;
    pool_set_ticket(sequencer->pool, &item->hash, at + 1);
    return true;
}

static void wait_clear(struct sequencer *sequencer, const struct hash32 *hash,
                       uint32_t peer_index) {
    const uint32_t ticket = pool_ticket(sequencer->pool, hash);
    if (ticket == 0) return;
    struct wait *wait = &sequencer->items.waits[ticket - 1];
    if (!wait->is_used || !hash_equal(&wait->item.hash, hash)) return;
    wait->peers[peer_index / 64] &= ~((uint64_t)1 << peer_index % 64);
    if (!is_waiting(wait)) wait_answer(sequencer, wait);
}

void sequencer_items_peer_gone(struct sequencer *sequencer, uint32_t peer_index) {
    struct items *items = &sequencer->items;
    for (uint32_t i = 0; i < items->waits_count; i++) {
        wait_at(items, i)->peers[peer_index / 64] &= ~((uint64_t)1 << peer_index % 64);
    }
    items->held[peer_index].count = 0;
}

/* waits_run answers what nobody has to be waited for any more, oldest first, and times out. */
static void waits_run(struct sequencer *sequencer) {
    struct items *items = &sequencer->items;
    uint32_t answered = 0;
    while (items->waits_count != 0 && answered < REPLIES_MAX) {
        struct wait *wait = wait_at(items, 0);
        if (wait->is_used && is_waiting(wait)) {
            if (sequencer->now_ms < wait->deadline_ms) break;
            for (uint32_t i = 0; i < sequencer->peers_used; i++) {
                const bool is_late = (wait->peers[i / 64] >> i % 64 & 1) != 0;
                if (is_late) sequencer->peers[i].is_slow = true;
            }
        }
        if (wait->is_used) {
            wait_answer(sequencer, wait);
            answered += 1;
        }
        items->waits_begin = (items->waits_begin + 1) % WAITS_MAX;
        items->waits_count -= 1;
    }
}

/* --- sending */

static void flush_soon(struct sequencer *sequencer) {
    struct items *items = &sequencer->items;
    if (items->flush_at_ms != UINT64_MAX) return;
    const uint64_t paced_ms = items->flushed_ms + SEQUENCER_FLUSH_MS;
    items->flush_at_ms = paced_ms > sequencer->now_ms ? paced_ms : sequencer->now_ms;
}

/* flush_deadline: the rest of what comes in a row is waited for, but not for long. */
static uint64_t flush_deadline(const struct items *items) {
    if (items->flush_at_ms == UINT64_MAX || !items->has_more) return items->flush_at_ms;
    return items->flush_at_ms + SEQUENCER_FLUSH_MS;
}

static void flush_items(struct sequencer *sequencer) {
    struct items *items = &sequencer->items;
    struct message *message = sequencer_message(sequencer, MESSAGE_ITEMS);
    size_t bytes = 0;
    for (uint32_t i = 0; i < items->flush_count; i++) {
        const struct item *item = pool_find(sequencer->pool, &items->flush[i]);
        if (item == NULL) continue; /* replaced, evicted or in a block meanwhile */
        const struct bytes wire = {item->encoded.data - 1, item->encoded.size + 1};
        if (bytes + wire.size > MESSAGE_BYTES_MAX / 2) {
            sequencer_broadcast(sequencer, MESSAGE_CLASS_ITEMS);
            message = sequencer_message(sequencer, MESSAGE_ITEMS);
            bytes = 0;
        }
        message->items[message->count++] = wire;
        bytes += wire.size;
    }
    items->flush_count = 0;
    if (message->count != 0) sequencer_broadcast(sequencer, MESSAGE_CLASS_ITEMS);
}

static void flush_held(struct sequencer *sequencer, uint32_t peer_index) {
    struct held_list *held = &sequencer->items.held[peer_index];
    if (held->count == 0) return;
    struct message *message = sequencer_message(sequencer, MESSAGE_ITEMS_HELD);
    message->hashes = (struct bytes){held->hashes[0].bytes, held->count * sizeof(struct hash32)};
    message->count = held->count;
    held->count = 0;
    sequencer_send(sequencer, &sequencer->peers[peer_index].id, MESSAGE_CLASS_ITEMS);
}

static void flush(struct sequencer *sequencer) {
    if (sequencer->items.flush_count != 0) flush_items(sequencer);
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        if (sequencer->peers[i].is_connected) flush_held(sequencer, i);
    }
    sequencer->items.flush_at_ms = UINT64_MAX;
    sequencer->items.flushed_ms = sequencer->now_ms;
}

static void held_add(struct sequencer *sequencer, const struct hash32 *peer_id,
                     const struct hash32 *hash) {
    const struct peer *peer = sequencer_peer(sequencer, peer_id);
    if (peer == NULL) return;
    const uint32_t index = (uint32_t)(peer - sequencer->peers);
    struct held_list *held = &sequencer->items.held[index];
    held->hashes[held->count++] = *hash;
    flush_soon(sequencer);
    if (held->count == MESSAGE_HELD_MAX) flush_held(sequencer, index);
}

/* --- inputs */

static bool has_peers(const struct sequencer *sequencer) {
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        if (sequencer->peers[i].is_connected) return true;
    }
    return false;
}

static void on_local(struct sequencer *sequencer, const struct item *item, uint64_t request) {
    struct items *items = &sequencer->items;
    if (!has_peers(sequencer)) { /* who connects gets the whole pool */
        if (request != 0) reply(sequencer, request, VERDICT_ACCEPTED, item);
        return;
    }
    items->flush[items->flush_count++] = item->hash;
    flush_soon(sequencer);
    const bool waits = request != 0 && wait_begin(sequencer, item, request);
    if (waits && items->flush_count < MESSAGE_HELD_MAX) return;
    flush(sequencer); /* before the reply: the item is on its way when the client hears of it */
    if (request != 0 && !waits) reply(sequencer, request, VERDICT_ACCEPTED, item);
}

void sequencer_on_item(struct sequencer *sequencer, const struct input *input) {
    const struct item *item = input->item.item;
    const struct admit_context admit = sequencer_admit_context(sequencer);
    const bool is_local = hash_is_zero(&input->item.peer);
    const struct pool_add add = {
        .admit = &admit,
        .item = item,
        .is_local = is_local,
        .is_forced = input->item.is_forced,
        .now_ms = sequencer->now_ms,
        .scratch = &sequencer->scratch,
    };
    enum verdict verdict;
    const struct item *stored = NULL;
    if (pool_add(sequencer->pool, &add, &verdict, &stored) != ERR_OK) {
        sequencer_halt(sequencer, "the committed state cannot be read");
        verdict = VERDICT_BUSY;
    }
    sequencer->counts.verdicts_total[verdict] += 1;
    if (verdict == VERDICT_ACCEPTED) {
        sequencer_push(sequencer, EFFECT_ADMITTED)->item = stored;
        if (is_local) on_local(sequencer, stored, input->item.request);
    } else if (input->item.request != 0) {
        reply(sequencer, input->item.request, verdict, item);
    }
    /* Refused or not, the peer need not wait for us. */
    if (!is_local) held_add(sequencer, &input->item.peer, &item->hash);
}

void sequencer_on_held(struct sequencer *sequencer, const struct hash32 *id,
                       const struct message *message) {
    struct peer *peer = sequencer_peer(sequencer, id);
    if (peer == NULL) return;
    peer->is_slow = false;
    for (uint32_t i = 0; i < message->count; i++) {
        struct hash32 hash;
        memcpy(hash.bytes, message->hashes.data + i * sizeof hash, sizeof hash);
        wait_clear(sequencer, &hash, (uint32_t)(peer - sequencer->peers));
    }
}

/* --- what runs by the clock */

static void dump_run(struct sequencer *sequencer, struct peer *peer) {
    struct message *message = sequencer_message(sequencer, MESSAGE_ITEMS);
    const struct pool_gossip gossip = {.now_ms = sequencer->now_ms,
                                       .local_before_ms = UINT64_MAX,
                                       .items = message->items,
                                       .items_max = GOSSIP_ITEMS_MAX,
                                       .bytes_max = GOSSIP_BYTES_MAX};
    message->count = (uint32_t)pool_gossip(sequencer->pool, &gossip, &peer->dump_cursor);
    if (peer->dump_cursor == 0) peer->is_dumping = false;
    if (message->count != 0) sequencer_send(sequencer, &peer->id, MESSAGE_CLASS_ITEMS);
}

static void resend_run(struct sequencer *sequencer) {
    struct items *items = &sequencer->items;
    if (sequencer->now_ms < items->resend_at_ms) return;
    struct message *message = sequencer_message(sequencer, MESSAGE_ITEMS);
    const uint64_t now = sequencer->now_ms;
    const struct pool_gossip gossip = {.now_ms = now,
                                       .local_before_ms = now < RESEND_MS ? 0 : now - RESEND_MS,
                                       .items = message->items,
                                       .items_max = GOSSIP_ITEMS_MAX,
                                       .bytes_max = GOSSIP_BYTES_MAX};
    message->count = (uint32_t)pool_gossip(sequencer->pool, &gossip, &items->resend_cursor);
    items->resend_at_ms = now + (items->resend_cursor == 0 ? RESEND_MS : DUMP_PAUSE_MS);
    if (message->count != 0) sequencer_broadcast(sequencer, MESSAGE_CLASS_ITEMS);
    pool_expire(sequencer->pool, now, EXPIRE_ENTRIES);
}

void sequencer_items_run(struct sequencer *sequencer) {
    struct items *items = &sequencer->items;
    if (sequencer->now_ms >= flush_deadline(items)) flush(sequencer);
    waits_run(sequencer);
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        struct peer *peer = &sequencer->peers[i];
        if (!peer->is_connected || !peer->is_dumping) continue;
        dump_run(sequencer, peer);
        break; /* one chunk a step */
    }
    resend_run(sequencer);
}

uint64_t sequencer_items_deadline(const struct sequencer *sequencer) {
    const struct items *items = &sequencer->items;
    uint64_t deadline = flush_deadline(items);
    if (items->waits_count != 0) {
        const struct wait *oldest = &items->waits[items->waits_begin];
        const bool is_ready = !oldest->is_used || !is_waiting(oldest);
        const uint64_t wait_ms = is_ready ? sequencer->now_ms : oldest->deadline_ms;
        if (wait_ms < deadline) deadline = wait_ms;
    }
    for (uint32_t i = 0; i < sequencer->peers_used; i++) {
        const struct peer *peer = &sequencer->peers[i];
        if (peer->is_connected && peer->is_dumping) return sequencer->now_ms + DUMP_PAUSE_MS;
    }
    const struct pool_counts counts = pool_counts(sequencer->pool);
    const bool has_items = counts.pending + counts.queued != 0;
    if (has_items && items->resend_at_ms < deadline) deadline = items->resend_at_ms;
    return deadline;
}
