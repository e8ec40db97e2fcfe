# finback_embed(TARGET FOLDER NAME...): the text of FOLDER/NAME.json as the variable kNameJson of the
# namespace finback.
function(finback_embed target folder)
  set(EMBEDDED "")
  foreach(name ${ARGN})
    set(path ${PROJECT_SOURCE_DIR}/${folder}/${name}.json)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} text)
    string(SUBSTRING ${name} 0 1 first)
    string(TOUPPER ${first} first)
    string(SUBSTRING ${name} 1 -1 rest)
    string(APPEND EMBEDDED "const char k${first}${rest}Json[] = R\"json(${text})json\";\n")
  endforeach()
  set(source ${CMAKE_BINARY_DIR}/generated/${target}_data.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT
    "#include \"${folder}/data.h\"\n\nnamespace finback {\n\n@EMBEDDED@\n}  // namespace finback\n" @ONLY)
  target_sources(${target} PRIVATE ${source})
endfunction()
