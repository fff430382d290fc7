#include "simulator/registry.h"

#include "base/check.h"
#include "base/keccak.h"

static uint64_t scramble(uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

static uint64_t tag_of(const struct address *address) {
    uint64_t check = 0x5157;
    for (size_t i = 0; i < sizeof address->bytes; i++)
        check = scramble(check + address->bytes[i]);
    return check;
}

static bool is_tolerable(const struct registry *registry, uint64_t members) {
    uint64_t total = 0, byzantine = 0, count = 0;
    for (uint32_t i = 0; i < registry->nodes_count; i++) {
        if ((members >> i & 1) == 0) continue;
        count++;
        total += registry->powers[i];
        if (registry->is_byzantine[i]) byzantine += registry->powers[i];
    }
    if (registry->fault_model == FAULT_MODEL_CRASH) return count >= 1;
    return count >= 4 && byzantine <= (total - 1) / 3;
}

static void draw_byzantine(struct registry *registry, struct random *random) {
    const uint64_t all = ((uint64_t)1 << registry->nodes_count) - 1;
    if (registry->fault_model == FAULT_MODEL_CRASH || random_chance(random, 150)) return;
    for (int tries = 0; tries < 8; tries++) {
        const uint32_t node = (uint32_t)random_below(random, registry->nodes_count);
        const bool before = registry->is_byzantine[node];
        registry->is_byzantine[node] = true;
        if (!is_tolerable(registry, all)) registry->is_byzantine[node] = before;
    }
}

void registry_init(struct registry *registry, struct random *random, uint32_t nodes_count,
                   enum fault_model fault_model, uint64_t seed) {
    *registry = (struct registry){.seed = seed, .nodes_count = nodes_count, .era_blocks = 1};
    registry->fault_model = fault_model;
    registry->blocks_per_rotation = random_between(random, 2, 6);
    registry->block_time_ms = random_between(random, 1, 300);
    registry->has_changes = random_chance(random, 600);
    const bool is_weighted = random_chance(random, 350);
    for (uint32_t i = 0; i < nodes_count; i++) {
        uint8_t name[16];
        be_write(name, 8, seed);
        be_write(name + 8, 8, i);
        const struct hash32 hash = keccak256(BYTES_OF(name));
        memcpy(registry->addresses[i].bytes, hash.bytes + 12, 20);
        registry->tags[i] = tag_of(&registry->addresses[i]);
        registry->peer_ids[i] = keccak256(address_bytes(&registry->addresses[i]));
        registry->powers[i] = is_weighted ? random_between(random, 1, 5) : 1;
    }
    draw_byzantine(registry, random);
    struct address contract = {{0}};
    memset(contract.bytes, 0xc0, sizeof contract.bytes);
    registry->domain = signing_domain_make("AndeConsensus", 31337, &contract);
    registry->domain.digests = &registry->digests;
}

static void list(const struct registry *registry, uint64_t members, struct validator_set *out) {
    out->count = 0;
    for (uint32_t i = 0; i < registry->nodes_count; i++) {
        if ((members >> i & 1) == 0) continue;
        uint32_t at = out->count++;
        while (at != 0 &&
               address_compare(&out->validators[at - 1].address, &registry->addresses[i]) > 0) {
            out->validators[at] = out->validators[at - 1];
            at--;
        }
        out->validators[at] = (struct validator){.address = registry->addresses[i],
                                                 .peer_id = registry->peer_ids[i],
                                                 .power = registry->powers[i]};
    }
}

void registry_listed(const struct registry *registry, uint64_t origin, struct validator_set *out) {
    const uint64_t all = ((uint64_t)1 << registry->nodes_count) - 1;
    uint64_t members = all;
    if (registry->has_changes) {
        /* Each era leaves one or two out, drawn for itself. */
        const uint64_t draw = scramble(registry->seed ^ scramble(origin / registry->era_blocks));
        members &= ~((uint64_t)1 << draw % registry->nodes_count);
        if ((draw & 1 << 20) != 0) {
            members &= ~((uint64_t)1 << (draw >> 32) % registry->nodes_count);
        }
    }
    list(registry, is_tolerable(registry, members) ? members : all, out);
}

void registry_genesis(const struct registry *registry, struct validator_set *out) {
    list(registry, ((uint64_t)1 << registry->nodes_count) - 1, out);
}

static bool has_quorum_without(const struct registry *registry, uint64_t members, uint32_t node) {
    uint64_t total = 0, rest = 0;
    for (uint32_t i = 0; i < registry->nodes_count; i++) {
        if ((members >> i & 1) == 0) continue;
        total += registry->powers[i];
        if (i != node && !registry->is_byzantine[i]) rest += registry->powers[i];
    }
    return registry->fault_model == FAULT_MODEL_CRASH ? 2 * rest > total : 3 * rest > 2 * total;
}

bool registry_spares(const struct registry *registry, uint32_t node) {
    const uint64_t all = ((uint64_t)1 << registry->nodes_count) - 1;
    if (!has_quorum_without(registry, all, node)) return false;
    for (uint32_t i = 0; registry->has_changes && i < registry->nodes_count; i++) {
        for (uint32_t j = i; j < registry->nodes_count; j++) { /* one or two are left out */
            const uint64_t members = all & ~((uint64_t)1 << i) & ~((uint64_t)1 << j);
            if (!is_tolerable(registry, members)) continue;
            if (!has_quorum_without(registry, members, node)) return false;
        }
    }
    return true;
}

int registry_node(const struct registry *registry, const struct address *address) {
    for (uint32_t i = 0; i < registry->nodes_count; i++) {
        if (address_equal(&registry->addresses[i], address)) return (int)i;
    }
    return -1;
}

/* tag is cheap on purpose: what matters is that a signature names its signer and its digest. */
static void tag(const struct address *address, uint64_t check, const struct hash32 *digest,
                struct secp_signature *out) {
    memcpy(out->r, digest->bytes, sizeof out->r);
    for (size_t i = 0; i < 32; i += 8)
        check = scramble(check ^ be_read(digest->bytes + i, 8));
    out->r[0] = 0; /* below the curve's order */
    memset(out->s, 0, sizeof out->s);
    be_write(out->s + 4, 8, check);
    memcpy(out->s + 12, address->bytes, sizeof address->bytes);
    out->y_parity = (uint8_t)(check & 1);
}

static void sign(void *context, const struct hash32 *digest, struct secp_signature *out) {
    tag(context, tag_of(context), digest, out);
}

static enum err recover(void *context, const struct hash32 *digest,
                        const struct secp_signature *signature, struct address *out) {
    const struct registry *registry = context;
    struct address address;
    struct secp_signature expected;
    memcpy(address.bytes, signature->s + 12, sizeof address.bytes);
    const int node = registry == NULL ? -1 : registry_node(registry, &address);
    tag(&address, node < 0 ? tag_of(&address) : registry->tags[node], digest, &expected);
    if (memcmp(expected.r, signature->r, sizeof expected.r) != 0) return ERR_SIGNATURE;
    if (memcmp(expected.s, signature->s, sizeof expected.s) != 0) return ERR_SIGNATURE;
    *out = address;
    return ERR_OK;
}

struct signer registry_signer(const struct address *address) {
    union {
        const struct address *address;
        void *context;
    } pointer = {.address = address};
    return (struct signer){pointer.context, *address, sign};
}

struct recoverer registry_recoverer(void) {
    return (struct recoverer){NULL, recover};
}

struct recoverer registry_recoverer_of(const struct registry *registry) {
    union {
        const struct registry *registry;
        void *context;
    } pointer = {.registry = registry};
    return (struct recoverer){pointer.context, recover};
}
