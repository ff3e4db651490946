# epaudit_compile_together(TARGET [INCLUDES]): the sources of a target are compiled several at once.
#
# Of what a compiler does for a file, most it does for the headers that the file reads. Together, files read them once, and what
# they make of templates is made once: a build takes little more than half the time. The sources whose #include lines match
# INCLUDES read a library that is all in its headers; they are one piece. Of the others, the name says which piece a file belongs
# to, so that a new one changes no other's neighbours.
#
# The price: names in anonymous namespaces differ within a folder (in rules/ each rule has a namespace for its kInfo), and whoever
# changes one file waits for its neighbours. What the build makes is compiled alone.
# cmake --preset dev -DEPAUDIT_TOGETHER=1 compiles each file alone, until another number is given.
set(EPAUDIT_TOGETHER 8 CACHE STRING "At most about so many sources of a folder are compiled as one file")

function(epaudit_compile_together target)
  if(EPAUDIT_TOGETHER LESS 2)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources EXCLUDE REGEX "^${CMAKE_BINARY_DIR}/")
  foreach(source ${sources})
    string(REGEX REPLACE "/rules/.*/" "/rules/" folder ${source}) # those of all rules together: each has a folder for itself
    get_filename_component(folder ${folder} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    list(APPEND folders ${folder})
    list(APPEND in_${folder} ${source})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    list(LENGTH in_${folder} count)
    set(pieces 1) # powers of two: the number seldom changes
    while(count GREATER EPAUDIT_TOGETHER)
      math(EXPR pieces "2 * ${pieces}")
      math(EXPR count "${count} / 2")
    endwhile()
    foreach(source ${in_${folder}})
      set(lines "")
      if(ARGC GREATER 1)
        file(STRINGS ${source} lines REGEX "^#include .*(${ARGV1})")
      endif()
      if(lines)
        set(piece of_a_library)
      else()
        string(REGEX REPLACE "/rule\\.cpp$" ".cpp" name ${source})
        get_filename_component(name ${name} NAME)
        string(MD5 digest ${name})
        string(SUBSTRING ${digest} 0 2 digest)
        math(EXPR piece "0x${digest} % ${pieces}")
      endif()
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${piece})
    endforeach()
  endforeach()
endfunction()
