# Warnings are errors, on gcc and on clang; sanitizers come from the presets (CMakePresets.json).
set(BATON_SANITIZE "" CACHE STRING "comma-separated sanitizers: address,undefined or thread")
option(BATON_FUZZERS "build the libFuzzer targets (clang only)" OFF)

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror -Wstrict-prototypes
                    -Wmissing-prototypes -Wpointer-arith -Wundef -fno-common -fno-strict-aliasing)
add_compile_options(-march=x86-64-v3 -fno-omit-frame-pointer)
add_compile_definitions(_GNU_SOURCE)
if(BATON_FUZZERS)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(BATON_SANITIZE)
    add_compile_options(-fsanitize=${BATON_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BATON_SANITIZE})
endif()
