# baton_library(NAME [PURE] [ROOMS ...] [EXTERNAL ...]) makes the static library of one folder:
#   NAME/*.c            the library, but for main.c and the two below
#   NAME/test_*.c       one test program each, registered with ctest under the file's name
#   NAME/fuzz_*.c       one libFuzzer program each (preset fuzz), run briefly by scripts/fuzz
# PURE: scripts/check-purity holds the room to it.  Under AddressSanitizer the tests look for leaks, in
# the room and in the worlds that they make themselves (cmake/leaks.cmake).
# A folder that has no source yet is an interface library, so that its headers can be agreed on first.
set_property(GLOBAL PROPERTY BATON_PURE "")

function(baton_library name)
    cmake_parse_arguments(ARG "PURE" "" "ROOMS;EXTERNAL" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.c)
    set(tests ${sources})
    set(fuzzers ${sources})
    list(FILTER sources EXCLUDE REGEX "/((test|fuzz)_[^/]*|main\\.c)$")
    list(FILTER tests INCLUDE REGEX "/test_[^/]*$")
    list(FILTER fuzzers INCLUDE REGEX "/fuzz_[^/]*$")
    if(sources)
        add_library(${name} STATIC ${sources})
        target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
        target_link_libraries(${name} PUBLIC ${ARG_ROOMS} PRIVATE ${ARG_EXTERNAL})
    else()
        add_library(${name} INTERFACE)
        target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
        target_link_libraries(${name} INTERFACE ${ARG_ROOMS})
    endif()
    if(ARG_PURE)
        set_property(GLOBAL APPEND PROPERTY BATON_PURE ${name})
    endif()
    foreach(source ${tests})
        get_filename_component(test ${source} NAME_WE)
        add_executable(${test} ${source})
        target_link_libraries(${test} PRIVATE ${name} ${ARG_EXTERNAL})
        add_test(NAME ${name}/${test} COMMAND ${test} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${name}/${test} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120
                             ENVIRONMENT ASAN_OPTIONS=detect_leaks=${BATON_DETECT_LEAKS})
    endforeach()
    if(BATON_FUZZERS)
        foreach(source ${fuzzers})
            get_filename_component(fuzzer ${source} NAME_WE)
            add_executable(${fuzzer} ${source})
            target_compile_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
            target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
            target_link_libraries(${fuzzer} PRIVATE ${name} ${ARG_EXTERNAL})
        endforeach()
    endif()
endfunction()

# baton_program(NAME FOLDER ...) makes the room on top, as baton_library does, and from its main.c the
# program.
function(baton_program name folder)
    cmake_parse_arguments(ARG "" "" "ROOMS;EXTERNAL" ${ARGN})
    baton_library(${folder} ROOMS ${ARG_ROOMS} EXTERNAL ${ARG_EXTERNAL})
    add_executable(${name} ${CMAKE_SOURCE_DIR}/${folder}/main.c)
    target_link_libraries(${name} PRIVATE ${folder} ${ARG_EXTERNAL})
endfunction()
