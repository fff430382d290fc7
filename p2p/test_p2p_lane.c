/* Lanes: order, bounds, what is dropped, and a long random run against a plain model. */
#include <stdio.h>
#include <stdlib.h>

#include "p2p/lane.h"

#define MODEL_MAX 512

static void fill_message(uint8_t *message, size_t size, uint32_t number) {
    for (size_t i = 0; i < size; i++)
        message[i] = (uint8_t)(number * 31 + i);
}

static void test_order_and_wrap(void) {
    struct p2p_lane_ring lane;
    CHECK(p2p_lane_create(&lane, 100) == ERR_OK);
    uint8_t message[40];
    uint8_t out[40];
    for (uint32_t number = 0; number < 50; number++) {
        fill_message(message, 33, number);
        CHECK(p2p_lane_push(&lane, (struct bytes){message, 33}) == 0);
        CHECK(p2p_lane_pop(&lane, out, sizeof out) == 33);
        CHECK(memcmp(message, out, 33) == 0);
    }
    CHECK(p2p_lane_pop(&lane, out, sizeof out) == 0);
    p2p_lane_destroy(&lane);
}

static void test_drops_the_oldest(void) {
    struct p2p_lane_ring lane;
    CHECK(p2p_lane_create(&lane, 100) == ERR_OK);
    uint8_t message[100] = {0};
    uint8_t out[100];
    for (uint8_t number = 0; number < 5; number++) { /* 20 bytes each with their sizes */
        message[0] = number;
        CHECK(p2p_lane_push(&lane, (struct bytes){message, 16}) == 0);
    }
    message[0] = 5;
    CHECK(p2p_lane_push(&lane, (struct bytes){message, 30}) == 2);
    message[0] = 6;
    CHECK(p2p_lane_push(&lane, (struct bytes){message, 97}) == 1); /* never fits: only itself */
    CHECK(lane.count == 4);
    CHECK(p2p_lane_pop(&lane, out, sizeof out) == 16 && out[0] == 2);
    message[0] = 7;
    CHECK(p2p_lane_push(&lane, (struct bytes){message, 96}) == 3);
    CHECK(p2p_lane_pop(&lane, out, sizeof out) == 96 && out[0] == 7);
    CHECK(lane.count == 0 && lane.used == 0);
    p2p_lane_destroy(&lane);
}

/* The model: a list of (number, size) with the same byte limit. */
static void test_against_model(void) {
    struct p2p_lane_ring lane;
    const size_t capacity = 300000;
    CHECK(p2p_lane_create(&lane, capacity) == ERR_OK);
    static uint8_t message[100000];
    static uint8_t out[100000];
    struct {
        uint32_t number;
        size_t size;
    } model[MODEL_MAX];
    size_t model_count = 0;
    size_t model_bytes = 0;
    unsigned seed = 7;
    for (uint32_t number = 1; number < 20000; number++) {
        if (rand_r(&seed) % 5 < 3) {
            const size_t size = 600 + (size_t)rand_r(&seed) % (number % 7 == 0 ? 99000 : 2000);
            fill_message(message, size, number);
            uint32_t dropped = 0;
            while (model_bytes + 4 + size > capacity) {
                model_bytes -= 4 + model[0].size;
                memmove(model, model + 1, --model_count * sizeof *model);
                dropped += 1;
            }
            model[model_count].number = number;
            model[model_count++].size = size;
            model_bytes += 4 + size;
            CHECK(p2p_lane_push(&lane, (struct bytes){message, size}) == dropped);
        } else if (model_count > 0) {
            fill_message(message, model[0].size, model[0].number);
            CHECK(p2p_lane_pop(&lane, out, sizeof out) == model[0].size);
            CHECK(memcmp(message, out, model[0].size) == 0);
            model_bytes -= 4 + model[0].size;
            memmove(model, model + 1, --model_count * sizeof *model);
        }
        CHECK(lane.count == model_count && lane.used == model_bytes);
    }
    p2p_lane_destroy(&lane);
}

int main(void) {
    test_order_and_wrap();
    test_drops_the_oldest();
    test_against_model();
    (void)puts("p2p lane: ok");
    return 0;
}
