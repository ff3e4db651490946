# The explain pages of the rules, compiled in: generated/explain.cpp defines
# `const char* explain_text(std::string_view stem)`.
file(GLOB EXPLAIN_PAGES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/rules/*/explain.md)
set(EXPLAIN_SOURCE ${CMAKE_BINARY_DIR}/generated/explain.cpp)
add_custom_command(
  OUTPUT ${EXPLAIN_SOURCE}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${EXPLAIN_SOURCE} "-DPAGES=${EXPLAIN_PAGES}"
          -P ${CMAKE_SOURCE_DIR}/cmake/explain_generate.cmake
  DEPENDS ${EXPLAIN_PAGES} ${CMAKE_SOURCE_DIR}/cmake/explain_generate.cmake
  COMMENT "Explain pages"
  VERBATIM)
