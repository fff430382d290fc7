#include "base/verdict.h"

#include <ctype.h>
#include <string.h>

#include "base/check.h"

/* The names as the table writes them, to hold the compile-time folding against the C library's. */
static const char *const upper_names[] = {
#define X(name, text) #name,
    VERDICT_LIST(X)
#undef X
};

int main(void) {
    CHECK(strcmp(verdict_name(VERDICT_NONCE_TOO_LOW), "nonce_too_low") == 0);
    CHECK(strcmp(verdict_text(VERDICT_NONCE_TOO_LOW), "nonce too low") == 0);
    CHECK(strcmp(verdict_name(VERDICT_REPLACEMENT_UNDERPRICED), "replacement_underpriced") == 0);
    CHECK(VERDICT_ACCEPTED == 0);

    for (int i = 0; i < VERDICT_COUNT; i++) {
        const char *name = verdict_name((enum verdict)i);
        CHECK(strlen(name) == strlen(upper_names[i]));
        for (size_t k = 0; name[k] != '\0'; k++) {
            CHECK(name[k] == tolower((unsigned char)upper_names[i][k]));
        }
        CHECK(verdict_text((enum verdict)i)[0] != '\0');
        for (int j = 0; j < i; j++)
            CHECK(strcmp(name, verdict_name((enum verdict)j)) != 0);
    }
    return 0;
}
