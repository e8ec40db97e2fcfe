# What `cmake --install` puts where. The build tree is laid out like an installation (bin, lib, share), so
# that the library finds krill beside itself in both.
include(CMakePackageConfigHelpers)

set(FINBACK_DATA_INSTALL ${CMAKE_INSTALL_DATADIR}/finback)
set(FINBACK_CMAKE_INSTALL ${CMAKE_INSTALL_LIBDIR}/cmake/finback)
target_compile_definitions(finback PRIVATE
  FINBACK_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/finback")

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/finback)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/examples/krill ${CMAKE_BINARY_DIR}/share/finback/krill SYMBOLIC)

install(TARGETS finback EXPORT finbackTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT finbackTargets NAMESPACE finback:: DESTINATION ${FINBACK_CMAKE_INSTALL})
install(DIRECTORY capi/include/finback DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(FINBACK_KRILL_FILES config.json generation_config.json model.safetensors tokenizer.json
  tokenizer_config.json)
foreach(file ${FINBACK_KRILL_FILES})
  install(FILES examples/krill/${file} DESTINATION ${FINBACK_DATA_INSTALL}/krill OPTIONAL)
endforeach()

# Directories may be configured absolute, which fixes the prefix; else it follows the file, so that a
# tree can be moved. /usr stays where it is, and pkg-config leaves its folders out by name.
set(FINBACK_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(FINBACK_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(kind LIBDIR INCLUDEDIR DATADIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}}")
    set(FINBACK_PC_${kind} "${CMAKE_INSTALL_${kind}}")
  else()
    set(FINBACK_PC_${kind} "\${prefix}/${CMAKE_INSTALL_${kind}}")
  endif()
endforeach()
configure_file(capi/cmake/finback.pc.in ${CMAKE_BINARY_DIR}/finback.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/finback.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(capi/cmake/finbackConfig.cmake.in
  ${CMAKE_BINARY_DIR}/finbackConfig.cmake INSTALL_DESTINATION ${FINBACK_CMAKE_INSTALL}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR FINBACK_DATA_INSTALL)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/finbackConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/finbackConfig.cmake ${CMAKE_BINARY_DIR}/finbackConfigVersion.cmake
  DESTINATION ${FINBACK_CMAKE_INSTALL})
