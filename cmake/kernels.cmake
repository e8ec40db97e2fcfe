# Files of core/kernels/ and its folders that are compiled for one instruction set, by the end of their names:
# name_SUFFIX.cc is compiled with the flags that follow, and without link-time optimization, for processors that match
# PROCESSOR, and for no others.
function(finback_kernel_flags SUFFIX PROCESSOR)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/kernels/*_${SUFFIX}.cc
    ${PROJECT_SOURCE_DIR}/core/kernels/*/*_${SUFFIX}.cc)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${PROCESSOR})$")
    set(flags ${ARGN} -fno-lto)
    set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "${flags}")
  else()
    set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY ON)
  endif()
endfunction()

# gcc 12 takes registers that its own AVX-512 intrinsics leave undefined for mistakes.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(avx512_quiet -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set(avx2 -mavx2 -mfma -mf16c)
set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni ${avx512_quiet})
finback_kernel_flags(avx2 "x86_64|AMD64" ${avx2})
finback_kernel_flags(avx512 "x86_64|AMD64" ${avx512})
finback_kernel_flags(avx512bf16 "x86_64|AMD64" ${avx512} -mavx512bf16 -mavx512vbmi)
finback_kernel_flags(neon "aarch64|arm64")
finback_kernel_flags(neondot "aarch64|arm64" -march=armv8.2-a+dotprod)
finback_kernel_flags(neonbf16 "aarch64|arm64" -march=armv8.2-a+bf16)
