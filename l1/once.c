#include "l1/once.h"

#include <stdio.h>

#include "l1/l1.h"

/* with_name puts the endpoint before an error's text. */
static void with_name(const struct l1_reader *reader, int endpoint, enum err err, const char *text,
                      char error[256]) {
    (void)snprintf(error, 256, "%.90s: %.150s", l1_endpoints_name(reader->endpoints, endpoint),
                   text[0] != 0 ? text : err_text(err));
}

static bool is_interrupted(const struct l1_config *config) {
    return config->is_interrupted != NULL && config->is_interrupted(config->interrupt_context);
}

enum err l1_check(const struct l1_config *config, char error[256]) {
    struct l1_reader *reader = NULL;
    enum err err = l1_reader_create(config, &reader);
    if (err != ERR_OK) {
        (void)snprintf(error, 256, "%s", err_text(err));
        return err;
    }
    bool has_one = false;
    err = ERR_NETWORK;
    for (int i = 0; i < (int)config->endpoints_count; i++) {
        char text[L1_ERROR_BYTES] = "";
        struct l1_heads heads;
        if (is_interrupted(config)) break;
        enum err one = l1_reader_heads(reader, i, &heads, text);
        if (one == ERR_OK) one = l1_reader_code(reader, i, text);
        if (one == ERR_OK) one = l1_reader_genesis(reader, i, text);
        if (one == ERR_OK) {
            has_one = true;
            continue;
        }
        with_name(reader, i, one, text, error);
        /* A wrong chain or contract is a wrong setting; an endpoint that is down may come back. */
        err = one == ERR_MISMATCH || one == ERR_NOT_FOUND ? one : ERR_NETWORK;
        if (err != ERR_NETWORK) break;
    }
    l1_reader_destroy(reader);
    if (is_interrupted(config)) return ERR_STOPPED;
    return has_one && err == ERR_NETWORK ? ERR_OK : err;
}

enum err l1_once(const struct l1_config *config, const struct l1_question *question,
                 char error[256]) {
    struct l1_reader *reader = NULL;
    enum err err = l1_reader_create(config, &reader);
    if (err != ERR_OK) {
        (void)snprintf(error, 256, "%s", err_text(err));
        return err;
    }
    err = ERR_NETWORK;
    for (int i = 0; i < (int)config->endpoints_count && err != ERR_OK; i++) {
        char text[L1_ERROR_BYTES] = "";
        err = question->ask(reader, i, question->context, text);
        if (err != ERR_OK) with_name(reader, i, err, text, error);
    }
    l1_reader_destroy(reader);
    return err;
}

static enum err ask_view(struct l1_reader *reader, int endpoint, void *context,
                         char error[L1_ERROR_BYTES]) {
    struct l1_heads heads;
    TRY(l1_reader_heads(reader, endpoint, &heads, error));
    return l1_reader_view(reader, endpoint, &heads.finalized, context, error);
}

enum err l1_read(const struct l1_config *config, struct l1_view *out, char error[256]) {
    const struct l1_question question = {ask_view, out};
    TRY(l1_once(config, &question, error));
    out->forced_count = 0; /* the raw transactions died with the reader */
    return ERR_OK;
}
