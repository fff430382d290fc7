#include "consensus/test_support.h"

static uint8_t file_data[1 << 20];

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The contract's schedule for sets that do not change is the complete rule's. */
static void test_contract_vectors(void) {
    test_read_file("contracts/test/vectors/proposers.json", file_data, sizeof file_data);
    const char *at = (const char *)file_data;
    int cases = 0;
    while ((at = strstr(at, "\"validators\":[")) != NULL) {
        const char *powers_at = strstr(at, "\"powers\":["), *end = strstr(at, "}");
        const char *proposers_at = strstr(at, "\"proposers\":[");
        CHECK(powers_at != NULL);
        CHECK(proposers_at != NULL);
        struct validator_set set = {.count = 0};
        for (const char *item = strstr(at, "\"0x"); item < powers_at;
             item = strstr(item + 1, "\"0x")) {
            struct bytes text = {(const uint8_t *)item + 1, 42};
            CHECK(hex_to_address(text, &set.validators[set.count++].address) == ERR_OK);
        }
        const char *item = powers_at + strlen("\"powers\":[");
        for (uint32_t i = 0; i < set.count; i++) {
            const size_t digits = strcspn(item + 1, "\"");
            set.validators[i].power =
                (uint64_t)test_number((struct bytes){(const uint8_t *)item + 1, digits});
            item += digits + 3; /* both quotes and the comma */
        }
        int steps = 0;
        for (item = strstr(proposers_at, "\"0x"); item != NULL && item < end;
             item = strstr(item + 1, "\"0x")) {
            struct address expected;
            struct bytes text = {(const uint8_t *)item + 1, 42};
            CHECK(hex_to_address(text, &expected) == ERR_OK);
            const uint32_t proposer = rotation_advance(&set);
            CHECK(address_equal(&set.validators[proposer].address, &expected));
            steps++;
        }
        CHECK(steps > 0);
        cases++;
        at = end;
    }
    CHECK(cases >= 5);
}

/* CometBFT's own example of the proposer selection specification: powers 1 and 3. */
static void test_known_run(void) {
    const uint64_t powers[] = {1, 3};
    struct validator_set set = test_set(2, powers);
    static const uint32_t expected[] = {1, 0, 1, 1, 1, 0, 1, 1};
    static const int64_t first_priority[] = {1, -2, -1, 0, 1, -2, -1, 0};
    for (size_t i = 0; i < 8; i++) {
        CHECK(rotation_advance(&set) == expected[i]);
        CHECK(set.validators[0].priority == first_priority[i]);
        CHECK(set.validators[1].priority == -first_priority[i]);
    }
}

static void test_ties_go_to_the_lower_address(void) {
    struct validator_set set = test_set(3, NULL);
    for (uint32_t i = 0; i < 9; i++)
        CHECK(rotation_advance(&set) == i % 3);
}

/* Over (total power) steps each validator leads exactly (its power) times. */
static void test_proportional(void) {
    uint64_t random = 42;
    for (int run = 0; run < 60; run++) {
        uint64_t powers[20];
        const uint32_t count = 1 + (uint32_t)(next_random(&random) % 20);
        for (uint32_t i = 0; i < count; i++)
            powers[i] = 1 + next_random(&random) % 50;
        struct validator_set set = test_set(count, powers);
        const uint64_t total = validator_set_power(&set);
        uint64_t led[20] = {0};
        for (uint64_t step = 0; step < total; step++)
            led[rotation_advance(&set)]++;
        for (uint32_t i = 0; i < count; i++)
            CHECK(led[i] == powers[i]);
    }
}

static void check_bounded(const struct validator_set *set) {
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    __int128 sum = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const int64_t priority = set->validators[i].priority;
        if (priority < lowest) lowest = priority;
        if (priority > highest) highest = priority;
        sum += priority;
    }
    const int64_t window = (int64_t)(2 * validator_set_power(set));
    CHECK(highest - lowest <= window);
    CHECK(sum >= 0);
    CHECK(sum < set->count);
}

static void test_merge(void) {
    const uint64_t powers[] = {10, 20, 30};
    struct validator_set current = test_set(3, powers), next;
    rotation_advance(&current);
    struct validator_set listed = test_set(4, NULL);
    listed.validators[0].power = 10;
    listed.validators[1].power = 20;
    listed.validators[2].power = 30;
    listed.validators[3].power = 40;
    rotation_merge(&current, &listed, &next);
    /* priorities 10, 20, -30, entry -(100 + 12): spread within 200; average -28 */
    const int64_t expected[] = {38, 48, -2, -84};
    for (uint32_t i = 0; i < 4; i++)
        CHECK(next.validators[i].priority == expected[i]);
    CHECK(rotation_advance(&next) == 1);

    /* One leaves as one joins: the entry is measured by the power of before, 70 + 30. */
    struct validator_set swapped = listed;
    swapped.validators[2] = listed.validators[3];
    swapped.count = 3;
    rotation_merge(&current, &swapped, &next);
    /* priorities 10, 20, entry -112: spread within 140; average -28 */
    CHECK(next.validators[0].priority == 38);
    CHECK(next.validators[2].priority == -84);

    listed.count = 2; /* two leave */
    rotation_merge(&current, &listed, &next);
    CHECK(next.count == 2);
    CHECK(next.validators[0].priority == -5);
    CHECK(next.validators[1].priority == 5);

    /* Coming back costs: the newcomer's priority is below what it had. */
    listed.count = 3;
    struct validator_set back;
    rotation_merge(&next, &listed, &back);
    CHECK(back.validators[2].priority < back.validators[0].priority);
    check_bounded(&back);
}

static void test_merge_stays_bounded(void) {
    uint64_t random = 7;
    struct validator_set set = test_set(10, NULL);
    for (int step = 0; step < 3000; step++) {
        struct validator_set listed = {.count = 0}, next;
        for (uint32_t i = 0; i < 40; i++) {
            if (next_random(&random) % 3 == 0) continue;
            struct validator *validator = &listed.validators[listed.count++];
            validator->address = test_address(i);
            validator->power = 1 + next_random(&random) % (VALIDATOR_POWER_SUM_MAX / 40);
        }
        if (listed.count == 0) continue;
        rotation_advance(&set);
        rotation_merge(&set, &listed, &next);
        check_bounded(&next);
        set = next;
    }
}

/* Priorities that a peer made up neither overflow nor stall. */
static void test_extreme_priorities(void) {
    struct validator_set set = test_set(3, NULL);
    set.validators[0].priority = INT64_MAX;
    set.validators[1].priority = INT64_MIN;
    set.validators[2].priority = INT64_MIN;
    for (int i = 0; i < 10; i++)
        rotation_advance(&set);
    uint64_t led[3] = {0};
    for (int i = 0; i < 300; i++)
        led[rotation_advance(&set)]++;
    for (int i = 0; i < 3; i++)
        CHECK(led[i] == 100);
}

static void test_heights(void) {
    CHECK(rotation_of(99, 100) == 0);
    CHECK(rotation_of(100, 100) == 1);
    CHECK(rotation_first(1, 100) == 1);
    CHECK(rotation_first(99, 100) == 1);
    CHECK(rotation_first(100, 100) == 100);
    CHECK(rotation_first(250, 100) == 200);
}

static void test_sticky_proposer(void) {
    const struct validator_set set = test_set(4, NULL);
    const struct address third = test_address(2), gone = test_address(77);
    static const struct {
        bool is_first, has_left;
        uint32_t round, expected;
    } table[] = {
        {true, false, 0, 1},           {true, false, 1, 2},  {true, false, 3, 0},
        {false, false, 0, 2},          {false, false, 1, 3}, {false, false, 2, 0},
        {false, false, 6, 0},          {false, true, 0, 1},  {false, true, 5, 2},
        {false, false, UINT32_MAX, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK(rotation_proposer_index(&set, 1, table[i].has_left ? &gone : &third,
                                      table[i].is_first, table[i].round) == table[i].expected);
    }
}

int main(void) {
    test_contract_vectors();
    test_known_run();
    test_ties_go_to_the_lower_address();
    test_proportional();
    test_merge();
    test_merge_stays_bounded();
    test_extreme_priorities();
    test_heights();
    test_sticky_proposer();
    return 0;
}
