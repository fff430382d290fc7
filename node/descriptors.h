#pragma once
/* File descriptors of the process: who shares them.
 *
 * Clients must not take what peers, L1, the DA layer and the database need: a node without a
 * descriptor cannot connect to the other validators again.  Many systems start a process with 1,024
 * and let it have more. */
#include <stdint.h>

/* Kept back from clients: connections to peers and guests, coming and going, and everything else
 * that a node opens. */
#define DESCRIPTORS_KEPT 512
/* Asked of the system. */
#define DESCRIPTORS_WANTED 65536

/* descriptors_raise raises the process' limit as far as the system lets it, up to
 * DESCRIPTORS_WANTED, and returns it. */
uint64_t descriptors_raise(void);

/* descriptors_for_clients is how many connections of clients fit beside the rest: `wanted`, or what
 * is left of `limit`. */
uint32_t descriptors_for_clients(uint64_t limit, uint32_t wanted);
