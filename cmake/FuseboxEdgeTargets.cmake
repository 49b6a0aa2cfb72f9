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
  file(WRITE "${CMAKE_BINARY_DIR}/empty_platform.cc" "")
  set(platform_sources "${CMAKE_BINARY_DIR}/empty_platform.cc")
endif()
add_library(fuse_platform STATIC ${platform_sources})
# Both "platform/platform.h" and "platform.h" resolve.
target_include_directories(fuse_platform PUBLIC
  "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>" "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/platform>"
  "$<INSTALL_INTERFACE:include/fusebox-edge>" "$<INSTALL_INTERFACE:include/fusebox-edge/platform>")
target_link_libraries(fuse_platform PUBLIC fusebox_edge PRIVATE Threads::Threads)

# fusebox_app_config(name config): an interface library with the HAL groups and the generated files of an app_config.json.
# The groups are read here, the files made when something that links the library is built.
function(fusebox_app_config name config)
  set(out "${CMAKE_CURRENT_BINARY_DIR}/app_config/${name}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${config}")
  file(READ "${config}" json)
  string(JSON count LENGTH "${json}" application hal_groups)
  set(definitions)
  if(count GREATER 0)
    math(EXPR last "${count} - 1")
    foreach(i RANGE ${last})
      string(JSON group GET "${json}" application hal_groups ${i})
      string(TOUPPER "${group}" group)
      list(APPEND definitions FUSE_HAL_ENABLE_${group}=1)
    endforeach()
  else()
    set(definitions FUSE_HAL_NONE=1)
  endif()
  add_custom_command(OUTPUT "${out}/fuse_app_config.h" "${out}/fuse_hal_flags.cmake"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${out}"
    COMMAND fusebox edge build "${config}" --output-dir "${out}"
    DEPENDS fusebox "${config}" COMMENT "app_config of ${name}" VERBATIM)
  add_custom_target(${name}_files DEPENDS "${out}/fuse_app_config.h")
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_files)
  target_include_directories(${name} INTERFACE "${out}")
  target_compile_definitions(${name} INTERFACE ${definitions})
endfunction()

# The library without a choice of HAL groups.
add_library(fusebox_host INTERFACE)
target_link_libraries(fusebox_host INTERFACE fusebox_edge)

add_library(fuse INTERFACE)
if(FUSE_APP_CONFIG)
  fusebox_app_config(fuse_app_config "${FUSE_APP_CONFIG}")
  target_link_libraries(fuse INTERFACE fusebox_host fuse_app_config)
else()
  target_link_libraries(fuse INTERFACE fusebox_host)
  target_compile_definitions(fuse INTERFACE
    FUSE_HAL_ENABLE_TEMP_SENSOR=1 FUSE_HAL_ENABLE_TIMER=1 FUSE_HAL_ENABLE_CAMERA=1)
endif()
