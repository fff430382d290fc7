#include "simulator/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simulator/sequencer_node.h"

#define DETAIL_BYTES 96

static void height_and_block(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "height %" PRIu64 ", block %016" PRIx64, a, b);
}

/* `a`: the height, above 16 bits of round; `b`: the block hash's first bytes. */
static void vote(uint64_t a, uint64_t b, char *out) {
    const int used =
        snprintf(out, DETAIL_BYTES, "height %" PRIu64 " round %" PRIu64 ", ", a >> 16, a & 0xffff);
    if (b == 0) {
        snprintf(out + used, DETAIL_BYTES - (size_t)used, "nil");
    } else {
        snprintf(out + used, DETAIL_BYTES - (size_t)used, "block %016" PRIx64, b);
    }
}

static void round_begins(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "%" PRIu64 " of height %" PRIu64, b, a);
}

static void restarts(uint64_t a, uint64_t b, char *out) {
    (void)b;
    if (a != 0) snprintf(out, DETAIL_BYTES, "again, after %" PRIu64 " stops", a);
}

static void transaction(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "transaction %" PRIu64 " of account %" PRIu64, b, a);
}

static void batch(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "blocks %" PRIu64 " to %" PRIu64, a, b);
}

static void post(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES,
             "the batch from block %" PRIu64 ", looked for from DA height %" PRIu64, a, b);
}

static void reorganised(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "the settlement up to block %" PRIu64 "%s", a,
             b != 0 ? ", and its transaction is lost" : "");
}

static void request(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "request %" PRIu64 " at L1 block %" PRIu64, a, b);
}

static void request_included(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES, "request %" PRIu64 " in block %" PRIu64, a, b);
}

static void healed(uint64_t a, uint64_t b, char *out) {
    snprintf(out, DETAIL_BYTES,
             "faults stop after step %" PRIu64 "; height %" PRIu64 " must be reached", a, b);
}

/* `a`: the event; `b`: its value. */
static void event(uint64_t a, uint64_t b, char *out) {
    const char *text = "";
    switch ((enum sequencer_event)a) {
    case EVENT_ROUND_TIMEOUT: text = "this round failed:"; break;
    case EVENT_ROTATION: text = "a rotation begins:"; break;
    case EVENT_SYNC_BEGIN: text = "sync begins, towards height"; break;
    case EVENT_SYNC_END: text = "sync ends at height"; break;
    case EVENT_BAD_PEER: snprintf(out, DETAIL_BYTES, "a peer is not correct"); return;
    case EVENT_BLOCK_INVALID: text = "a block is refused at height"; break;
    case EVENT_RECORD_STALE: text = "the signing record is old: silent up to height"; break;
    case EVENT_ORIGIN_STALE: text = "the rotation keeps its L1 origin, block"; break;
    case EVENT_HALTED: text = "storage or execution failed: no votes beyond height"; break;
    }
    snprintf(out, DETAIL_BYTES, "%s %" PRIu64, text, b);
}

enum place { NODE, CHAIN, L1_BLOCK, L1, DA };

static const struct {
    const char *what;
    enum place place; /* what the number of the node says */
    void (*detail)(uint64_t a, uint64_t b, char *out);
} KNOWN[] = {
    {"proposal", NODE, vote},
    {"prevote", NODE, vote},
    {"precommit", NODE, vote},
    {"executed", NODE, height_and_block},
    {"refused", NODE, height_and_block},
    {"commit", NODE, height_and_block},
    {"round", NODE, round_begins},
    {"start", NODE, restarts},
    {"event", NODE, event},
    {"send", NODE, transaction},
    {"acknowledged", NODE, transaction},
    {"included", CHAIN, transaction},
    {"healed", CHAIN, healed},
    {"post", NODE, post},
    {"published", DA, batch},
    {"forced", L1, request},
    {"forced in", CHAIN, request_included},
    {"L1 send", NODE, batch},
    {"L1 settles", L1_BLOCK, batch},
    {"L1 reverts", L1_BLOCK, batch},
    {"L1 reorganised", L1, reorganised},
};

static bool is_fault(const char *what) {
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        if (strcmp(what, fault_name((enum fault_kind)i)) == 0) return true;
    }
    return false;
}

/* other explains what is not in the table: faults, answers to clients, reasons. */
static void other(const char *what, uint64_t a, uint64_t b, char *out) {
    if (strcmp(what, fault_name(FAULT_OLD_DIRECTORY)) == 0 ||
        strcmp(what, fault_name(FAULT_FAR_BEHIND)) == 0) {
        snprintf(out, DETAIL_BYTES, "its disk ends at height %" PRIu64, a);
    } else if (is_fault(what) && b != 0) {
        snprintf(out, DETAIL_BYTES, "fault %" PRIu64 ", for %" PRIu64 " ms", a, b);
    } else if (strcmp(what, "crash") == 0) {
        snprintf(out, DETAIL_BYTES, "down for %" PRIu64 " ms", a);
    } else if (strncmp(what, "invalid_block", strlen("invalid_block")) == 0) {
        snprintf(out, DETAIL_BYTES, "proposed at height %" PRIu64, a);
    } else if (a != 0 || b != 0) {
        snprintf(out, DETAIL_BYTES, "%" PRIu64, a);
    }
}

void trace_line(uint64_t now_ms, const char *what, uint64_t node, uint64_t a, uint64_t b) {
    char place[24], detail[DETAIL_BYTES] = "";
    enum place kind = NODE;
    size_t at = 0;
    while (at < sizeof KNOWN / sizeof KNOWN[0] && strcmp(KNOWN[at].what, what) != 0)
        at++;
    if (at < sizeof KNOWN / sizeof KNOWN[0]) {
        kind = KNOWN[at].place;
        KNOWN[at].detail(a, b, detail);
    } else {
        other(what, a, b, detail);
    }
    switch (kind) {
    case CHAIN: snprintf(place, sizeof place, "chain"); break;
    case L1: snprintf(place, sizeof place, "L1"); break;
    case DA: snprintf(place, sizeof place, "DA"); break;
    case L1_BLOCK: snprintf(place, sizeof place, "L1 %" PRIu64, node); break;
    default: snprintf(place, sizeof place, "node %" PRIu64, node); break;
    }
    const char *gap = detail[0] == '\0' ? "" : "  ";
    printf("%8" PRIu64 " ms  %-8s  %-*s%s%s\n", now_ms, place, detail[0] == '\0' ? 0 : 17, what,
           gap, detail);
}
