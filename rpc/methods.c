/* The table of methods, and how one is found: a perfect spread is not needed, a sorted table is. */
#include "rpc/methods.h"

#include <stdlib.h>
#include <string.h>

static const struct method TABLE[] = {
#define X(name, function, min, max, heavy) {name, function, min, max, heavy},
    METHODS(X)
#undef X
};
#define TABLE_COUNT (sizeof TABLE / sizeof TABLE[0])
/* Open addressing by a multiplicative hash of the name; filled by the constructor of the process.
 */
#define SLOTS 256

static unsigned char slots[SLOTS]; /* index + 1; 0: empty */

static unsigned slot_of(const char *name, size_t size) {
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return (hash ^ hash >> 15) % SLOTS;
}

__attribute__((constructor)) static void fill_slots(void) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        unsigned slot = slot_of(TABLE[i].name, strlen(TABLE[i].name));
        while (slots[slot] != 0)
            slot = (slot + 1) % SLOTS;
        slots[slot] = (unsigned char)(i + 1);
    }
}

const struct method *rpc_method_find(const char *name, size_t name_bytes) {
    for (unsigned slot = slot_of(name, name_bytes); slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        const struct method *method = &TABLE[slots[slot] - 1];
        if (strncmp(method->name, name, name_bytes) == 0 && method->name[name_bytes] == '\0') {
            return method;
        }
    }
    return NULL;
}

size_t rpc_methods_count(void) {
    return TABLE_COUNT;
}
const struct method *rpc_method_at(size_t index) {
    return &TABLE[index];
}
size_t rpc_method_index(const struct method *method) {
    return (size_t)(method - TABLE);
}
