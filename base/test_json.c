#include "base/json.h"

#include "base/check.h"

static void expect(const struct buffer *out, const char *text) {
    CHECK(!out->overflow);
    CHECK(bytes_equal(buffer_bytes(out), bytes_from_string(text)));
}

static void test_structure(void) {
    uint8_t memory[512];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct json_writer json = json_over(&out);
    const struct u256 wide = {{0, 1, 0, 0}};
    const struct address address = {{0x12}};
    json_object_begin(&json);
    json_key(&json, "a");
    json_write_null(&json);
    json_key(&json, "b");
    json_array_begin(&json);
    json_array_end(&json);
    json_key(&json, "c");
    json_array_begin(&json);
    json_number(&json, -1);
    json_number(&json, INT64_MIN);
    json_number_u64(&json, UINT64_MAX);
    json_bool(&json, true);
    json_bool(&json, false);
    json_object_begin(&json);
    json_object_end(&json);
    json_quantity(&json, 0);
    json_quantity_u256(&json, &wide);
    json_data(&json, BYTES_STRING("\x01"));
    json_address(&json, &address);
    json_raw(&json, BYTES_STRING("[1]"));
    json_write_string(&json, "x");
    json_array_end(&json);
    json_object_end(&json);
    CHECK(json.depth == 0);
    expect(&out, "{\"a\":null,\"b\":[],\"c\":[-1,-9223372036854775808,18446744073709551615,true,"
                 "false,{},\"0x0\",\"0x10000000000000000\",\"0x01\","
                 "\"0x1200000000000000000000000000000000000000\",[1],\"x\"]}");
}

static void test_strings(void) {
    static const struct {
        struct bytes in;
        const char *out;
    } cases[] = {
        {BYTES_STRING(""), "\"\""},
        {BYTES_STRING("plain"), "\"plain\""},
        {BYTES_STRING("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {BYTES_STRING("\n\r\t\b\x1f\x7f"), "\"\\n\\r\\t\\u0008\\u001f\x7f\""},
        {{(const uint8_t *)"a\0b", 3}, "\"a\\u0000b\""},
        {BYTES_STRING("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {BYTES_STRING("\xff"), "\"\xef\xbf\xbd\""},
        {BYTES_STRING("a\xc3"), "\"a\xef\xbf\xbd\""},
        {BYTES_STRING("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {BYTES_STRING("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {BYTES_STRING("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {BYTES_STRING("\xe2\x82z"), "\"\xef\xbf\xbd\xef\xbf\xbdz\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t memory[64];
        struct buffer out = buffer_over(memory, sizeof memory);
        struct json_writer json = json_over(&out);
        json_text(&json, cases[i].in);
        expect(&out, cases[i].out);
    }
}

static void test_overflow_is_seen(void) {
    uint8_t memory[6];
    struct buffer out = buffer_over(memory, sizeof memory);
    struct json_writer json = json_over(&out);
    json_array_begin(&json);
    json_write_string(&json, "too long");
    json_array_end(&json);
    CHECK(out.overflow);
}

int main(void) {
    test_structure();
    test_strings();
    test_overflow_is_seen();
    return 0;
}
