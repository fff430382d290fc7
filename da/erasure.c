#include "da/erasure.h"

#include <immintrin.h>
#include <string.h>

#include "base/check.h"
#include "da/shares.h"

#define POLYNOMIAL 0x11du

static const uint8_t CANTOR_BASIS[8] = {1, 214, 152, 146, 86, 200, 88, 230};

static uint8_t multiply(uint8_t a, uint8_t b) {
    unsigned product = 0;
    unsigned shifted = a;
    for (unsigned bits = b; bits != 0; bits >>= 1) {
        if ((bits & 1) != 0) product ^= shifted;
        shifted <<= 1;
        if ((shifted & 0x100) != 0) shifted ^= POLYNOMIAL;
    }
    return (uint8_t)product;
}

void da_erasure_init(struct da_erasure *erasure) {
    uint8_t element[256]; /* of a coordinate vector */
    uint8_t coordinates[256];
    for (unsigned i = 0; i < 256; i++) {
        uint8_t value = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            if ((i >> bit & 1) != 0) value ^= CANTOR_BASIS[bit];
        }
        element[i] = value;
        coordinates[value] = (uint8_t)i;
    }
    memset(erasure->inverse, 0, sizeof erasure->inverse);
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const uint8_t product = coordinates[multiply(element[a], element[b])];
            erasure->product[a][b] = product;
            if (product == 1) erasure->inverse[a] = (uint8_t)b;
        }
    }
}

/* make_matrix: matrix[i][j] is Lagrange's polynomial of the point k + j at the point i. */
static void make_matrix(const struct da_erasure *erasure, size_t width,
                        uint8_t matrix[DA_SQUARE_WIDTH_MAX][DA_SQUARE_WIDTH_MAX]) {
    for (size_t i = 0; i < width; i++) {
        for (size_t j = 0; j < width; j++) {
            uint8_t value = 1;
            for (size_t other = 0; other < width; other++) {
                if (other == j) continue;
                const uint8_t above = (uint8_t)(i ^ (width + other));
                const uint8_t below = (uint8_t)(j ^ other);
                const uint8_t factor = erasure->product[above][erasure->inverse[below]];
                value = erasure->product[value][factor];
            }
            matrix[i][j] = value;
        }
    }
}

/* add_product adds factor * in to out, one share; nibble by nibble with byte shuffles. */
static void add_product(const struct da_erasure *erasure, uint8_t factor, const uint8_t *in,
                        uint8_t *out) {
    uint8_t low[16];
    uint8_t high[16];
    for (unsigned i = 0; i < 16; i++) {
        low[i] = erasure->product[factor][i];
        high[i] = erasure->product[factor][i << 4];
    }
    const __m256i low_table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
    const __m256i high_table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)high));
    const __m256i mask = _mm256_set1_epi8(0x0f);
    for (size_t i = 0; i < DA_SHARE_BYTES; i += 32) {
        const __m256i data = _mm256_loadu_si256((const __m256i *)(const void *)(in + i));
        const __m256i sum = _mm256_loadu_si256((const __m256i *)(const void *)(out + i));
        const __m256i from_low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(data, mask));
        const __m256i from_high =
            _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi64(data, 4), mask));
        const __m256i product = _mm256_xor_si256(from_low, from_high);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_xor_si256(sum, product));
    }
}

void da_erasure_extend(const struct da_erasure *erasure, uint8_t *square, size_t width) {
    CHECK(width > 0 && width <= DA_SQUARE_WIDTH_MAX && (width & (width - 1)) == 0);
    uint8_t matrix[DA_SQUARE_WIDTH_MAX][DA_SQUARE_WIDTH_MAX];
    make_matrix(erasure, width, matrix);
    const size_t row_bytes = 2 * width * DA_SHARE_BYTES;
    for (size_t row = 0; row < width; row++) { /* columns down first: below the data */
        uint8_t *parity = square + (width + row) * row_bytes;
        memset(parity, 0, width * DA_SHARE_BYTES);
        for (size_t from = 0; from < width; from++) {
            for (size_t column = 0; column < width; column++) {
                add_product(erasure, matrix[row][from],
                            square + from * row_bytes + column * DA_SHARE_BYTES,
                            parity + column * DA_SHARE_BYTES);
            }
        }
    }
    for (size_t row = 0; row < 2 * width; row++) { /* then all rows to the right */
        uint8_t *data = square + row * row_bytes;
        uint8_t *parity = data + width * DA_SHARE_BYTES;
        memset(parity, 0, width * DA_SHARE_BYTES);
        for (size_t column = 0; column < width; column++) {
            for (size_t from = 0; from < width; from++) {
                add_product(erasure, matrix[column][from], data + from * DA_SHARE_BYTES,
                            parity + column * DA_SHARE_BYTES);
            }
        }
    }
}
