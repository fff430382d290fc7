# Tests that are scripts, and the benchmarks: whatever is not a unit test beside its source.
#
# baton_script_test(NAME SCRIPT TIMEOUT [LABELS ...]) registers SCRIPT (a path from the repository's
# root) with ctest under NAME.  It is started in the repository's root with the build directory as
# its argument, alone (no other test beside it), and killed after TIMEOUT seconds; exit code 77 means
# skipped.  Script tests drive the real program, so only the release preset registers them.
function(baton_script_test name script timeout)
    cmake_parse_arguments(ARG "" "" "LABELS" ${ARGN})
    if(BATON_SANITIZE OR BATON_FUZZERS)
        return()
    endif()
    add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/${script} ${CMAKE_BINARY_DIR}
             WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} SKIP_RETURN_CODE 77 RUN_SERIAL ON
                         LABELS "script;${ARG_LABELS}")
endfunction()

# baton_bench(NAME [ROOMS ...] [EXTERNAL ...]) builds tests/bench/NAME.c into a program of that name;
# it is run by hand or by scripts/bench, never by ctest.
function(baton_bench name)
    cmake_parse_arguments(ARG "" "" "ROOMS;EXTERNAL" ${ARGN})
    add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/bench/${name}.c)
    target_link_libraries(${name} PRIVATE ${ARG_ROOMS} ${ARG_EXTERNAL})
endfunction()

baton_bench(bench_base ROOMS base state EXTERNAL PkgConfig::secp256k1 PkgConfig::crypto)
baton_bench(bench_block ROOMS base chain evm state workloads store)
baton_bench(sign_transfers ROOMS base chain)
baton_bench(bench_load ROOMS base chain)
baton_bench(bench_evm ROOMS base chain evm EXTERNAL PkgConfig::jansson)
baton_bench(bench_evm_worst ROOMS base chain evm)

baton_bench(bench_consensus ROOMS node EXTERNAL PkgConfig::curl Threads::Threads)

baton_script_test(checks/planted tests/checks/test-checks 120 LABELS checks)

baton_script_test(node/bad-input tests/node/test-bad-input 90 LABELS node)
baton_script_test(node/methods tests/node/test-methods 90 LABELS node)
baton_script_test(node/memory tests/node/test-memory 90 LABELS node)
baton_script_test(node/help tests/node/test-help 60 LABELS node)
baton_script_test(node/commands tests/node/test-commands 120 LABELS node)
baton_script_test(node/monitor tests/node/test-monitor 90 LABELS node)

baton_script_test(contracts/test-contracts tests/contracts/test-contracts 600 LABELS contracts)
baton_script_test(contracts/test-deployment tests/contracts/test-deployment 600 LABELS contracts)

baton_script_test(suites/conformance tests/suites/test-suites 1500 LABELS suites)
baton_script_test(suites/t8n tests/suites/test-t8n 120 LABELS suites conformance)
baton_script_test(suites/rpc-io tests/suites/test-rpc-io 300 LABELS suites conformance)

# The simulator without the rest of the program; the planted variants are linked like it.
add_executable(simulate ${CMAKE_SOURCE_DIR}/tests/sim/main.c)
target_link_libraries(simulate PRIVATE simulator)
baton_script_test(sim/seeds tests/sim/seeds 1500 LABELS sim)
baton_script_test(sim/planted tests/sim/planted/run 1800 LABELS sim)
baton_script_test(sim/same-trace tests/sim/same-trace 900 LABELS sim)

# Random programs for tests/differential/compare.mjs.
add_executable(evm_programs ${CMAKE_SOURCE_DIR}/tests/differential/evm_programs.c
               ${CMAKE_SOURCE_DIR}/tests/differential/contract_inputs.c)
target_link_libraries(evm_programs PRIVATE evm blst)

# A network each, on ports of its own; scripts/acceptance runs the same at full length.
baton_script_test(network/testnet tests/network/test-testnet 90 LABELS network)
baton_script_test(network/configuration tests/network/test-configuration 120 LABELS network)
baton_script_test(network/clients tests/network/test-clients 420 LABELS network)
baton_script_test(network/backup tests/network/test-backup 180 LABELS network)
baton_script_test(network/join tests/network/test-join 240 LABELS network)
baton_script_test(network/rotation tests/network/test-rotation 300 LABELS network)
baton_script_test(network/kill tests/network/test-kill 300 LABELS network)
baton_script_test(network/outages tests/network/test-outages 400 LABELS network)

# tests/matrix: the network of namespaces, and a validator that lies (never part of the program).
add_executable(matrix_wire ${CMAKE_SOURCE_DIR}/tests/matrix/wire.c)
add_executable(baton_byzantine ${CMAKE_SOURCE_DIR}/tools/main.c
               ${CMAKE_SOURCE_DIR}/tests/matrix/byzantine.c)
target_link_libraries(baton_byzantine PRIVATE tools PkgConfig::jansson PkgConfig::sodium
                      PkgConfig::crypto PkgConfig::secp256k1 PkgConfig::curl Threads::Threads)
baton_script_test(matrix/history tests/matrix/test-history 60 LABELS matrix)
baton_script_test(matrix/short tests/matrix/test-matrix 600 LABELS matrix network)
