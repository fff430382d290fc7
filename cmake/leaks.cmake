# BATON_DETECT_LEAKS: 1 where unit tests look for leaks, which is every build with AddressSanitizer on a
# machine that lets LeakSanitizer run.  It stops the process with ptrace, which some containers forbid:
# then a program without a leak fails too, and the tests run without it.
set(BATON_DETECT_LEAKS 0)
if(BATON_SANITIZE MATCHES "address")
    set(probe ${CMAKE_BINARY_DIR}/leaks)
    file(WRITE ${probe}/leaks.c "#include <stdlib.h>
        int main(int count, char **arguments) {
            volatile char *lost = count > 1 ? malloc(10) : NULL;
            if (lost != NULL) *lost = arguments[0][0];
            lost = NULL;
            return 0;
        }")
    try_compile(is_built ${probe} SOURCES ${probe}/leaks.c COPY_FILE ${probe}/leaks
                COMPILE_DEFINITIONS -fsanitize=address LINK_OPTIONS -fsanitize=address)
    set(with ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=1)
    if(is_built)
        execute_process(COMMAND ${with} ${probe}/leaks RESULT_VARIABLE clean OUTPUT_QUIET ERROR_QUIET)
        execute_process(COMMAND ${with} ${probe}/leaks lost RESULT_VARIABLE leaking
                        OUTPUT_QUIET ERROR_QUIET)
        if(clean STREQUAL "0" AND NOT leaking STREQUAL "0")
            set(BATON_DETECT_LEAKS 1)
        endif()
    endif()
    if(BATON_DETECT_LEAKS)
        message(STATUS "LeakSanitizer runs here: unit tests look for leaks")
    else()
        message(WARNING "LeakSanitizer cannot run here (is ptrace allowed?): unit tests do not look "
                        "for leaks")
    endif()
endif()
