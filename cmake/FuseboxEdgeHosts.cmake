# One host program written from the contract, as C99 and as C++17 (tests/edge_hosts).
if(NOT BUILD_TESTING)
  return()
endif()

function(fusebox_edge_host name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE fuse fuse_platform)
  target_compile_options(${name} PRIVATE -Wpedantic -Werror ${ARGN})
  add_test(NAME ${name} COMMAND ${name})
endfunction()

fusebox_edge_host(test_edge_host_c99 tests/edge_hosts/host.c -std=c99)
fusebox_edge_host(test_edge_host_cxx17 tests/edge_hosts/host.cc -std=c++17)
