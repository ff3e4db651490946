# epaudit_bpf_object(NAME SUBJECT...): compiles bpf/SUBJECT.bpf.c, links them into one object and makes a
# skeleton. Defines the interface library NAME_bpf whose users can include "NAME.skel.h".
find_program(CLANG NAMES clang-14 clang-16 clang-19 clang REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(BPF_ARCH arm64)
else()
  set(BPF_ARCH x86)
endif()

# v2 has no 32-bit ALU instructions: with them 5.10 and 6.1 lose track of loop counters.
set(BPF_FLAGS -O2 -g -target bpf -mcpu=v2 ${EPAUDIT_PREFIX_MAP} -I${CMAKE_SOURCE_DIR}/bpf
    -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -Wall -Wextra -Werror -Wno-unused-parameter
    -Wno-unused-function)

# epaudit_bpf_link(LINKED ARCH SUBJECT...): compiles each subject for ARCH and links them into LINKED.
function(epaudit_bpf_link linked arch)
  get_filename_component(directory ${linked} DIRECTORY)
  file(MAKE_DIRECTORY ${directory})
  set(objects)
  foreach(subject ${ARGN})
    set(object ${directory}/${subject}.bpf.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CLANG} ${BPF_FLAGS} -D__TARGET_ARCH_${arch} -MD -MF ${object}.d -MT ${object} -c
              ${CMAKE_SOURCE_DIR}/bpf/${subject}.bpf.c -o ${object}
      DEPENDS ${CMAKE_SOURCE_DIR}/bpf/${subject}.bpf.c
      DEPFILE ${object}.d
      COMMENT "BPF ${arch} ${subject}"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_custom_command(
    OUTPUT ${linked}
    COMMAND ${BPFTOOL} gen object ${linked} ${objects}
    DEPENDS ${objects}
    COMMENT "BPF ${arch} object"
    VERBATIM)
endfunction()

function(epaudit_bpf_object name)
  set(linked ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(shipped ${CMAKE_BINARY_DIR}/bpf/${name}.shipped.bpf.o)
  set(skeleton ${CMAKE_BINARY_DIR}/generated/${name}.skel.h)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
  epaudit_bpf_link(${linked} ${BPF_ARCH} ${ARGN})
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/fewer_lines.py ${linked} ${shipped}
    COMMAND ${BPFTOOL} gen skeleton ${shipped} name ${name}_bpf > ${skeleton}
    DEPENDS ${linked} ${CMAKE_SOURCE_DIR}/scripts/fewer_lines.py
    COMMENT "BPF skeleton ${name}"
    VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(${name}_bpf INTERFACE)
  add_dependencies(${name}_bpf ${name}_skeleton)
  target_include_directories(${name}_bpf SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/generated ${LIBBPF_INCLUDE_DIRS})
  target_link_libraries(${name}_bpf INTERFACE ${LIBBPF_LIBRARIES})
endfunction()
