# blst, built from the sources that scripts/prepare-kzg puts into build/deps: one C file and one
# assembly file, as its own build.sh does.  Fetched here when it is not there yet.
set(BATON_BLST ${CMAKE_SOURCE_DIR}/build/deps/c-kzg/deps/blst)
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/prepare-kzg RESULT_VARIABLE fetched)
if(NOT fetched EQUAL 0)
    message(FATAL_ERROR "scripts/prepare-kzg failed: the C sources of blst are needed")
endif()
enable_language(ASM)
add_library(blst STATIC ${BATON_BLST}/src/server.c ${BATON_BLST}/build/assembly.S)
# Somebody else's code, with its own options: our warnings and sanitizers do not apply.
set_target_properties(blst PROPERTIES COMPILE_OPTIONS "-O2;-fno-builtin;-fPIC;-D__BLST_PORTABLE__")
target_include_directories(blst SYSTEM INTERFACE ${BATON_BLST}/bindings)
