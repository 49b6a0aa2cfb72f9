# The HAL table is conditional at compile time: one small test program per choice of groups (tests/hal_groups), each with a
# C host compiled for the same choice.
if(NOT BUILD_TESTING)
  return()
endif()
file(GLOB_RECURSE hal_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/edge/hal/*.cc")
list(FILTER hal_sources EXCLUDE REGEX "_test\\.cc$")

# Hosts are C99 or C++17.
set_source_files_properties(tests/hal_groups/host.c PROPERTIES COMPILE_OPTIONS "-std=c99;-Wpedantic;-Werror")
set_source_files_properties(tests/hal_groups/layout.cc PROPERTIES COMPILE_OPTIONS "-std=c++17;-Wpedantic;-Werror")

function(fusebox_hal_groups_test name mask)
  set(target test_hal_groups_${name})
  add_executable(${target} tests/hal_groups/check.cc tests/hal_groups/host.c tests/hal_groups/layout.cc ${hal_sources})
  set(flags ${ARGN})
  list(TRANSFORM flags PREPEND FUSE_HAL_)
  target_compile_definitions(${target} PRIVATE FUSEBOX_HAL_GROUPS=${mask} ${flags})
  target_include_directories(${target} PRIVATE src include)
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gtest_main)
  add_test(NAME ${target} COMMAND ${target})
endfunction()

fusebox_hal_groups_test(none 0x00 NONE)
fusebox_hal_groups_test(temp_sensor 0x01 ENABLE_TEMP_SENSOR)
fusebox_hal_groups_test(timer 0x02 ENABLE_TIMER)
fusebox_hal_groups_test(camera 0x04 ENABLE_CAMERA)
fusebox_hal_groups_test(gpio 0x20 ENABLE_GPIO)
fusebox_hal_groups_test(uart 0x40 ENABLE_UART)
fusebox_hal_groups_test(demo 0x06 ENABLE_TIMER ENABLE_CAMERA)
fusebox_hal_groups_test(all 0x67 ENABLE_TEMP_SENSOR ENABLE_TIMER ENABLE_CAMERA ENABLE_GPIO ENABLE_UART)
