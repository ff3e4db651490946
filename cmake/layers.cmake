# One library a folder, epaudit_FOLDER, that links what cmake/layers.txt lets it. epaudit_core is all that needs neither
# root nor BPF. EPAUDIT_LAYERS: their targets, for what is linked of objects.
set(LAYERS_FILE ${CMAKE_SOURCE_DIR}/cmake/layers.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${LAYERS_FILE})
file(STRINGS ${LAYERS_FILE} layer_lines REGEX "^[a-z]")
foreach(line ${layer_lines})
  string(REGEX MATCHALL "[a-z]+" words ${line})
  list(POP_FRONT words folder)
  list(REMOVE_ITEM words bpf) # headers only
  if(folder STREQUAL rules)
    file(GLOB layer_sources CONFIGURE_DEPENDS rules/*.cpp rules/*/rule.cpp)
  else()
    file(GLOB layer_sources CONFIGURE_DEPENDS src/${folder}/*.cpp)
  endif()
  list(REMOVE_ITEM layer_sources ${CMAKE_SOURCE_DIR}/src/cli/main.cpp)
  add_library(epaudit_${folder} STATIC ${layer_sources})
  target_link_libraries(epaudit_${folder} PUBLIC epaudit_warnings)
  list(TRANSFORM words PREPEND epaudit_)
  target_link_libraries(epaudit_${folder} PUBLIC ${words})
  list(APPEND EPAUDIT_LAYERS epaudit_${folder})
endforeach()

add_library(epaudit_core INTERFACE)
target_link_libraries(epaudit_core INTERFACE epaudit_report epaudit_strace epaudit_recording epaudit_rules)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_custom_target(epaudit_check_layers ALL
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/check_layers.py ${CMAKE_SOURCE_DIR}
  COMMENT "Includes against cmake/layers.txt"
  VERBATIM)
