#include "base/verdict.h"

#include <assert.h>

#include "base/check.h"

/* Metric labels are the names in lower case.  They are folded at compile time, letter by letter, so
 * that the table in verdict.h stays the only list: no second spelling, nothing writable. */
#define NAME_BYTES_MAX 32
#define LETTER(s, i)   (s)[(i) < sizeof(s) ? (i) : sizeof(s) - 1]
#define FOLD(s, i)                                                                                 \
    (char)(LETTER(s, i) >= 'A' && LETTER(s, i) <= 'Z' ? LETTER(s, i) - 'A' + 'a' : LETTER(s, i))
#define FOLD_4(s, i)  FOLD(s, i), FOLD(s, (i) + 1), FOLD(s, (i) + 2), FOLD(s, (i) + 3)
#define FOLD_16(s, i) FOLD_4(s, i), FOLD_4(s, (i) + 4), FOLD_4(s, (i) + 8), FOLD_4(s, (i) + 12)

static const char names[][NAME_BYTES_MAX] = {
#define X(name, text) {FOLD_16(#name, 0), FOLD_16(#name, 16)},
    VERDICT_LIST(X)
#undef X
};

#define X(name, text) static_assert(sizeof #name <= NAME_BYTES_MAX, "raise NAME_BYTES_MAX");
VERDICT_LIST(X)
#undef X

static const char *const texts[] = {
#define X(name, text) text,
    VERDICT_LIST(X)
#undef X
};

const char *verdict_name(enum verdict verdict) {
    CHECK((unsigned)verdict < VERDICT_COUNT);
    return names[verdict];
}

const char *verdict_text(enum verdict verdict) {
    CHECK((unsigned)verdict < VERDICT_COUNT);
    return texts[verdict];
}
