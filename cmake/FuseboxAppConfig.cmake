# fusebox_app_config(name config): an interface library with the HAL groups and the generated files of an app_config.json.
# The groups are read at configure time; fuse_app_config.h, fuse_hal_flags.cmake and <module>_policy.bin are made when
# something that links the library is built, in <build>/app_config/<name>/. Needs FUSEBOX_EDGE_COMMAND, the command.
function(fusebox_app_config name config)
  get_filename_component(config "${config}" ABSOLUTE)
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
    COMMAND ${FUSEBOX_EDGE_COMMAND} edge build "${config}" --output-dir "${out}"
    DEPENDS ${FUSEBOX_EDGE_COMMAND} "${config}" COMMENT "app_config of ${name}" VERBATIM)
  add_custom_target(${name}_files DEPENDS "${out}/fuse_app_config.h")
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_files)
  target_include_directories(${name} INTERFACE "${out}")
  target_compile_definitions(${name} INTERFACE ${definitions})
endfunction()
