#include "chain/fork.h"

struct fork_label {
    const char *name;
    enum fork fork;
};

/* The first label of a fork is the one that fork_name gives. */
static const struct fork_label labels[] = {
    {"Frontier", FORK_FRONTIER},
    {"Homestead", FORK_HOMESTEAD},
    {"EIP150", FORK_TANGERINE},
    {"TangerineWhistle", FORK_TANGERINE},
    {"EIP158", FORK_SPURIOUS},
    {"SpuriousDragon", FORK_SPURIOUS},
    {"Byzantium", FORK_BYZANTIUM},
    {"Constantinople", FORK_CONSTANTINOPLE},
    {"ConstantinopleFix", FORK_PETERSBURG},
    {"Petersburg", FORK_PETERSBURG},
    {"Istanbul", FORK_ISTANBUL},
    {"Berlin", FORK_BERLIN},
    {"London", FORK_LONDON},
    {"Paris", FORK_PARIS},
    {"Merge", FORK_PARIS},
    {"Shanghai", FORK_SHANGHAI},
    {"Cancun", FORK_CANCUN},
    {"Prague", FORK_PRAGUE},
    {"Osaka", FORK_OSAKA},
    {"BPO1", FORK_BPO1},
    {"BPO2", FORK_BPO2},
    {"BPO3", FORK_BPO3},
    {"BPO4", FORK_BPO4},
    {"BPO5", FORK_BPO5},
};
#define LABELS_COUNT (sizeof labels / sizeof labels[0])

enum fork fork_at(const struct chain_config *config, uint64_t number, uint64_t timestamp) {
    for (unsigned i = FORK_COUNT; i-- > FORK_SHANGHAI;) {
        const uint64_t start = config->fork_time[i];
        if (start != FORK_NEVER && start <= timestamp) return (enum fork)i;
    }
    for (unsigned i = FORK_SHANGHAI; i-- > FORK_HOMESTEAD;) {
        const uint64_t start = config->fork_block[i];
        if (start != FORK_NEVER && start <= number) return (enum fork)i;
    }
    return FORK_FRONTIER;
}

struct blob_schedule fork_blob_schedule(const struct chain_config *config, enum fork fork) {
    for (unsigned i = (unsigned)fork + 1; i-- > FORK_CANCUN;) {
        if (config->blobs[i].base_fee_update_fraction != 0) return config->blobs[i];
    }
    return (struct blob_schedule){0, 0, 0};
}

const char *fork_name(enum fork fork) {
    for (size_t i = 0; i < LABELS_COUNT; i++) {
        if (labels[i].fork == fork) return labels[i].name;
    }
    return "unknown";
}

bool fork_from_name(struct bytes name, enum fork *out) {
    for (size_t i = 0; i < LABELS_COUNT; i++) {
        if (!bytes_equal(name, bytes_from_string(labels[i].name))) continue;
        *out = labels[i].fork;
        return true;
    }
    return false;
}

struct chain_config chain_config_for_fork(enum fork fork) {
    struct chain_config config = {.chain_id = 1,
                                  .dao_fork_block = FORK_NEVER,
                                  .muir_glacier_block = FORK_NEVER,
                                  .arrow_glacier_block = FORK_NEVER,
                                  .gray_glacier_block = FORK_NEVER};
    for (unsigned i = 0; i < FORK_COUNT; i++) {
        const bool by_block = i < FORK_SHANGHAI;
        config.fork_block[i] = by_block && i <= (unsigned)fork ? 0 : FORK_NEVER;
        config.fork_time[i] = !by_block && i <= (unsigned)fork ? 0 : FORK_NEVER;
    }
    config.has_terminal_difficulty = fork >= FORK_PARIS;
    config.blobs[FORK_CANCUN] = (struct blob_schedule){3, 6, 3338477};
    config.blobs[FORK_PRAGUE] = (struct blob_schedule){6, 9, 5007716};
    config.blobs[FORK_BPO1] = (struct blob_schedule){10, 15, 8346193};
    config.blobs[FORK_BPO2] = (struct blob_schedule){14, 21, 11684671};
    config.deposit_contract =
        (struct address){{0x00, 0x00, 0x00, 0x00, 0x21, 0x9a, 0xb5, 0x40, 0x35, 0x6c,
                          0xbb, 0x83, 0x9c, 0xbe, 0x05, 0x30, 0x3d, 0x77, 0x05, 0xfa}};
    return config;
}
