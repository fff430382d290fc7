#include "evm/word.h"

const int32_t WORD_LANES_UP[24] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
const int32_t WORD_MASK_UP[24] = {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1};
const int32_t WORD_LANES_DOWN[24] = {0, 1, 2, 3, 4, 5, 6, 7};
const int32_t WORD_MASK_DOWN[24] = {-1, -1, -1, -1, -1, -1, -1, -1};
