# The commit that is built, asked for at each build: generated/version.cpp defines version_text().
# EPAUDIT_COMMIT names it where there is no git (a source tarball).
set(EPAUDIT_COMMIT "" CACHE STRING "Commit to name in --version; empty: ask git")
set(VERSION_SOURCE ${CMAKE_BINARY_DIR}/generated/version.cpp)
add_custom_target(epaudit_version
  BYPRODUCTS ${VERSION_SOURCE}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${VERSION_SOURCE} -DVERSION=${PROJECT_VERSION} "-DCOMMIT=${EPAUDIT_COMMIT}"
          -DSOURCE=${CMAKE_SOURCE_DIR} -P ${CMAKE_SOURCE_DIR}/cmake/version_generate.cmake
  COMMENT ""
  VERBATIM)
