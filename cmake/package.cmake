# What is installed, and the Debian package of it (cpack -G DEB). ./dev package makes all of them.
include(GNUInstallDirs)
find_program(SCDOC scdoc)

set(MAN_DIRECTORY ${CMAKE_BINARY_DIR}/man)
set(COMPLETION_DIRECTORY ${CMAKE_BINARY_DIR}/completions)
set(PAGES_STAMP ${MAN_DIRECTORY}/made)
file(GLOB MAN_PROSE CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.scd)

# Man pages and completions come from the program's own table of options.
if(SCDOC)
  add_custom_command(
    OUTPUT ${PAGES_STAMP}
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/make_pages.sh $<TARGET_FILE:epaudit> ${MAN_DIRECTORY} ${COMPLETION_DIRECTORY}
    DEPENDS epaudit ${MAN_PROSE} ${CMAKE_SOURCE_DIR}/scripts/pages.py ${CMAKE_SOURCE_DIR}/scripts/make_pages.sh
            ${CMAKE_SOURCE_DIR}/CHANGELOG.md
    COMMENT "Man pages and completions"
    VERBATIM)
  add_custom_target(epaudit_pages DEPENDS ${PAGES_STAMP})
else()
  message(STATUS "scdoc is not installed: no man pages, no package")
  add_custom_target(epaudit_pages)
endif()

install(TARGETS epaudit RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${MAN_DIRECTORY}/man1 ${MAN_DIRECTORY}/man5 ${MAN_DIRECTORY}/man7 DESTINATION ${CMAKE_INSTALL_MANDIR} OPTIONAL)
install(FILES ${COMPLETION_DIRECTORY}/epaudit DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
install(FILES ${COMPLETION_DIRECTORY}/_epaudit DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions OPTIONAL)
install(FILES ${COMPLETION_DIRECTORY}/epaudit.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md"
        PATTERN "*.json" PATTERN man EXCLUDE PATTERN pictures EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${MAN_DIRECTORY}/changelog.gz ${MAN_DIRECTORY}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/epaudit.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

install(FILES ${CMAKE_SOURCE_DIR}/packaging/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
        RENAME epaudit)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME epaudit)
set(CPACK_PACKAGE_VENDOR "epaudit")
set(CPACK_PACKAGE_CONTACT "epaudit maintainers <epaudit@packages.debian.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "find misuse of epoll in running programs")
set(CPACK_PACKAGE_DESCRIPTION
"epaudit watches a running program from the kernel, with BPF, and says with
evidence where it misuses epoll: sockets with unread data that will never be
reported again, loops that spin on readiness nobody consumes, thundering
herds, connections that are never closed.
.
It can also audit a log of strace or its own recording, and show the interest
lists of a running process as the kernel has them. Reports are written as
text, JSON, SARIF, JUnit XML, HTML and others.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF) # the debug information goes into a package of its own
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "strace")
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
include(CPack)
