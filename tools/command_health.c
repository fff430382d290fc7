/* `baton health`: asks a node's /ready and says what is right and what is wrong. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "flags/flags.h"
#include "node/settings.h"
#include "tools/commands.h"

#define ANSWER_BYTES_MAX 4096
#define URL_BYTES_MAX    2048
#define URLS_BYTES_MAX   16384

struct answer {
    char text[ANSWER_BYTES_MAX + 1];
    size_t size;
};

static size_t receive(char *data, size_t size, size_t count, void *context) {
    struct answer *answer = context;
    const size_t bytes = size * count;
    if (bytes > ANSWER_BYTES_MAX - answer->size) return 0;
    memcpy(answer->text + answer->size, data, bytes);
    answer->size += bytes;
    answer->text[answer->size] = '\0';
    return bytes;
}

static int ask(const char *url) {
    CURL *curl = curl_easy_init();
    struct answer answer = {.size = 0};
    char full[URL_BYTES_MAX + 8], error[CURL_ERROR_SIZE] = "";
    long status = 0;
    if (curl == NULL) {
        fputs("baton health: libcurl cannot be initialised\n", stderr);
        return 1;
    }
    snprintf(full, sizeof full, "%s/ready", url);
    curl_easy_setopt(curl, CURLOPT_URL, full);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        fprintf(stderr, "%s: no answer: %s\n", url,
                error[0] != '\0' ? error : curl_easy_strerror(code));
        return 1;
    }
    printf("%s: %s %s\n", url, status == 200 ? "ready" : "NOT READY", answer.text);
    return status == 200 ? 0 : 1;
}

/* join_urls takes every --url off the arguments and lists them in `out`, comma-separated; false
 * when one lacks its value or they do not fit. */
static bool join_urls(int *argc, char **argv, char out[URLS_BYTES_MAX]) {
    int kept = 1;
    size_t size = 0;
    out[0] = '\0';
    for (int i = 1; i < *argc; i++) {
        const char *url = NULL;
        if (strncmp(argv[i], "--url=", 6) == 0) url = argv[i] + 6;
        if (strcmp(argv[i], "--url") == 0) {
            if (i + 1 >= *argc) return false;
            url = argv[++i];
        }
        if (url == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        const size_t room = URLS_BYTES_MAX - size;
        const int added = snprintf(out + size, room, "%s%s", size > 0 ? "," : "", url);
        if (added < 0 || (size_t)added >= room || url[0] == '\0') return false;
        size += (size_t)added;
    }
    *argc = kept;
    return true;
}

/* ask_all asks one after the other; 0 when all are ready. */
static int ask_all(const char *urls) {
    int code = 0;
    while (*urls != '\0') {
        const size_t size = strcspn(urls, ",");
        char url[URL_BYTES_MAX];
        if (size >= sizeof url) {
            fputs("baton health: --url: too long\n", stderr);
            return 2;
        }
        memcpy(url, urls, size);
        url[size] = '\0';
        if (size > 0 && ask(url) != 0) code = 1;
        urls += size;
        if (*urls == ',') urls += 1;
    }
    return code;
}

int command_health(int argc, char **argv) {
    struct settings settings;
    char error[512];
    if (flags_help_wanted(argc, argv)) {
        puts("NAME\n  baton health - ask nodes whether they are ready\n\n"
             "SYNOPSIS\n"
             "  baton health [--url http://127.0.0.1:8545[,URL ...]] [--url URL ...]\n\n"
             "DESCRIPTION\n"
             "  Asks each node's /ready and prints a line for each.\n\n"
             "EXIT STATUS\n"
             "  0 all are ready; 1 one is not, or gives no answer; 2 wrong use.");
        settings_help(COMMAND_HEALTH, stdout);
        return 0;
    }
    static char urls[URLS_BYTES_MAX];
    if (!join_urls(&argc, argv, urls)) {
        fputs("baton health: --url: needs a value, and all together are too long\n", stderr);
        return 2;
    }
    if (settings_read(COMMAND_HEALTH, argc, argv, &settings, error) != ERR_OK) {
        fprintf(stderr, "baton health: %s\n", error);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const int code = ask_all(urls[0] != '\0' ? urls : settings.url);
    curl_global_cleanup();
    return code;
}
