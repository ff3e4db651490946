# Tests that look at the built BPF objects. The other architecture's is compiled only to be looked at.
epaudit_bpf_link(${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o arm64 ${BPF_SUBJECTS})
add_custom_target(epaudit_bpf_arm64 DEPENDS ${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o)

add_executable(epaudit_layout layout/layout_test.cpp)
target_link_libraries(epaudit_layout PRIVATE epaudit_warnings GTest::gtest_main ${LIBBPF_LIBRARIES})
target_compile_options(epaudit_layout PRIVATE ${TEST_OPTIONS})
add_dependencies(epaudit_layout epaudit_skeleton epaudit_bpf_arm64)
target_compile_definitions(epaudit_layout PRIVATE EPAUDIT_BPF_OBJECT="${CMAKE_BINARY_DIR}/bpf/epaudit.bpf.o"
                                                  EPAUDIT_BPF_ARM64="${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o")

# Loops with known numbers, for tests/live/differential.py.
add_executable(epaudit_work bench/work.c)
target_link_libraries(epaudit_work PRIVATE epaudit_warnings)
set_target_properties(epaudit_work PROPERTIES OUTPUT_NAME bench_work)

# A program that is watched: build/tests/NAME.
find_package(Threads REQUIRED)
function(live_program name source)
  add_executable(epaudit_${name} ${source})
  target_link_libraries(epaudit_${name} PRIVATE epaudit_warnings Threads::Threads)
  set_target_properties(epaudit_${name} PROPERTIES OUTPUT_NAME ${name})
endfunction()

# The roles of tests/live/trouble.py.
live_program(trouble live/trouble.cpp)

# The roles of tests/live/stops.py.
live_program(stops live/stops.cpp)

# The roles of tests/live/answers.py.
live_program(answers live/answers.cpp)

# The servers of tests/live/scale.py.
live_program(scale live/scale.cpp)
live_program(crowd live/crowd.cpp)

# The server of tests/soak.
live_program(churn soak/churn.cpp)

# The roles of tests/live/waiting.py.
live_program(waiting live/waiting.cpp)

# The roles of tests/live/left.py.
live_program(left live/left.cpp)

# The roles of tests/live/unregistered.py.
live_program(unregistered live/unregistered.cpp)

# The roles of tests/live/whose.py.
live_program(whose live/whose.cpp)

# The roles of tests/live/noticed.py.
live_program(noticed live/noticed.cpp)

# The roles of tests/live/rings.py. Linked as an archive, for guests that have no shared libraries.
find_library(LIBURING_ARCHIVE NAMES liburing.a REQUIRED)
add_executable(epaudit_rings live/rings.cpp)
target_link_libraries(epaudit_rings PRIVATE epaudit_warnings ${LIBURING_ARCHIVE})
set_target_properties(epaudit_rings PROPERTIES OUTPUT_NAME rings)

# The target of tests/live/interest.py.
live_program(kinds live/kinds.cpp)

# The target of tests/live/readers.py.
add_executable(epaudit_readers live/readers.cpp)
target_link_libraries(epaudit_readers PRIVATE epaudit_warnings)
set_target_properties(epaudit_readers PROPERTIES OUTPUT_NAME readers)

# The roles of tests/live/lives.py.
live_program(lives live/lives.cpp)
