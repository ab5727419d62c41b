# `cmake --install` and find_package(microkernelia): every library in the flavours that are built, as microkernelia::NAME
# (hosted) and microkernelia::NAME_kernel, their public headers, the host tools with their manual pages, the licences.
# What is installed works in any folder: nothing in it names the prefix, the sources or the build folder.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/microkernelia)

install(EXPORT microkernelia NAMESPACE microkernelia:: FILE microkerneliaTargets.cmake DESTINATION ${package_folder})
# arch links only by its linker script, which an embedder may copy and change.
set(linker_script_folder ${CMAKE_INSTALL_DATADIR}/microkernelia)
if(MK_KERNEL)
  install(FILES arch/x86_64/kernel.ld DESTINATION ${linker_script_folder})
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/microkerneliaConfig.cmake.in
  ${CMAKE_BINARY_DIR}/package/microkerneliaConfig.cmake INSTALL_DESTINATION ${package_folder}
  PATH_VARS linker_script_folder)
# Before 1.0 every minor version may change what a header promises.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/microkerneliaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_BINARY_DIR}/package/microkerneliaConfig.cmake
  ${CMAKE_BINARY_DIR}/package/microkerneliaConfigVersion.cmake
  DESTINATION ${package_folder})
install(FILES LICENSE cmake/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
