# Tests that look at the built BPF objects. The other architecture's is compiled only to be looked at.
epaudit_bpf_link(${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o arm64 ${BPF_SUBJECTS})
add_custom_target(epaudit_bpf_arm64 DEPENDS ${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o)

add_executable(epaudit_layout layout/layout_test.cpp)
target_link_libraries(epaudit_layout PRIVATE epaudit_warnings GTest::gtest_main ${LIBBPF_LIBRARIES})
add_dependencies(epaudit_layout epaudit_skeleton epaudit_bpf_arm64)
target_compile_definitions(epaudit_layout PRIVATE EPAUDIT_BPF_OBJECT="${CMAKE_BINARY_DIR}/bpf/epaudit.bpf.o"
                                                  EPAUDIT_BPF_ARM64="${CMAKE_BINARY_DIR}/bpf-arm64/epaudit.bpf.o")

# Loops with known numbers, for tests/live/differential.py.
add_executable(epaudit_work bench/work.c)
target_link_libraries(epaudit_work PRIVATE epaudit_warnings)
set_target_properties(epaudit_work PROPERTIES OUTPUT_NAME bench_work)

# The roles of tests/live/trouble.py.
find_package(Threads REQUIRED)
add_executable(epaudit_trouble live/trouble.cpp)
target_link_libraries(epaudit_trouble PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_trouble PROPERTIES OUTPUT_NAME trouble)

# The roles of tests/live/stops.py.
add_executable(epaudit_stops live/stops.cpp)
target_link_libraries(epaudit_stops PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_stops PROPERTIES OUTPUT_NAME stops)

# The roles of tests/live/answers.py.
add_executable(epaudit_answers live/answers.cpp)
target_link_libraries(epaudit_answers PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_answers PROPERTIES OUTPUT_NAME answers)

# The server of tests/live/scale.py.
add_executable(epaudit_scale live/scale.cpp)
target_link_libraries(epaudit_scale PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_scale PROPERTIES OUTPUT_NAME scale)

# The server of tests/soak.
add_executable(epaudit_churn soak/churn.cpp)
target_link_libraries(epaudit_churn PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_churn PROPERTIES OUTPUT_NAME churn)

# The roles of tests/live/waiting.py.
add_executable(epaudit_waiting live/waiting.cpp)
target_link_libraries(epaudit_waiting PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_waiting PROPERTIES OUTPUT_NAME waiting)

# The roles of tests/live/unregistered.py.
add_executable(epaudit_unregistered live/unregistered.cpp)
target_link_libraries(epaudit_unregistered PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_unregistered PROPERTIES OUTPUT_NAME unregistered)

# The roles of tests/live/whose.py.
add_executable(epaudit_whose live/whose.cpp)
target_link_libraries(epaudit_whose PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_whose PROPERTIES OUTPUT_NAME whose)

# The roles of tests/live/rings.py. Linked as an archive, for guests that have no shared libraries.
find_library(LIBURING_ARCHIVE NAMES liburing.a REQUIRED)
add_executable(epaudit_rings live/rings.cpp)
target_link_libraries(epaudit_rings PRIVATE epaudit_warnings ${LIBURING_ARCHIVE})
set_target_properties(epaudit_rings PROPERTIES OUTPUT_NAME rings)

# The target of tests/live/interest.py.
add_executable(epaudit_kinds live/kinds.cpp)
target_link_libraries(epaudit_kinds PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_kinds PROPERTIES OUTPUT_NAME kinds)

# The target of tests/live/readers.py.
add_executable(epaudit_readers live/readers.cpp)
target_link_libraries(epaudit_readers PRIVATE epaudit_warnings)
set_target_properties(epaudit_readers PROPERTIES OUTPUT_NAME readers)

# The roles of tests/live/lives.py.
add_executable(epaudit_lives live/lives.cpp)
target_link_libraries(epaudit_lives PRIVATE epaudit_warnings Threads::Threads)
set_target_properties(epaudit_lives PROPERTIES OUTPUT_NAME lives)
