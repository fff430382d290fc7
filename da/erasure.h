#pragma once
/* Reed-Solomon extension of a square of shares, the code that Celestia uses (Lin, Chung, Han, FOCS
 * 2014, over GF(2^8) with polynomial 0x11d in the Cantor basis 1, 214, 152, 146, 86, 200, 88, 230).
 *
 * The k shares of a row are the values of a polynomial of degree below k at the points k..2k-1; its
 * values at 0..k-1 are the parity shares.  Here that is a matrix product, which needs no more than
 * the square's size allows: k is a power of two and at most DA_SQUARE_WIDTH_MAX.  Pure. */
#include <stddef.h>
#include <stdint.h>

#define DA_SQUARE_WIDTH_MAX 128

struct da_erasure {
    uint8_t product[256][256]; /* in Cantor coordinates */
    uint8_t inverse[256];
};

/* da_erasure_init fills the tables. */
void da_erasure_init(struct da_erasure *erasure);

/* da_erasure_extend fills the other three quarters of a square of 2 * width by 2 * width shares,
 * row after row, whose upper left quarter holds the data. */
void da_erasure_extend(const struct da_erasure *erasure, uint8_t *square, size_t width);
