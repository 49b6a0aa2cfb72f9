# What a host program of the edge runtime links (docs/edge.md): `fuse` and `fuse_platform`.
#
#   set(FUSE_APP_CONFIG ${CMAKE_CURRENT_SOURCE_DIR}/app_config.json CACHE FILEPATH "")
#   add_subdirectory(fusebox)
#   target_link_libraries(firmware PRIVATE fuse fuse_platform)
#
# With FUSE_APP_CONFIG, both bring the HAL groups it lists and the folder with the generated fuse_app_config.h.
set(FUSE_APP_CONFIG "" CACHE FILEPATH "app_config.json of the host program; without one all groups of FUSE are on")
set(FUSE_PLATFORM "linux" CACHE STRING "which platform/<name> is built: linux")

file(GLOB platform_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/platform/${FUSE_PLATFORM}/*.cc")
list(FILTER platform_sources EXCLUDE REGEX "_test\\.cc$")
if(NOT platform_sources)
  message(FATAL_ERROR "FUSE_PLATFORM=${FUSE_PLATFORM}: there is no platform/${FUSE_PLATFORM}; docs/porting.md says what one is")
endif()
add_library(fuse_platform STATIC ${platform_sources})
# Both "platform/platform.h" and "platform.h" resolve.
target_include_directories(fuse_platform PUBLIC
  "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>" "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/platform>")
target_link_libraries(fuse_platform PUBLIC fusebox_edge PRIVATE Threads::Threads)

set(FUSEBOX_EDGE_COMMAND fusebox)
include(FuseboxAppConfig)

# The library without a choice of HAL groups.
add_library(fusebox_edge_host INTERFACE)
target_link_libraries(fusebox_edge_host INTERFACE fusebox_edge)

add_library(fuse INTERFACE)
if(FUSE_APP_CONFIG)
  fusebox_app_config(fuse_app_config "${FUSE_APP_CONFIG}")
  target_link_libraries(fuse INTERFACE fusebox_edge_host fuse_app_config)
else()
  target_link_libraries(fuse INTERFACE fusebox_edge_host)
  target_compile_definitions(fuse INTERFACE
    FUSE_HAL_ENABLE_TEMP_SENSOR=1 FUSE_HAL_ENABLE_TIMER=1 FUSE_HAL_ENABLE_CAMERA=1)
endif()

# libfusebox: all of the above as one shared library with C names alone, for hosts that know nothing of C++.
# "fuse" would be the name of the filesystem library.
if(PROJECT_IS_TOP_LEVEL AND NOT FUSEBOX_SANITIZE AND NOT FUSEBOX_FUZZ)
  file(WRITE "${CMAKE_BINARY_DIR}/empty_shared.cc" "")
  add_library(fusebox_shared SHARED "${CMAKE_BINARY_DIR}/empty_shared.cc")
  set_target_properties(fusebox_shared PROPERTIES OUTPUT_NAME fusebox EXPORT_NAME fuse
    VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}"
    LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cmake/libfusebox.map")
  target_link_libraries(fusebox_shared PRIVATE fuse_platform fusebox_edge)
  # Nothing inside refers to the functions it is there for.
  target_link_options(fusebox_shared PRIVATE
    "LINKER:--whole-archive" "$<TARGET_FILE:fusebox_edge>" "$<TARGET_FILE:fuse_platform>" "LINKER:--no-whole-archive"
    "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/libfusebox.map")
  target_include_directories(fusebox_shared INTERFACE
    "$<INSTALL_INTERFACE:include/fusebox-edge>" "$<INSTALL_INTERFACE:include/fusebox-edge/platform>")
endif()
