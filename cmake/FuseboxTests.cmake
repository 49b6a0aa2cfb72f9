# Every src/<folder>/**/*_test.cc becomes one GoogleTest program per folder, tests/*/*_test.cc one per folder there.
# The globs are the list: a test file cannot be forgotten.
include(CTest)
if(NOT BUILD_TESTING)
  return()
endif()
find_package(GTest REQUIRED)

# tests/support: what several test programs share, such as a real local HTTP(S) server.
file(GLOB support_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/tests/support/*.cc")
add_library(fusebox_test_support STATIC EXCLUDE_FROM_ALL ${support_sources})
target_include_directories(fusebox_test_support PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}/tests")
target_link_libraries(fusebox_test_support PUBLIC fusebox_base PRIVATE OpenSSL::SSL Threads::Threads)

function(fusebox_test_program name sources)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN} fusebox_test_support fusebox::wabt GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src" "${CMAKE_CURRENT_SOURCE_DIR}/tests")
  target_compile_definitions(${name} PRIVATE
    FUSEBOX_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}"
    FUSEBOX_BINARY_DIR="${CMAKE_BINARY_DIR}"
    FUSEBOX_GUEST_DIR="${CMAKE_BINARY_DIR}/guests"
    FUSEBOX_IMAGE_DIR="${CMAKE_BINARY_DIR}/images")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  # Wasmtime collects a trap's backtrace in its signal handler, on the guest's own stack, where nothing was interrupted.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "TSAN_OPTIONS=report_signal_unsafe=0:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tests/tsan-suppressions.txt")
  if(TARGET fusebox_guests)
    add_dependencies(${name} fusebox_guests fusebox_images)
  endif()
endfunction()

get_property(folders GLOBAL PROPERTY FUSEBOX_FOLDERS)
foreach(folder IN LISTS folders)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/${folder}/*_test.cc")
  if(tests)
    fusebox_test_program(test_${folder} "${tests}" fusebox_${folder})
  endif()
endforeach()
# The metering pass is tested on a bare engine (src/engine/wasmtime_test_support.h).
if(TARGET test_engine)
  target_link_libraries(test_engine PRIVATE fusebox::wasmtime)
endif()

# The C interface is tested with the platform's own quota timer.
if(TARGET test_edge)
  target_link_libraries(test_edge PRIVATE fuse_platform)
endif()

file(GLOB platform_tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/platform/${FUSE_PLATFORM}/*_test.cc")
if(platform_tests)
  fusebox_test_program(test_platform "${platform_tests}" fuse_platform)
endif()

file(GLOB test_folders CONFIGURE_DEPENDS LIST_DIRECTORIES true "${CMAKE_CURRENT_SOURCE_DIR}/tests/*")
foreach(path IN LISTS test_folders)
  get_filename_component(folder "${path}" NAME)
  file(GLOB tests CONFIGURE_DEPENDS "${path}/*_test.cc")
  if(tests)
    file(GLOB tests CONFIGURE_DEPENDS "${path}/*.cc")  # and what its tests share
    set(name test_${folder})
    if(TARGET ${name})
      set(name test_${folder}_end_to_end)  # tests/cli beside the unit tests of src/cli
    endif()
    fusebox_test_program(${name} "${tests}" fusebox_cli)
    add_dependencies(${name} fusebox fusebox_demos)
    target_compile_definitions(${name} PRIVATE FUSEBOX_COMMAND="$<TARGET_FILE:fusebox>")
  endif()
endforeach()

if(NOT FUSEBOX_SANITIZE)
  add_test(NAME test_docs COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/scripts/docs.sh" "$<TARGET_FILE:fusebox>")
  set_tests_properties(test_docs PROPERTIES TIMEOUT 300)
endif()

# The edge core as a microcontroller would have it: it compiles, and is as small as promised.
if(NOT FUSEBOX_SANITIZE)
  add_test(NAME test_edge_size COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/scripts/edge-size.sh" "${CMAKE_BINARY_DIR}/edge-size")
endif()
