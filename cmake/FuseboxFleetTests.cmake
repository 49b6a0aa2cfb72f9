# Tests of the fleet with real processes: servers, hosts, PostgreSQL, the reference's published client.
if(NOT BUILD_TESTING OR FUSEBOX_SANITIZE)
  return()
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(force "${CMAKE_CURRENT_SOURCE_DIR}/tests/fleet_force")
# Each step on one of the two stores; `make crash` tries all of them on both.
add_test(NAME test_fleet_crash
  COMMAND ${Python3_EXECUTABLE} "${force}/crash.py" "$<TARGET_FILE:fusebox>" "${CMAKE_BINARY_DIR}/images")
add_test(NAME test_fleet_replicas COMMAND ${Python3_EXECUTABLE} "${force}/replicas.py" "$<TARGET_FILE:fusebox>")
add_test(NAME test_fleet_hosts
  COMMAND ${Python3_EXECUTABLE} "${force}/hosts.py" "$<TARGET_FILE:fusebox>" "${CMAKE_BINARY_DIR}/images")
add_test(NAME test_python_client
  COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/tests/python_client/run.sh" "$<TARGET_FILE:fusebox>" "${CMAKE_BINARY_DIR}/images")
set_tests_properties(test_fleet_crash test_fleet_replicas test_fleet_hosts test_python_client PROPERTIES TIMEOUT 900)
