# Installs the build into a fresh prefix, then compiles and runs examples/chat.c against it: by pkg-config
# with a plain compiler, and as a CMake project.
set(prefix ${BUILD}/installed)
file(REMOVE_RECURSE ${prefix} ${BUILD}/installed-project)
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
run(pkg-config --cflags --libs finback)
separate_arguments(flags UNIX_COMMAND "${output}")
run(${CC} ${SOURCE}/examples/chat.c ${flags} -Wl,-rpath,${prefix}/${LIBDIR} -o ${prefix}/chat)

file(WRITE ${BUILD}/installed-project/CMakeLists.txt
  "cmake_minimum_required(VERSION 3.25)\nproject(chat C)\nfind_package(finback 0.1 REQUIRED)\n"
  "add_executable(chat ${SOURCE}/examples/chat.c)\ntarget_link_libraries(chat finback::finback)\n")
run(${CMAKE_COMMAND} -S ${BUILD}/installed-project -B ${BUILD}/installed-project/build
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${CC})
run(${CMAKE_COMMAND} --build ${BUILD}/installed-project/build)

if(EXISTS ${prefix}/share/finback/krill/model.safetensors)
  foreach(program ${prefix}/chat ${BUILD}/installed-project/build/chat)
    run(${program} krill "What do baleen whales eat?")
    if(NOT output MATCHES "krill")
      message(FATAL_ERROR "${program} said: ${output}")
    endif()
  endforeach()
endif()
