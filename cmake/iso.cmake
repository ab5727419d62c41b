# The boot image, and the helper targets for the whole: image-iso, build-all, qemu. (link-elf is the kernel's.)
#
# The model that travels in the image is a boot module; its file name is the model's name.

if(NOT MK_KERNEL)
  return()
endif()

set(MK_ISO ${CMAKE_BINARY_DIR}/microkernelia.iso)
set(MK_DEFAULT_MODEL ${CMAKE_SOURCE_DIR}/airt/models/guide.kv)

add_custom_command(OUTPUT ${MK_ISO}
  COMMAND ${CMAKE_COMMAND} -E env STRIP=${CMAKE_STRIP}
    ${CMAKE_SOURCE_DIR}/tools/mk-iso ${MK_ISO} $<TARGET_FILE:microkernelia> ${MK_DEFAULT_MODEL}
  DEPENDS microkernelia ${MK_DEFAULT_MODEL} ${CMAKE_SOURCE_DIR}/tools/mk-iso
  COMMENT "Making the boot image microkernelia.iso" VERBATIM)
add_custom_target(image-iso ALL DEPENDS ${MK_ISO})

if(MK_HOSTED)
  add_custom_target(build-all DEPENDS image-iso mcp-cli mk-model vsock-bridge)

  # Interactive: the prompt of mcp-cli in front of a VM of its own.
  add_custom_target(qemu
    COMMAND ${CMAKE_COMMAND} -E env MK_BUILD=${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}/tools/run --no-build
    DEPENDS build-all USES_TERMINAL VERBATIM)
endif()
