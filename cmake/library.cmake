# The one function that declares a library, in both flavours, from the same sources:
#
#   mk_library(NAME SOURCES file... [USES library...] [EXTERNAL dir...])
#
#   NAME         the hosted flavour: glibc, sanitizers or coverage where they are switched on; what the host tools and
#                the unit tests link. Exported as microkernelia::NAME.
#   NAME_kernel  the kernel flavour: freestanding, position independent (it links into a kernel at any address), no red
#                zone, stack protector with the global guard. Exported as microkernelia::NAME_kernel.
#
# USES names the libraries whose public headers this one may include; EXTERNAL further include folders (jsmn).
# A library's public headers stand in its own include/ folder; everything else in its folder is private to it.

set(MK_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla)
if(MK_WERROR)
  list(APPEND MK_WARNINGS -Werror)
endif()

# A build in another folder gives the identical file: no absolute path enters it.
# The build folder may lie in the sources; gcc takes the last map that fits. Debug information names it without a slash.
set(MK_REPRODUCIBLE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)

set(MK_HOSTED_COMPILE ${MK_WARNINGS} ${MK_REPRODUCIBLE})
set(MK_HOSTED_LINK "")
if(MK_SANITIZE)
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  list(APPEND MK_HOSTED_COMPILE ${sanitizers})
  list(APPEND MK_HOSTED_LINK ${sanitizers})
endif()
if(MK_FUZZ)
  set(sanitizers -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  list(APPEND MK_HOSTED_COMPILE ${sanitizers})
  list(APPEND MK_HOSTED_LINK ${sanitizers})
endif()
if(MK_COVERAGE)
  list(APPEND MK_HOSTED_COMPILE --coverage -fprofile-update=atomic)
  list(APPEND MK_HOSTED_LINK --coverage)
endif()

function(mk_library name)
  cmake_parse_arguments(LIB "" "" "SOURCES;USES;EXTERNAL" ${ARGN})

  set(flavours "")
  if(MK_HOSTED)
    list(APPEND flavours hosted)
  endif()
  if(MK_KERNEL)
    list(APPEND flavours kernel)
  endif()
  foreach(flavour IN LISTS flavours)
    if(flavour STREQUAL kernel)
      set(target ${name}_kernel)
      set(suffix _kernel)
      set(compile ${MK_KERNEL_COMPILE})
    else()
      set(target ${name})
      set(suffix "")
      set(compile ${MK_HOSTED_COMPILE})
    endif()
    add_library(${target} STATIC ${LIB_SOURCES})
    add_library(microkernelia::${target} ALIAS ${target})
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/microkernelia>)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_include_directories(${target} SYSTEM PRIVATE ${LIB_EXTERNAL})
    target_compile_options(${target} PRIVATE ${compile})
    if(flavour STREQUAL hosted)
      target_link_options(${target} PUBLIC ${MK_HOSTED_LINK})
    else()
      target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:mk_libc>)
    endif()
    foreach(used IN LISTS LIB_USES)
      target_link_libraries(${target} PUBLIC ${used}${suffix})
    endforeach()
    install(TARGETS ${target} EXPORT microkernelia ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/microkernelia)
  endforeach()
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/microkernelia)
endfunction()

# mk_executable(NAME SOURCES file... [USES target...]): a program that runs on the host.
function(mk_executable name)
  cmake_parse_arguments(EXE "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${EXE_SOURCES})
  target_compile_options(${name} PRIVATE ${MK_HOSTED_COMPILE})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE MK_VERSION="${PROJECT_VERSION}")
  target_link_options(${name} PRIVATE ${MK_HOSTED_LINK})
  target_link_libraries(${name} PRIVATE ${EXE_USES})
endfunction()

# mk_unit_test(NAME SOURCES file... [USES target...] [PRIVATE_OF folder...] [SECONDS n]): a cmocka program, one CTest test,
# labelled `unit`. PRIVATE_OF lets a test include a library's private headers.
function(mk_unit_test name)
  cmake_parse_arguments(TEST "" "SECONDS" "SOURCES;USES;PRIVATE_OF" ${ARGN})
  mk_executable(test_${name} SOURCES ${TEST_SOURCES} USES ${TEST_USES} cmocka)
  foreach(folder IN LISTS TEST_PRIVATE_OF)
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/${folder})
  endforeach()
  add_test(NAME unit.${name} COMMAND test_${name})
  if(NOT TEST_SECONDS)
    set(TEST_SECONDS 60)
  endif()
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT ${TEST_SECONDS})
  if(MK_COVERAGE)
    set_tests_properties(unit.${name} PROPERTIES FIXTURES_SETUP unit_tests)
  endif()
endfunction()
