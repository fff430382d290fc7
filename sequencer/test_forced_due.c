/* Which forced items are due: those that are known to have been pending at the L1 origin that all
 * validators go by. */
#include "sequencer/sequencer_internal.h"
#include "sequencer/test_cluster.h"

static struct sequencer *sequencer;
static uint8_t encoded[3];

static void tell(uint64_t number, bool is_listed) {
    static struct l1_facts facts;
    facts = (struct l1_facts){.number = number, .forced_id_max = UINT64_MAX};
    facts.forced_count = is_listed ? 1 : 0;
    facts.forced[0].id = 1;
    facts.forced[0].l1_number = 105;
    facts.forced[0].item.encoded = BYTES_OF(encoded);
    forced_on_l1(sequencer, &facts);
}

static size_t due_at(uint64_t origin) {
    const struct item *items;
    sequencer->forced.origin_height = sequencer->head_height + 1;
    sequencer->forced.origin = origin;
    sequencer->forced.is_empty = false;
    return forced_due(sequencer, &items);
}

/* Who does not know votes as if nothing were due: a rollup stands still for nobody's view. */
static void test_due_while_pending(void) {
    const struct cluster_options options = {
        .nodes = 1, .validators = 1, .blocks_per_rotation = 1000, .block_time_ms = 100};
    struct cluster *cluster = cluster_create(&options);
    sequencer = cluster->nodes[0].sequencer;
    sequencer->forced.blocks = 2;
    cluster_run(cluster, 1000);
    CHECK(sequencer->head_height > 2);
    CHECK(due_at(110) == 0); /* nothing was told */
    tell(104, true);
    CHECK(due_at(110) == 0); /* younger than the view that lists it: nonsense */
    tell(110, true);
    CHECK(due_at(0) == 0); /* no origin yet */
    CHECK(due_at(104) == 0);
    CHECK(due_at(105) == 1);
    CHECK(due_at(110) == 1);
    CHECK(due_at(111) == 0); /* it may be gone there */
    tell(130, false);
    CHECK(due_at(110) == 1);
    CHECK(due_at(111) == 0);
    tell(120, true);
    CHECK(due_at(120) == 1);
    CHECK(due_at(121) == 0);
    for (size_t i = 0; i < FORCED_MAX; i++)
        sequencer->forced.entries[i].is_spent = true;
    CHECK(due_at(110) == 0);
    cluster_destroy(cluster);
}

int main(void) {
    test_due_while_pending();
    printf("ok\n");
    return 0;
}
