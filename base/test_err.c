#include "base/err.h"

#include <string.h>

static enum err fail_with(enum err err, int *steps) {
    *steps += 1;
    TRY(err);
    *steps += 10;
    return ERR_OK;
}

int main(void) {
    CHECK(strcmp(err_name(ERR_TRUNCATED), "TRUNCATED") == 0);
    CHECK(strcmp(err_text(ERR_TRUNCATED), "input ends too early") == 0);
    CHECK(ERR_OK == 0);

    for (int i = 0; i < ERR_COUNT; i++) {
        CHECK(err_name((enum err)i)[0] != '\0');
        CHECK(err_text((enum err)i)[0] != '\0');
        for (int j = 0; j < i; j++) {
            CHECK(strcmp(err_name((enum err)i), err_name((enum err)j)) != 0);
            CHECK(strcmp(err_text((enum err)i), err_text((enum err)j)) != 0);
        }
    }

    int steps = 0;
    CHECK(fail_with(ERR_LIMIT, &steps) == ERR_LIMIT);
    CHECK(steps == 1);
    CHECK(fail_with(ERR_OK, &steps) == ERR_OK);
    CHECK(steps == 12);
    return 0;
}
