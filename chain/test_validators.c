/* Validator sets: the round trip, and every set that must not be. */
#include "chain/validators.h"

#include "base/check.h"

static struct validator_set example(uint32_t count) {
    struct validator_set set = {.count = count};
    for (uint32_t i = 0; i < count; i++) {
        set.validators[i].address.bytes[0] = (uint8_t)(i + 1);
        set.validators[i].peer_id.bytes[31] = (uint8_t)i;
        set.validators[i].power = 10 + i;
        set.validators[i].priority = i % 2 == 0 ? -(int64_t)i : (int64_t)i;
    }
    return set;
}

static enum err round_trip(const struct validator_set *set, struct validator_set *out) {
    uint8_t memory[VALIDATOR_SET_BYTES_MAX];
    struct buffer buffer = buffer_over(memory, sizeof memory);
    validator_set_encode(set, &buffer);
    CHECK(!buffer.overflow);
    return validator_set_decode(buffer_bytes(&buffer), out);
}

static void test_round_trip(void) {
    for (uint32_t count = 1; count <= VALIDATORS_MAX; count = count * 2 + 1) {
        const struct validator_set set = example(count);
        struct validator_set read;
        CHECK(round_trip(&set, &read) == ERR_OK);
        CHECK(read.count == count);
        CHECK(read.validators[count - 1].priority == set.validators[count - 1].priority);
        const struct hash32 first = validator_set_hash(&set), second = validator_set_hash(&read);
        CHECK(hash_equal(&first, &second));
        CHECK(validator_set_power(&read) == validator_set_power(&set));
        CHECK(validator_set_find(&set, &set.validators[count / 2].address) == (int)(count / 2));
    }
    const struct validator_set full = example(VALIDATORS_MAX);
    struct validator_set read;
    CHECK(round_trip(&full, &read) == ERR_OK);
    const struct address nobody = {{0xff, 0xff}};
    CHECK(validator_set_find(&full, &nobody) == -1);
}

static void test_refusals(void) {
    struct validator_set read;
    struct validator_set set = example(0);
    CHECK(round_trip(&set, &read) == ERR_ENCODING);
    set = example(3);
    set.validators[1].address = set.validators[2].address; /* twice the same */
    CHECK(round_trip(&set, &read) == ERR_ENCODING);
    set = example(3);
    set.validators[0].address.bytes[0] = 9; /* out of order */
    CHECK(round_trip(&set, &read) == ERR_ENCODING);
    set = example(3);
    set.validators[1].power = 0;
    CHECK(round_trip(&set, &read) == ERR_ENCODING);
    set = example(2);
    set.validators[0].power = VALIDATOR_POWER_SUM_MAX - 5;
    set.validators[1].power = 5;
    CHECK(round_trip(&set, &read) == ERR_OK);
    set.validators[1].power = 6;
    CHECK(round_trip(&set, &read) == ERR_ENCODING);
    CHECK(validator_set_decode(BYTES_STRING("\x80"), &read) == ERR_ENCODING);
    CHECK(validator_set_decode(BYTES_EMPTY, &read) == ERR_TRUNCATED);
}

int main(void) {
    test_round_trip();
    test_refusals();
    return 0;
}
