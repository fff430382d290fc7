/* `baton health`: asks a node's /ready and says what is right and what is wrong. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "node/commands.h"
#include "node/settings.h"

#define ANSWER_BYTES_MAX 4096

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
    char full[4200], error[CURL_ERROR_SIZE] = "";
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

int command_health(int argc, char **argv) {
    struct settings settings;
    char error[512];
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: baton health [--url http://127.0.0.1:8545]\n\n"
             "Asks the node's /ready.  Exit code 0: ready; 1: not ready or no answer.");
        settings_help(COMMAND_HEALTH, stdout);
        return 0;
    }
    if (settings_read(COMMAND_HEALTH, argc, argv, &settings, error) != ERR_OK) {
        fprintf(stderr, "baton health: %s\n", error);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const int code = ask(settings.url);
    curl_global_cleanup();
    return code;
}
