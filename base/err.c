#include "base/err.h"

static const char *const names[] = {
#define X(name, text) #name,
    ERR_LIST(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    ERR_LIST(X)
#undef X
};

const char *err_name(enum err err) {
    CHECK((unsigned)err < ERR_COUNT);
    return names[err];
}

const char *err_text(enum err err) {
    CHECK((unsigned)err < ERR_COUNT);
    return texts[err];
}
