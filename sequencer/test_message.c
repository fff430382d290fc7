/* Every kind of message there and back; what must be refused is. */
#include "sequencer/message.h"

#include <stdio.h>

#include "base/check.h"
#include "base/keccak.h"

static uint8_t memory[1u << 20];
static struct message in, out;

static struct message_context context_make(void) {
    const struct address contract = {{7}};
    return (struct message_context){signing_domain_make("AndeConsensus", 1, &contract),
                                    signing_domain_make("AndeSequencerCoordinator", 1, &contract),
                                    secp_recoverer()};
}

static struct secp_key key_of(uint8_t index) {
    return (struct secp_key){{1, 2, 3, index}};
}

static void vote_sign(const struct message_context *context, struct vote *vote, uint8_t signer) {
    const struct secp_key key = key_of(signer);
    const struct hash32 digest = vote_digest(&context->domain, vote);
    secp_sign(&key, &digest, &vote->signature);
    vote->voter = secp_key_address(&key);
}

static struct vote vote_of(const struct message_context *context, enum vote_kind kind,
                           uint8_t block, uint8_t signer) {
    struct vote vote = {
        .kind = kind, .height = 9, .round = 2, .valid_round = VALID_ROUND_NONE, .block = {{block}}};
    vote_sign(context, &vote, signer);
    return vote;
}

static struct bytes encode(void) {
    struct buffer buffer = buffer_over(memory, sizeof memory);
    message_encode(&in, &buffer);
    CHECK(!buffer.overflow);
    return buffer_bytes(&buffer);
}

/* round_trip encodes `in`, decodes it to `out`, and sees that every shorter piece is refused. */
static void round_trip(const struct message_context *context) {
    const struct bytes bytes = encode();
    for (size_t size = 0; size < bytes.size; size += 1 + bytes.size / 300) {
        CHECK(message_decode(context, bytes_slice(bytes, 0, size), &out) != VERDICT_ACCEPTED);
    }
    CHECK(message_decode(context, bytes, &out) == VERDICT_ACCEPTED);
    CHECK(out.kind == in.kind);
    static uint8_t again[1u << 20];
    struct buffer buffer = buffer_over(again, sizeof again);
    message_encode(&out, &buffer);
    CHECK(bytes_equal(buffer_bytes(&buffer), bytes));
}

static void begin(enum message_kind kind) {
    memset(&in, 0, sizeof in);
    in.kind = kind;
}

static void test_too_short(const struct message_context *context) {
    static const uint8_t status = MESSAGE_STATUS;
    CHECK(message_decode(context, BYTES_EMPTY, &out) == VERDICT_MALFORMED);
    CHECK(message_decode(context, (struct bytes){&status, 1}, &out) == VERDICT_MALFORMED);
}

static void test_votes(const struct message_context *context) {
    begin(MESSAGE_PROPOSAL);
    in.vote = vote_of(context, VOTE_PROPOSAL, 3, 1);
    in.package = BYTES_STRING("a package");
    round_trip(context);
    CHECK(address_equal(&out.vote.voter, &in.vote.voter));
    CHECK(bytes_equal(out.package, in.package));
    begin(MESSAGE_VOTE);
    in.vote = vote_of(context, VOTE_PRECOMMIT, 3, 1);
    round_trip(context);
    CHECK(address_equal(&out.vote.voter, &in.vote.voter));
    in.vote = vote_of(context, VOTE_PROPOSAL, 3, 1); /* a proposal is no vote */
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    begin(MESSAGE_EVIDENCE);
    in.vote = vote_of(context, VOTE_PREVOTE, 3, 1);
    in.conflicting = vote_of(context, VOTE_PREVOTE, 4, 1);
    round_trip(context);
    in.conflicting = vote_of(context, VOTE_PREVOTE, 4, 2); /* two voters are no evidence */
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    in.conflicting = in.vote;
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    for (int what = 0; what < 3; what++) { /* nor are votes of two kinds, heights or rounds */
        in.vote = vote_of(context, VOTE_PREVOTE, 3, 1);
        in.conflicting = vote_of(context, VOTE_PREVOTE, 4, 1);
        if (what == 0) in.conflicting.kind = VOTE_PRECOMMIT;
        if (what == 1) in.conflicting.height += 1;
        if (what == 2) in.conflicting.round += 1;
        vote_sign(context, &in.conflicting, 1);
        CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    }
}

static void test_handover(const struct message_context *context) {
    const struct secp_key key = key_of(5);
    const struct hash32 digest = handover_digest(&context->domain, 77);
    begin(MESSAGE_HANDOVER);
    in.height = 77;
    secp_sign(&key, &digest, &in.vote.signature);
    round_trip(context);
    const struct address signer = secp_key_address(&key);
    CHECK(out.vote.height == 77);
    CHECK(address_equal(&out.vote.voter, &signer));
    in.height = 78; /* another height is signed by nobody we know */
    if (message_decode(context, encode(), &out) == VERDICT_ACCEPTED) {
        CHECK(!address_equal(&out.vote.voter, &signer));
    }
}

static void test_blocks_and_items(const struct message_context *context) {
    begin(MESSAGE_STATUS);
    in.height = 12;
    in.hash = keccak256(BYTES_EMPTY);
    round_trip(context);
    CHECK(hash_equal(&out.hash, &in.hash));
    begin(MESSAGE_GET_BLOCKS);
    in.height = 5;
    in.count = MESSAGE_BLOCKS_MAX;
    round_trip(context);
    in.count += 1;
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    begin(MESSAGE_GET_PROPOSAL);
    in.height = 5;
    in.round = 3;
    round_trip(context);
    begin(MESSAGE_BLOCKS);
    in.count = 2;
    in.blocks[0].package = BYTES_STRING("one");
    in.blocks[0].commit = BYTES_STRING("its commit");
    in.blocks[1].package = BYTES_STRING("two");
    in.blocks[1].commit = BYTES_STRING("");
    round_trip(context);
    CHECK(out.count == 2);
    static const uint8_t three[] = {MESSAGE_BLOCKS, 0xc5, 0xc4, 0xc3, 1, 2, 3}; /* a pair of 3 */
    CHECK(message_decode(context, BYTES_OF(three), &out) == VERDICT_MALFORMED);
    static const uint8_t two[] = {MESSAGE_BLOCKS, 0xc4, 0xc3, 0xc2, 1, 2};
    CHECK(message_decode(context, BYTES_OF(two), &out) == VERDICT_ACCEPTED);
    begin(MESSAGE_ITEMS);
    in.count = MESSAGE_ITEMS_MAX;
    for (uint32_t i = 0; i < in.count; i++)
        in.items[i] = BYTES_STRING("\x00item");
    round_trip(context);
    CHECK(out.count == MESSAGE_ITEMS_MAX);
    in.items[3] = BYTES_STRING("x"); /* a kind without an item */
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    begin(MESSAGE_ITEMS_HELD);
    static struct hash32 hashes[MESSAGE_HELD_MAX + 1];
    in.count = MESSAGE_HELD_MAX;
    in.hashes = (struct bytes){hashes[0].bytes, MESSAGE_HELD_MAX * sizeof hashes[0]};
    round_trip(context);
    CHECK(out.count == MESSAGE_HELD_MAX);
    in.hashes.size += sizeof hashes[0];
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
}

/* pieces_begin begins a message with `count` pieces. */
static void pieces_begin(enum message_kind kind, uint32_t count, struct bytes piece) {
    begin(kind);
    in.request = 0x1234567890;
    in.count = count;
    for (uint32_t i = 0; i < count; i++)
        in.pieces[i] = piece;
}

static void test_snapshots(const struct message_context *context) {
    static const uint8_t zeros[65];
    const struct bytes name = {zeros, 32}, long_name = {zeros, 64};
    pieces_begin(MESSAGE_GET_RANGES, MESSAGE_NAMES_MAX, name);
    in.pieces[1] = long_name;
    in.height = 77;
    round_trip(context);
    CHECK(out.count == MESSAGE_NAMES_MAX && out.height == 77 && out.request == in.request);
    in.pieces[1] = (struct bytes){zeros, 65};
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    pieces_begin(MESSAGE_GET_CODES, 2, name);
    round_trip(context);
    in.pieces[1] = long_name;
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    pieces_begin(MESSAGE_GET_CODES, 0, name);
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    for (enum message_kind kind = MESSAGE_LIGHT; kind <= MESSAGE_HEADERS; kind += 2) {
        pieces_begin(kind, 3, BYTES_STRING("a piece"));
        round_trip(context);
        CHECK(out.count == 3 && bytes_equal(out.pieces[2], in.pieces[2]));
        pieces_begin(kind, 0, name); /* refused */
        CHECK(message_decode(context, encode(), &out) == VERDICT_ACCEPTED);
    }
    pieces_begin(MESSAGE_RANGES, MESSAGE_NAMES_MAX + 1, name);
    CHECK(message_decode(context, encode(), &out) == VERDICT_OVERSIZED);
    begin(MESSAGE_GET_LIGHT);
    in.count = MESSAGE_LIGHT_MAX;
    for (uint32_t i = 0; i < in.count; i++)
        in.heights[i] = 1000 * i;
    round_trip(context);
    CHECK(out.count == MESSAGE_LIGHT_MAX && out.heights[31] == 31000);
    begin(MESSAGE_GET_HEADERS);
    in.height = 12;
    in.count = MESSAGE_PIECES_MAX;
    round_trip(context);
    in.count += 1;
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    begin(MESSAGE_GET_CHAIN);
    in.height = 4096;
    round_trip(context);
    pieces_begin(MESSAGE_CHAIN, 1, BYTES_STRING("{}"));
    in.total_bytes = 2;
    in.peers = BYTES_STRING("peers");
    round_trip(context);
    CHECK(bytes_equal(out.peers, in.peers) && out.total_bytes == 2);
    CHECK(message_is_snapshot_request(MESSAGE_GET_CHAIN));
    CHECK(!message_is_snapshot_request(MESSAGE_GET_BLOCKS));
    CHECK(message_is_snapshot_answer(MESSAGE_CHAIN));
    CHECK(!message_is_snapshot_answer(MESSAGE_BLOCKS));
}

static void test_batches(const struct message_context *context) {
    begin(MESSAGE_BATCH_RECEIPT);
    in.batch.first = 10;
    in.batch.last = 19;
    in.batch.da_height = 4;
    in.batch.da_commitment = keccak256(BYTES_STRING("blob"));
    round_trip(context);
    in.batch.last = 9;
    CHECK(message_decode(context, encode(), &out) == VERDICT_MALFORMED);
    in.batch.last = 19;
    in.kind = MESSAGE_BATCH_SIGN;
    in.batch.state_root = keccak256(BYTES_STRING("state"));
    const struct secp_key key = key_of(8);
    const struct hash32 digest = batch_digest(&context->batch_domain.separator, &in.batch);
    secp_sign(&key, &digest, &in.batch_signature.signature);
    round_trip(context);
    const struct address signer = secp_key_address(&key);
    CHECK(address_equal(&out.batch_signature.signer, &signer));
}

static void test_nonsense(const struct message_context *context) {
    static const uint8_t nonsense[][4] = {
        {0, 0xc0, 0, 0}, {99, 0xc0, 0, 0}, {1, 0xc0, 0, 0}, {3, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        CHECK(message_decode(context, BYTES_OF(nonsense[i]), &out) == VERDICT_MALFORMED);
        CHECK(message_decode(context, (struct bytes){nonsense[i], 2}, &out) == VERDICT_MALFORMED);
    }
    begin(MESSAGE_VOTE);
    in.vote = vote_of(context, VOTE_PREVOTE, 1, 1);
    memset(in.vote.signature.r, 0xff, 32); /* beyond the curve's order: nobody's */
    const enum verdict verdict = message_decode(context, encode(), &out);
    CHECK(verdict == VERDICT_SIGNATURE || verdict == VERDICT_MALFORMED);
}

int main(void) {
    const struct message_context context = context_make();
    test_too_short(&context);
    test_votes(&context);
    test_handover(&context);
    test_blocks_and_items(&context);
    test_batches(&context);
    test_snapshots(&context);
    test_nonsense(&context);
    printf("ok\n");
    return 0;
}
