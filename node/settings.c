#include "node/settings.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct setting {
    const char *section;
    enum setting_type type;
    const char *name;
    size_t offset; /* in struct settings */
    const char *fallback;
    uint64_t min, max;
    unsigned commands;
    const char *help;
};

static const struct setting TABLE[] = {
#define X(section, type, name, fallback, min, max, commands, help)                                 \
    {section, SETTING_##type, #name, offsetof(struct settings, name), fallback, min,               \
     max,     commands,       help},
    SETTINGS(X)
#undef X
};
static const size_t TABLE_COUNT = sizeof TABLE / sizeof TABLE[0];

/* The texts that were kept, so that they stay reachable. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *kept_texts;

char *settings_keep(const char *text) {
    const size_t size = strlen(text) + 1;
    struct kept *kept = malloc(sizeof *kept + size);
    if (kept == NULL) return NULL;
    memcpy(kept->text, text, size);
    kept->next = kept_texts;
    kept_texts = kept;
    return kept->text;
}

/* flag_name turns rpc_port into rpc-port, env_name into BATON_RPC_PORT. */
static void flag_name(const char *name, char out[64]) {
    size_t i = 0;
    for (; name[i] != '\0' && i < 63; i++)
        out[i] = name[i] == '_' ? '-' : name[i];
    out[i] = '\0';
}

static void env_name(const char *name, char out[64]) {
    int at = snprintf(out, 64, "BATON_");
    for (size_t i = 0; name[i] != '\0' && at < 63; i++) {
        out[at++] = (char)toupper((unsigned char)name[i]);
    }
    out[at] = '\0';
}

static const struct setting *find(enum settings_command command, const char *flag,
                                  size_t flag_bytes) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char name[64];
        flag_name(TABLE[i].name, name);
        if ((TABLE[i].commands & command) == 0) continue;
        if (strlen(name) == flag_bytes && strncmp(name, flag, flag_bytes) == 0) return &TABLE[i];
    }
    return NULL;
}

static bool parse_number(const char *text, uint64_t *out) {
    if (!isdigit((unsigned char)text[0])) return false;
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0') return false;
    *out = value;
    return true;
}

static bool parse_bool(const char *text, bool *out) {
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        *out = true;
    } else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *out = false;
    } else {
        return false;
    }
    return true;
}

/* assign stores `text` as the setting's value; `source` is what the message names. */
static enum err assign(const struct setting *setting, const char *text, const char *source,
                       struct settings *out, char error[512]) {
    void *field = (char *)out + setting->offset;
    if (setting->type == SETTING_TEXT) {
        if (strlen(text) > setting->max) {
            snprintf(error, 512, "%s: longer than %llu characters", source,
                     (unsigned long long)setting->max);
            return ERR_CONFIG;
        }
        char *copy = settings_keep(text);
        if (copy == NULL) return ERR_MEMORY;
        memcpy(field, &copy, sizeof copy);
        return ERR_OK;
    }
    if (setting->type == SETTING_BOOL) {
        bool value;
        if (!parse_bool(text, &value)) {
            snprintf(error, 512, "%s: \"%.100s\" is neither true nor false", source, text);
            return ERR_CONFIG;
        }
        memcpy(field, &value, sizeof value);
        return ERR_OK;
    }
    uint64_t value;
    if (!parse_number(text, &value) || value < setting->min || value > setting->max) {
        snprintf(error, 512, "%s: \"%.100s\" is not a number from %llu to %llu", source, text,
                 (unsigned long long)setting->min, (unsigned long long)setting->max);
        return ERR_CONFIG;
    }
    memcpy(field, &value, sizeof value);
    return ERR_OK;
}

static enum err read_defaults(struct settings *out, char error[512]) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        TRY(assign(&TABLE[i], TABLE[i].fallback, TABLE[i].name, out, error));
    }
    return ERR_OK;
}

static enum err read_file_value(const struct setting *setting, const char *path, json_t *value,
                                struct settings *out, char error[512]) {
    char source[320];
    char text[32];
    snprintf(source, sizeof source, "%.200s: \"%s\"", path, setting->name);
    if (json_is_string(value)) return assign(setting, json_string_value(value), source, out, error);
    if (json_is_boolean(value)) {
        return assign(setting, json_is_true(value) ? "true" : "false", source, out, error);
    }
    if (json_is_integer(value)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        return assign(setting, text, source, out, error);
    }
    snprintf(error, 512, "%s: must be a string, a number or true/false", source);
    return ERR_CONFIG;
}

static enum err read_file(enum settings_command command, const char *path, struct settings *out,
                          char error[512]) {
    json_error_t at;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(root)) {
        if (root != NULL) {
            snprintf(error, 512, "--config %.200s: not a JSON object", path);
        } else if (at.line > 0) {
            snprintf(error, 512, "--config %.200s: line %d: %.200s", path, at.line, at.text);
        } else {
            snprintf(error, 512, "--config: %.300s", at.text); /* names the file */
        }
        json_decref(root);
        return ERR_CONFIG;
    }
    enum err err = ERR_OK;
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) {
        char flag[64];
        flag_name(key, flag);
        const struct setting *setting =
            strchr(key, '-') == NULL ? find(command, flag, strlen(flag)) : NULL;
        if (setting == NULL) {
            snprintf(error, 512, "%.200s: unknown setting \"%.100s\"", path, key);
            err = ERR_CONFIG;
        } else {
            err = read_file_value(setting, path, value, out, error);
        }
        if (err != ERR_OK) break;
    }
    json_decref(root);
    return err;
}

extern char **environ;

static enum err read_environment(enum settings_command command, struct settings *out,
                                 char error[512]) {
    for (char **entry = environ; *entry != NULL; entry++) {
        if (strncmp(*entry, "BATON_", 6) != 0) continue;
        const char *equals = strchr(*entry, '=');
        if (equals == NULL || strncmp(*entry, "BATON_CORPORA=", 14) == 0) continue;
        bool known = false;
        for (size_t i = 0; i < TABLE_COUNT; i++) {
            char name[64];
            env_name(TABLE[i].name, name);
            if (strlen(name) != (size_t)(equals - *entry)) continue;
            if (strncmp(name, *entry, strlen(name)) != 0) continue;
            known = true; /* of some command: one environment may serve several */
            if ((TABLE[i].commands & command) == 0) continue;
            TRY(assign(&TABLE[i], equals + 1, name, out, error));
        }
        if (!known) {
            snprintf(error, 512, "%.*s: unknown setting in the environment",
                     (int)(equals - *entry) > 200 ? 200 : (int)(equals - *entry), *entry);
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

/* read_flag takes one flag (and its value) at argv[*index] and moves *index past it. */
static enum err read_flag(enum settings_command command, int argc, char **argv, int *index,
                          struct settings *out, char error[512]) {
    const char *flag = argv[*index];
    if (strncmp(flag, "--", 2) != 0) {
        snprintf(error, 512, "\"%.200s\": not a flag (flags begin with --; see --help)", flag);
        return ERR_CONFIG;
    }
    const char *equals = strchr(flag, '=');
    const size_t name_bytes = equals != NULL ? (size_t)(equals - flag) - 2 : strlen(flag) - 2;
    char source[64];
    snprintf(source, sizeof source, "--%.*s", (int)(name_bytes > 58 ? 58 : name_bytes), flag + 2);
    *index += 1;
    if (strcmp(source, "--config") == 0) {
        if (equals == NULL) *index += 1;
        return ERR_OK;
    }
    const struct setting *setting = find(command, flag + 2, name_bytes);
    if (setting == NULL) {
        snprintf(error, 512, "%s: unknown flag (see --help)", source);
        return ERR_CONFIG;
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && setting->type == SETTING_BOOL) value = "true";
    if (value == NULL) {
        if (*index >= argc) {
            snprintf(error, 512, "%s: needs a value", source);
            return ERR_CONFIG;
        }
        value = argv[(*index)++];
    }
    return assign(setting, value, source, out, error);
}

static enum err config_path(int argc, char **argv, const char **out, char error[512]) {
    *out = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0) *out = argv[i] + 9;
        if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 >= argc) {
                snprintf(error, 512, "--config: needs a file");
                return ERR_CONFIG;
            }
            *out = argv[i + 1];
        }
    }
    return ERR_OK;
}

enum err settings_read(enum settings_command command, int argc, char **argv, struct settings *out,
                       char error[512]) {
    struct settings result;
    const char *path = NULL;
    TRY(read_defaults(&result, error));
    TRY(config_path(argc, argv, &path, error));
    if (path != NULL) TRY(read_file(command, path, &result, error));
    TRY(read_environment(command, &result, error));
    for (int i = 1; i < argc;)
        TRY(read_flag(command, argc, argv, &i, &result, error));
    *out = result;
    return ERR_OK;
}

/* write_value writes one setting; its default is left out. */
static void write_value(const struct setting *setting, const struct settings *settings,
                        const struct settings *defaults, struct json_writer *json) {
    const char *field = (const char *)settings + setting->offset;
    const char *fallback = (const char *)defaults + setting->offset;
    if (setting->type == SETTING_TEXT) {
        const char *text, *other;
        memcpy(&text, field, sizeof text);
        memcpy(&other, fallback, sizeof other);
        if (strcmp(text, other) == 0) return;
        json_key(json, setting->name);
        json_write_string(json, text);
    } else if (setting->type == SETTING_BOOL) {
        bool value;
        memcpy(&value, field, sizeof value);
        if (!value) return; /* false is every default */
        json_key(json, setting->name);
        json_bool(json, value);
    } else {
        uint64_t value;
        if (memcmp(field, fallback, sizeof value) == 0) return;
        memcpy(&value, field, sizeof value);
        json_key(json, setting->name);
        json_number_u64(json, value);
    }
}

void settings_write(enum settings_command command, const struct settings *settings,
                    struct buffer *out) {
    struct settings defaults;
    char error[512];
    struct json_writer json = json_over(out);
    CHECK(read_defaults(&defaults, error) == ERR_OK);
    json_object_begin(&json);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if ((TABLE[i].commands & command) != 0) {
            write_value(&TABLE[i], settings, &defaults, &json);
        }
    }
    json_object_end(&json);
    buffer_append_byte(out, '\n');
}

void settings_help(enum settings_command command, FILE *out) {
    const char *section = "";
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct setting *setting = &TABLE[i];
        if ((setting->commands & command) == 0) continue;
        if (strcmp(section, setting->section) != 0) fprintf(out, "\n%s:\n", setting->section);
        section = setting->section;
        char flag[64];
        flag_name(setting->name, flag);
        const char *value = setting->type == SETTING_BOOL   ? ""
                            : setting->type == SETTING_TEXT ? " TEXT"
                                                            : " N";
        fprintf(out, "  --%s%s\n        %s", flag, value, setting->help);
        if (setting->fallback[0] != '\0') fprintf(out, " [default: %s]", setting->fallback);
        fputc('\n', out);
    }
    fputs("\nEvery flag --some-name is also the environment's BATON_SOME_NAME and the key\n"
          "\"some_name\" in the JSON file that --config FILE names; flags win over the\n"
          "environment, the environment over the file.\n",
          out);
}

void settings_names(enum settings_command command, void *context,
                    void (*visit)(void *context, const char *flag, bool takes_value)) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if ((TABLE[i].commands & command) == 0) continue;
        char flag[64];
        flag_name(TABLE[i].name, flag);
        visit(context, flag, TABLE[i].type != SETTING_BOOL);
    }
}
