# fusebox_library(folder USES folders... LINKS targets...): src/<folder>/**.cc as one static library.
# A file is code unless its name ends in _test, _bench or _fuzz, or is main.cc.
function(fusebox_library folder)
  cmake_parse_arguments(arg "" "" "USES;LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/${folder}/*.cc")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|/main)\\.cc$")
  if(NOT sources)
    file(WRITE "${CMAKE_BINARY_DIR}/empty_${folder}.cc" "")
    set(sources "${CMAKE_BINARY_DIR}/empty_${folder}.cc")
  endif()
  add_library(fusebox_${folder} STATIC ${sources})
  set_target_properties(fusebox_${folder} PROPERTIES EXPORT_NAME ${folder})
  target_include_directories(fusebox_${folder} PUBLIC
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/src>"
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>"
    "$<INSTALL_INTERFACE:include>")
  foreach(used IN LISTS arg_USES)
    target_link_libraries(fusebox_${folder} PUBLIC fusebox_${used})
  endforeach()
  target_link_libraries(fusebox_${folder} PRIVATE ${arg_LINKS})
  set_property(GLOBAL APPEND PROPERTY FUSEBOX_FOLDERS ${folder})
endfunction()
