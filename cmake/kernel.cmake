# Flags of the kernel flavour, and where musl is.
#
# Position independent code links into a kernel at any address, low or high, and lets the image move later; -mcmodel=kernel
# would tie an embedder to the top 2 GiB. The headers are musl's, never glibc's: the image links musl's libc.a.

find_library(MK_MUSL_LIBC NAMES libc.a PATHS /usr/lib/x86_64-linux-musl /usr/lib/musl/lib NO_DEFAULT_PATH)
find_path(MK_MUSL_INCLUDE NAMES stdio.h PATHS /usr/include/x86_64-linux-musl /usr/lib/musl/include NO_DEFAULT_PATH)
if(NOT MK_MUSL_LIBC OR NOT MK_MUSL_INCLUDE)
  message(FATAL_ERROR "musl is missing. On Debian: apt-get install musl-dev (tools/setup installs everything)")
endif()

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
  OUTPUT_VARIABLE compiler_include OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

# Where the libraries' few C functions come from in our own image. An embedder brings its own: this stays out of what is installed.
add_library(mk_libc STATIC IMPORTED GLOBAL)
set_target_properties(mk_libc PROPERTIES IMPORTED_LOCATION ${MK_MUSL_LIBC})

set(MK_KERNEL_COMPILE
  ${MK_WARNINGS} ${MK_REPRODUCIBLE}
  -nostdinc "SHELL:-isystem ${MK_MUSL_INCLUDE}" "SHELL:-isystem ${compiler_include}"
  -ffreestanding -fbuiltin -fpie -fvisibility=hidden -mno-red-zone
  -fstack-protector-strong -mstack-protector-guard=global
  # No frame steps over a guard page; no variable shows what the stack held before (arch/x86_64/README.md has the costs).
  -fstack-clash-protection -ftrivial-auto-var-init=zero
  $<$<AND:$<C_COMPILER_ID:Clang>,$<VERSION_LESS:$<C_COMPILER_VERSION>,16>>:-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang>
  -fno-omit-frame-pointer -fno-asynchronous-unwind-tables
  -ffunction-sections -fdata-sections -fno-common
  -O2 -g
  # clang 14's assembler leaves the prefix map out and names the sources' folder, so there: no debug information.
  $<$<COMPILE_LANG_AND_ID:ASM,Clang>:-g0>)
