# Tests that look at the built BPF object, and the runner of the live tests.
add_executable(epaudit_layout layout/layout_test.cpp)
target_link_libraries(epaudit_layout PRIVATE epaudit_warnings GTest::gtest_main ${LIBBPF_LIBRARIES})
add_dependencies(epaudit_layout epaudit_skeleton)
target_compile_definitions(epaudit_layout PRIVATE EPAUDIT_BPF_OBJECT="${CMAKE_BINARY_DIR}/bpf/epaudit.bpf.o")
