# A toolchain file: mcp-cli for Windows, by mingw-w64. Its libraries are looked for in CMAKE_PREFIX_PATH alone.
#
#   cmake -G Ninja -B build-windows --toolchain cmake/windows.cmake -DMK_KERNEL=OFF -DCMAKE_PREFIX_PATH=where jansson is
#   cmake --build build-windows --target mcp-cli
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_ASM_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 ${CMAKE_PREFIX_PATH})
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
# Not what pkg-config knows of the system that builds.
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_PREFIX_PATH}/lib/pkgconfig)
