# The toolchain of released binaries: this machine's GCC 12 or newer (or its cross compiler for GMR_ARCH=aarch64) on the
# headers and libraries of Debian 11 in GMR_SYSROOT, so that what is built runs wherever Node 20 does
# (scripts/sysroot.mjs makes the sysroot, scripts/symbol_floor.mjs checks the result).
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GMR_ARCH GMR_SYSROOT)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${GMR_ARCH})
set(triple ${GMR_ARCH}-linux-gnu)

set(gmr_flags "--sysroot=${GMR_SYSROOT}" -nostdinc++)
foreach(folder c++/10 ${triple}/c++/10 c++/10/backward)
  list(APPEND gmr_flags -isystem ${GMR_SYSROOT}/usr/include/${folder})
endforeach()
list(APPEND gmr_flags -include ${CMAKE_CURRENT_LIST_DIR}/glibc_floor.h)
# The binaries show no path of the machine that built them, and are the same wherever that was.
get_filename_component(gmr_root ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
list(APPEND gmr_flags -ffile-prefix-map=${gmr_root}=.)
list(APPEND gmr_flags -w)  # GCC 12 warns about old headers; the build of npm test heeds every warning
# Flags that belong to the compiler itself: cmake-js overrides CMAKE_CXX_FLAGS.
set(CMAKE_CXX_COMPILER ${triple}-g++ ${gmr_flags})
list(JOIN gmr_flags "," gmr_host_flags)
set(CMAKE_CUDA_FLAGS_INIT "-Xcompiler=${gmr_host_flags}")

set(gmr_libraries "--sysroot=${GMR_SYSROOT}")
foreach(folder usr/lib/${triple} lib/${triple})
  string(APPEND gmr_libraries " -L${GMR_SYSROOT}/${folder}")
endforeach()
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT ${gmr_libraries})
endforeach()
