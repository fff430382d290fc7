#include "node/recover_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct hash32 digest;
    struct secp_signature signature;
    struct address signer;
    bool is_used;
};

struct recover_cache {
    pthread_mutex_t lock; /* guards entries */
    struct recoverer inner;
    struct entry entries[RECOVER_CACHE_ENTRIES];
};

enum err recover_cache_create(struct recover_cache **out) {
    struct recover_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return ERR_MEMORY;
    pthread_mutex_init(&cache->lock, NULL);
    *out = cache;
    return ERR_OK;
}

void recover_cache_destroy(struct recover_cache *cache) {
    if (cache == NULL) return;
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static size_t place_of(const struct hash32 *digest, const struct secp_signature *signature) {
    return (size_t)((be_read(digest->bytes, 8) ^ be_read(signature->r, 8)) % RECOVER_CACHE_ENTRIES);
}

static bool is_same(const struct entry *entry, const struct hash32 *digest,
                    const struct secp_signature *signature) {
    return entry->is_used && hash_equal(&entry->digest, digest) &&
           memcmp(entry->signature.r, signature->r, sizeof signature->r) == 0 &&
           memcmp(entry->signature.s, signature->s, sizeof signature->s) == 0 &&
           entry->signature.y_parity == signature->y_parity;
}

static enum err recover(void *context, const struct hash32 *digest,
                        const struct secp_signature *signature, struct address *out) {
    struct recover_cache *cache = context;
    struct entry *entry = &cache->entries[place_of(digest, signature)];
    pthread_mutex_lock(&cache->lock);
    const bool is_known = is_same(entry, digest, signature);
    if (is_known) *out = entry->signer;
    pthread_mutex_unlock(&cache->lock);
    if (is_known) return ERR_OK;
    struct address signer;
    TRY(cache->inner.recover(cache->inner.context, digest, signature, &signer));
    pthread_mutex_lock(&cache->lock);
    *entry = (struct entry){*digest, *signature, signer, true};
    pthread_mutex_unlock(&cache->lock);
    *out = signer;
    return ERR_OK;
}

struct recoverer recover_cache_recoverer(struct recover_cache *cache, struct recoverer inner) {
    cache->inner = inner;
    return (struct recoverer){cache, recover};
}
