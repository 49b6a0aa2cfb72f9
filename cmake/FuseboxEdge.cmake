# The edge runtime's parts that also run on microcontrollers are compiled as they are there: no exceptions, no RTTI.
file(GLOB_RECURSE edge_core CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/src/edge/core/*.cc" "${CMAKE_CURRENT_SOURCE_DIR}/src/edge/hal/*.cc")
list(FILTER edge_core EXCLUDE REGEX "_test\\.cc$")
set(edge_core_options -fno-exceptions -fno-threadsafe-statics -fasynchronous-unwind-tables)
if(NOT FUSEBOX_SANITIZE)
  list(APPEND edge_core_options -fno-rtti)  # the undefined-behaviour sanitizer asks objects for their type
endif()
set_source_files_properties(${edge_core} PROPERTIES COMPILE_OPTIONS "${edge_core_options}")
