# make install: the command, what embedders link (CMake package and pkg-config), headers, guest headers, completions, man page.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(embed_targets fusebox_base fusebox_policy fusebox_engine fusebox_http fusebox_capability)
install(TARGETS fusebox RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
# The name the original's scripts call.
install(CODE "file(CREATE_LINK fusebox \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/wanted-cli\" SYMBOLIC)")
install(FILES cmake/fusebox.service DESTINATION lib/systemd/user)
install(FILES cmake/fusebox-serve.service cmake/fusebox-host.service DESTINATION lib/systemd/system)
install(TARGETS ${embed_targets} EXPORT fusebox-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# What hosts of the edge runtime link: libfusebox, which needs no other library of ours. The headers have a folder of their
# own, because <fuse.h> is the filesystem library's.
if(TARGET fusebox_shared)
  add_library(fusebox_platform_in_shared INTERFACE)
  set_target_properties(fusebox_platform_in_shared PROPERTIES EXPORT_NAME fuse_platform)
  target_link_libraries(fusebox_platform_in_shared INTERFACE fusebox_shared)
  install(TARGETS fusebox_shared fusebox_platform_in_shared EXPORT fusebox-edge-targets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT fusebox-edge-targets NAMESPACE fusebox:: DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/fusebox")
endif()
install(FILES include/fuse.h include/fuse_types.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/fusebox-edge")
install(FILES platform/platform.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/fusebox-edge/platform")
install(FILES cmake/FuseboxAppConfig.cmake DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/fusebox")
install(FILES "${FUSEBOX_WASMTIME_ARCHIVE}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/fusebox DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(DIRECTORY guest/ DESTINATION "${CMAKE_INSTALL_DATADIR}/fusebox/guest" FILES_MATCHING PATTERN "*.h" PATTERN "*.c")
install(FILES docs/policy.schema.json docs/app_config.schema.json docs/edge-policy.schema.json DESTINATION "${CMAKE_INSTALL_DATADIR}/fusebox" OPTIONAL)
foreach(image IN ITEMS hello http js tools wsh)  # the others are for tests and benches
  install(FILES "${CMAKE_BINARY_DIR}/images/${image}.wapp" DESTINATION "${CMAKE_INSTALL_DATADIR}/fusebox/images")
endforeach()
install(FILES LICENSE README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)

install(EXPORT fusebox-targets NAMESPACE fusebox:: DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/fusebox")
configure_package_config_file(cmake/fusebox-config.cmake.in "${CMAKE_BINARY_DIR}/fusebox-config.cmake"
  INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/fusebox" PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/fusebox-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/fusebox-config.cmake" "${CMAKE_BINARY_DIR}/fusebox-config-version.cmake"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/fusebox")

# The prefix is only known when installing, so pkg-config derives it from the file's own place.
configure_file(cmake/fusebox.pc.in "${CMAKE_BINARY_DIR}/fusebox.pc" @ONLY)
configure_file(cmake/libfusebox.pc.in "${CMAKE_BINARY_DIR}/libfusebox.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/fusebox.pc" "${CMAKE_BINARY_DIR}/libfusebox.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# Completions and the man page are what the command itself prints.
set(generated "${CMAKE_BINARY_DIR}/generated")
add_custom_command(OUTPUT "${generated}/fusebox.bash" "${generated}/_fusebox" "${generated}/fusebox.fish" "${generated}/fusebox.1"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${generated}"
  COMMAND fusebox completion bash > "${generated}/fusebox.bash"
  COMMAND fusebox completion zsh > "${generated}/_fusebox"
  COMMAND fusebox completion fish > "${generated}/fusebox.fish"
  COMMAND fusebox completion man > "${generated}/fusebox.1"
  DEPENDS fusebox COMMENT "completions and man page")
if(NOT FUSEBOX_SANITIZE)
  add_custom_target(fusebox_generated ALL DEPENDS "${generated}/fusebox.bash")
  install(FILES "${generated}/fusebox.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME fusebox)
  install(FILES "${generated}/_fusebox" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
  install(FILES "${generated}/fusebox.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
  install(FILES "${generated}/fusebox.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endif()

if(BUILD_TESTING AND NOT FUSEBOX_SANITIZE)
  add_test(NAME test_install COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/tests/install/run.sh" "${CMAKE_BINARY_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set_tests_properties(test_install PROPERTIES TIMEOUT 1500)
endif()
