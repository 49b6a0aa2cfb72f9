if(FUSEBOX_FUZZ)
  return()
endif()
# Host programs of the edge demos: C, each with the HAL groups and constants of its own app_config.json.
function(fusebox_demo_host name)
  fusebox_app_config(${name}_config "${CMAKE_CURRENT_SOURCE_DIR}/demos/${name}/app_config.json")
  add_executable(demo_${name} demos/${name}/host.c)
  set_target_properties(demo_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/demos")
  target_link_libraries(demo_${name} PRIVATE ${name}_config fusebox_edge_host fuse_platform)
endfunction()

fusebox_demo_host(camera_compress)
fusebox_demo_host(camera_filter_compress)
fusebox_demo_host(runaway)

add_custom_target(fusebox_demos DEPENDS demo_camera_compress demo_camera_filter_compress demo_runaway)
