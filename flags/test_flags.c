/* Flags of commands: what is taken, and what is refused without a word of it taken for granted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "flags/flags.h"

static bool is_even(const char *value, void *out) {
    return flag_read_number(value, 0, 100, out) && *(uint64_t *)out % 2 == 0;
}

struct values {
    bool is_loud;
    uint64_t number, even;
    const char *text, *any, *operand;
};

static int read_first(int count, char **words) {
    uint64_t number;
    int rest;
    const struct flag flags[] = {
        {.name = "number", .kind = FLAG_NUMBER, .out = &number, .low = 0, .high = 9}};
    return flags_read_first("test", count, words, flags, 1, &rest) ? rest : -1;
}

static bool read_needed(int count, char **words) {
    const char *text = NULL;
    const struct flag flags[] = {
        {.name = "text", .kind = FLAG_ANY_TEXT, .out = &text, .is_needed = true}};
    return flags_read("test", count, words, 0, flags, 1, NULL);
}

static bool read_words(struct values *values, bool has_operand, int count, char **words) {
    const struct flag flags[] = {
        {.name = "loud", .kind = FLAG_SWITCH, .out = &values->is_loud},
        {.name = "number", .kind = FLAG_NUMBER, .out = &values->number, .low = 2, .high = 7},
        {.name = "text", .kind = FLAG_TEXT, .out = &values->text},
        {.name = "any", .kind = FLAG_ANY_TEXT, .out = &values->any},
        {.name = "even",
         .kind = FLAG_OTHER,
         .out = &values->even,
         .wanted = "an even number",
         .read = is_even},
    };
    *values = (struct values){0};
    return flags_read("test", count, words, 0, flags, sizeof flags / sizeof flags[0],
                      has_operand ? &values->operand : NULL);
}

#define READ(has_operand, ...)                                                                     \
    read_words(&values, has_operand, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),      \
               (char *[]){__VA_ARGS__})

int main(void) {
    struct values values;
    CHECK(READ(true, "--loud", "--number", "7", "file", "--text=a=b", "--even", "4"));
    CHECK(values.is_loud && values.number == 7 && values.even == 4);
    CHECK(strcmp(values.text, "a=b") == 0 && strcmp(values.operand, "file") == 0);
    CHECK(READ(true, "-") && strcmp(values.operand, "-") == 0);
    CHECK(READ(false, "--number=2") && values.number == 2);

    CHECK(!READ(false, "file"));
    CHECK(!READ(true, "one", "two"));
    CHECK(!READ(true, "--loudly"));
    CHECK(!READ(true, "--lou"));
    CHECK(!READ(true, "-l"));
    CHECK(!READ(true, "--loud=yes"));
    CHECK(READ(false, "--loud=true") && values.is_loud);
    CHECK(READ(false, "--loud=false") && !values.is_loud);
    CHECK(!READ(true, "--number"));
    CHECK(!READ(true, "--number", "1"));
    CHECK(!READ(true, "--number", "8"));
    CHECK(!READ(true, "--number", "3x"));
    CHECK(!READ(true, "--number", "-3"));
    CHECK(!READ(true, "--number", "99999999999999999999999"));
    CHECK(!READ(true, "--text="));
    CHECK(READ(true, "--any=") && values.any[0] == 0);
    CHECK(!READ(true, "--even", "3"));

    char *mixed[] = {"run", "--number", "3", "file", "--other"};
    CHECK(read_first(5, mixed) == 3);
    CHECK(read_first(3, mixed) == 3);
    CHECK(read_first(2, mixed) == -1);
    CHECK(!read_needed(0, NULL));
    CHECK(read_needed(1, (char *[]){"--text="}));
    CHECK(flags_help_wanted(3, (char *[]){"join", "--data", "-h"}));
    CHECK(!flags_help_wanted(2, (char *[]){"--help", "--data"}));

    char *argv[] = {"join", "--data", "--data=x", "--database", "data", "--dat"};
    static const char *const renamed[] = {"join",       "--data-dir", "--data-dir=x",
                                          "--database", "data",       "--dat"};
    CHECK(flags_rename(6, argv, "data", "data-dir") == ERR_OK);
    for (int i = 0; i < 6; i++)
        CHECK(strcmp(argv[i], renamed[i]) == 0);
    free(argv[1]);
    free(argv[2]);
    puts("flags: ok");
    return 0;
}
