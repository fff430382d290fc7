/* The simulated L1: a block each L1_BLOCK_MS, the newest L1_UNFINALIZED of which may be replaced, a
 * pool of transactions, and the coordinator's contract, which settles batches in order when a
 * quorum of the validators that it lists has signed.  What it settles is held against the chain
 * that the checker saw committed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/keccak.h"
#include "simulator/sequencer_node.h"

#define SEND_EVERY_MS    200
#define BUMP_BLOCKS      4  /* not mined so long after it was sent: it is sent again */
#define CONGESTED_BLOCKS 20 /* that a transaction may wait */

void sequencer_l1_close(struct sequencer_shared *shared) {
    for (uint32_t i = 0; i < shared->transactions_count; i++)
        free(shared->transactions[i].settlement);
}

uint64_t sequencer_l1_finalized(const struct world *world, uint64_t ago_ms) {
    const uint64_t then_ms = world->now_ms > ago_ms ? world->now_ms - ago_ms : 0;
    return L1_GENESIS + then_ms / L1_BLOCK_MS;
}

/* settled_at is the contract's state after block `number`; NULL: nothing is settled. */
static const struct l1_settled *settled_at(const struct sequencer_shared *shared, uint64_t number) {
    uint32_t count = shared->settled_count;
    while (count != 0 && shared->settled[count - 1].number > number)
        count--;
    return count == 0 ? NULL : &shared->settled[count - 1];
}

/* --- the contract */

static bool has_quorum(struct world *world, const struct settlement *settlement, uint64_t number) {
    const struct sequencer_shared *shared = world->shared;
    const struct registry *registry = checker_registry(world);
    const struct recoverer recoverer = registry_recoverer();
    const struct hash32 digest = batch_digest(&shared->batch_domain.separator, &settlement->batch);
    static _Thread_local struct validator_set listed;
    registry_listed(registry, number, &listed);
    uint64_t power = 0;
    struct address previous = {{0}};
    for (uint32_t i = 0; i < settlement->signatures_count; i++) {
        struct address signer;
        if (recoverer.recover(NULL, &digest, &settlement->signatures[i].signature, &signer) !=
            ERR_OK) {
            return false;
        }
        const int index = validator_set_find(&listed, &signer);
        if (address_compare(&signer, &previous) <= 0 || index < 0) return false;
        previous = signer;
        power += listed.validators[index].power;
    }
    const uint64_t total = validator_set_power(&listed);
    return registry->fault_model == FAULT_MODEL_CRASH ? 2 * power > total : 3 * power > 2 * total;
}

/* would_settle is what submitBatch requires, at the end of the chain. */
static bool would_settle(struct world *world, const struct settlement *settlement,
                         uint64_t number) {
    const struct sequencer_shared *shared = world->shared;
    const struct l1_settled *before = settled_at(shared, UINT64_MAX);
    if (settlement->batch.first != (before == NULL ? 0 : before->last) + 1) return false;
    if (settlement->batch.last < settlement->batch.first) return false;
    if (before != NULL && !hash_equal(&settlement->batch.parent_hash, &before->last_hash))
        return false;
    return has_quorum(world, settlement, number);
}

/* check_statement: what a quorum has signed is true. */
static void check_statement(struct world *world, const struct settlement *settlement) {
    const struct sequencer_shared *shared = world->shared;
    const struct hash32 *parent = sequencer_judge_hash(shared, settlement->batch.first - 1);
    const struct hash32 *last = sequencer_judge_hash(shared, settlement->batch.last);
    const struct hash32 *root = sequencer_judge_root(shared, settlement->batch.last);
    const char *why = NULL;
    if (last == NULL || !hash_equal(last, &settlement->batch.last_hash))
        why = "its block is another";
    if (parent == NULL || !hash_equal(parent, &settlement->batch.parent_hash))
        why = "its parent is another";
    if (root == NULL || !hash_equal(root, &settlement->batch.state_root))
        why = "its root is another";
    const struct da_blob *blob = sequencer_da_find(shared, settlement->batch.da_height,
                                                   settlement->batch.first, settlement->batch.last);
    if (blob == NULL) {
        why = "it is not on the DA layer";
    } else {
        const struct hash32 commitment = keccak256(blob->bytes);
        if (!hash_equal(&commitment, &settlement->batch.da_commitment)) why = "it points elsewhere";
    }
    if (why == NULL) return;
    world_fail(world, "settlement", "blocks %llu to %llu are settled, but %s",
               (unsigned long long)settlement->batch.first,
               (unsigned long long)settlement->batch.last, why);
}

static void mine(struct world *world, uint32_t index, uint64_t number) {
    struct sequencer_shared *shared = world->shared;
    struct l1_transaction *transaction = &shared->transactions[index];
    const struct settlement *settlement = transaction->settlement;
    if (!would_settle(world, settlement, number)) {
        transaction->fate = L1_REVERTED;
        world_count(world, COUNT_L1_REVERTED);
        world_trace(world, "L1 reverts", number, settlement->batch.first, settlement->batch.last);
        return;
    }
    transaction->fate = L1_SUCCEEDED;
    world_count(world, COUNT_L1_SETTLED);
    world_trace(world, "L1 settles", number, settlement->batch.first, settlement->batch.last);
    check_statement(world, settlement);
    CHECK(shared->settled_count < L1_TRANSACTIONS_MAX);
    shared->settled[shared->settled_count++] =
        (struct l1_settled){number, index, settlement->batch.last, settlement->batch.last_hash,
                            settlement->batch.state_root};
}

void sequencer_l1_advance(struct world *world) {
    struct sequencer_shared *shared = world->shared;
    const uint64_t head = sequencer_l1_finalized(world, 0) + L1_UNFINALIZED;
    while (shared->l1_head < head) {
        const uint64_t number = ++shared->l1_head;
        for (uint32_t i = 0; i < shared->transactions_count; i++) {
            const struct l1_transaction *transaction = &shared->transactions[i];
            if (transaction->fate != L1_POOLED || transaction->ready_number > number) continue;
            mine(world, i, number);
        }
    }
    while (shared->finalized_count < shared->settled_count &&
           shared->settled[shared->finalized_count].number + L1_UNFINALIZED <= head) {
        shared->finalized_count++;
        world_count(world, COUNT_L1_FINALIZED);
    }
}

/* A reorganisation: transactions of the blocks that are replaced are mined again, or are gone. */
void sequencer_l1_fault(struct world *world, const struct fault *fault) {
    struct sequencer_shared *shared = world->shared;
    if (fault->kind != FAULT_L1_REORG) return;
    sequencer_l1_advance(world);
    const uint64_t depth = 1 + fault->value % L1_UNFINALIZED;
    const uint64_t kept = shared->l1_head - depth;
    while (shared->settled_count != 0 && shared->settled[shared->settled_count - 1].number > kept) {
        const struct l1_settled *gone = &shared->settled[--shared->settled_count];
        struct l1_transaction *transaction = &shared->transactions[gone->transaction];
        CHECK(shared->settled_count >= shared->finalized_count);
        const bool is_dropped = (fault->value >> (16 + shared->settled_count % 32) & 1) != 0;
        transaction->fate = is_dropped ? L1_DROPPED : L1_POOLED;
        transaction->ready_number = shared->l1_head + 1;
        world_count(world, COUNT_L1_REORGED);
        world_trace(world, "L1 reorganised", depth, gone->last, is_dropped);
    }
}

bool sequencer_l1_is_done(struct world *world) {
    const struct sequencer_shared *shared = world->shared;
    if (!shared->awaits_settlement) return true;
    const uint64_t wanted = world->recovery_height - RECOVERY_HEIGHTS;
    const uint64_t settled =
        shared->finalized_count == 0 ? 0 : shared->settled[shared->finalized_count - 1].last;
    snprintf(world->undone, sizeof world->undone, "; final on L1 are blocks up to %llu of %llu",
             (unsigned long long)settled, (unsigned long long)wanted);
    return settled >= wanted;
}

/* --- what nodes read */

void sequencer_l1_facts(struct world *world, uint64_t number, struct l1_facts *out) {
    const struct registry *registry = checker_registry(world);
    static _Thread_local struct validator_set listed;
    sequencer_l1_advance(world);
    registry_listed(registry, number, &listed);
    *out = (struct l1_facts){.number = number, .timestamp = 1700000000 + number};
    uint8_t name[16];
    be_write(name, 8, registry->seed);
    be_write(name + 8, 8, number);
    out->hash = keccak256(BYTES_OF(name));
    out->validators_count = listed.count;
    memcpy(out->validators, listed.validators, listed.count * sizeof listed.validators[0]);
    const struct l1_settled *settled = settled_at(world->shared, number);
    if (settled == NULL) return;
    out->settled_last_block = settled->last;
    out->settled_hash = settled->last_hash;
}

void sequencer_l1_check(struct world *world, const struct sequencer_node *node) {
    static _Thread_local struct sequencer_status status;
    const struct sequencer_shared *shared = world->shared;
    sequencer_status(node->sequencer, &status);
    const struct l1_settled *settled = settled_at(shared, sequencer_l1_finalized(world, 0));
    if (status.settled_block > (settled == NULL ? 0 : settled->last)) {
        world_fail(world, "finalized", "node %u calls block %llu finalized", node->index,
                   (unsigned long long)status.settled_block);
    }
    if (status.published_block > sequencer_da_covered(shared)) {
        world_fail(world, "safe", "node %u calls block %llu safe, DA has blocks up to %llu",
                   node->index, (unsigned long long)status.published_block,
                   (unsigned long long)sequencer_da_covered(shared));
    }
}

/* --- a node's sender */

static struct settlement *settlement_own(const struct settlement *in) {
    struct settlement *copy = malloc(sizeof *copy);
    CHECK(copy != NULL);
    memcpy(copy, in,
           offsetof(struct settlement, signatures) +
               in->signatures_count * sizeof in->signatures[0]);
    return copy;
}

static void wake(struct world *world, struct sequencer_node *node) {
    const uint8_t data[1] = {LOCAL_L1};
    node->sender.is_awake = true;
    world_local(world, node->index, SEND_EVERY_MS, BYTES_OF(data));
}

void sequencer_l1_settle(struct world *world, struct sequencer_node *node,
                         const struct settlement *settlement) {
    struct sender *sender = &node->sender;
    for (uint32_t i = 0; i < sender->count; i++) {
        if (sender->calls[i]->batch.last != settlement->batch.last) continue;
        const bool is_in_work = i == 0 && sender->is_posted;
        if (!is_in_work) { /* the newer signatures count */
            free(sender->calls[i]);
            sender->calls[i] = settlement_own(settlement);
        }
        return;
    }
    if (sender->count == L1_CALLS_MAX) return;
    sender->calls[sender->count++] = settlement_own(settlement);
    if (!sender->is_awake) wake(world, node);
}

static void finish(struct sender *sender) {
    free(sender->calls[0]);
    sender->count -= 1;
    memmove(sender->calls, sender->calls + 1, sender->count * sizeof(struct settlement *));
    sender->is_posted = false;
}

void sequencer_l1_forget(struct sender *sender) {
    while (sender->count != 0)
        finish(sender);
    *sender = (struct sender){0};
}

/* post puts the oldest call into the pool; sent again, it takes the place of what was there (the
 * same nonce).  An error says nothing about which of the two happened. */
static void post(struct world *world, struct sequencer_node *node) {
    struct sequencer_shared *shared = world->shared;
    struct sender *sender = &node->sender;
    const bool is_known =
        sender->is_posted && shared->transactions[sender->transaction].fate == L1_POOLED;
    const bool is_unclear = world->is_l1_ambiguous && random_chance(&world->node_random, 600);
    if (is_unclear) world_count(world, COUNT_L1_REFUSED);
    const bool is_taken = !is_unclear || random_chance(&world->node_random, 700);
    sender->posted_number = shared->l1_head;
    if (is_known || shared->transactions_count == L1_TRANSACTIONS_MAX) return;
    const uint64_t wait =
        world->is_l1_congested ? random_below(&world->node_random, CONGESTED_BLOCKS) : 0;
    sender->is_posted = true;
    sender->transaction = shared->transactions_count++;
    shared->transactions[sender->transaction] =
        (struct l1_transaction){.settlement = settlement_own(sender->calls[0]),
                                .fate = is_taken ? L1_POOLED : L1_DROPPED,
                                .ready_number = shared->l1_head + 1 + wait};
    world_count(world, COUNT_L1_SENT);
    world_trace(world, "L1 send", node->index, sender->calls[0]->batch.first,
                sender->calls[0]->batch.last);
}

void sequencer_l1_send(struct world *world, struct sequencer_node *node) {
    const struct sequencer_shared *shared = world->shared;
    const struct node *at = &world->nodes[node->index];
    struct sender *sender = &node->sender;
    sender->is_awake = false;
    if (sender->count == 0) return;
    wake(world, node);
    sequencer_l1_advance(world);
    if (at->is_l1_out || world->is_l1_out) {
        world_count(world, COUNT_L1_REFUSED);
        return;
    }
    const struct l1_settled *settled = settled_at(shared, node->l1_number);
    if (settled != NULL && sender->calls[0]->batch.last <= settled->last) {
        finish(sender);
        return;
    }
    if (!sender->is_posted) {
        if (would_settle(world, sender->calls[0], shared->l1_head + 1)) {
            post(world, node);
        } else {
            finish(sender); /* the estimate says that it would revert */
        }
        return;
    }
    const enum l1_fate fate = shared->transactions[sender->transaction].fate;
    if (fate == L1_SUCCEEDED || fate == L1_REVERTED) {
        finish(sender);
    } else if (shared->l1_head >= sender->posted_number + BUMP_BLOCKS) {
        post(world, node);
    }
}
