# epaudit_shipped(TARGET...): for what is installed.
#
# Reproducible: no path of this machine gets into what is shipped, so that whoever builds the same
# commit with the same packages, in any directory, gets the same bytes. Not for tests, whose debug information must lead
# to their sources.
# ccache may be set up (base_dir) to name files from the build folder, and adds an option of its own where headers are
# precompiled, which the debug information would record.
set(EPAUDIT_PREFIX_MAP -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=.
    -ffile-prefix-map=../=./ -ffile-prefix-map=generated/=./generated/)
#
# Files, lines and calls in line, for whoever reads a backtrace; not the variables, of which -O2 leaves little: with them, to
# compile and to link takes a third longer and the files are three times as large. A debug build has them.
set(EPAUDIT_DEBUG_INFO $<$<NOT:$<CONFIG:Debug>>:-g1>)
#
# Hardened, as Debian's own packages are: it reads hostile files as root.
set(EPAUDIT_HARDENING -fstack-protector-strong $<$<NOT:$<CONFIG:Debug,None>>:-D_FORTIFY_SOURCE=2>)
function(epaudit_shipped)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE ${EPAUDIT_PREFIX_MAP} ${EPAUDIT_DEBUG_INFO} -gno-record-gcc-switches ${EPAUDIT_HARDENING})
  endforeach()
endfunction()
