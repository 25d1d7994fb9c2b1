# What `cmake --install` puts where, so that other projects can say find_package(superpose) and link superpose::client.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set_target_properties(superpose_client PROPERTIES EXPORT_NAME client)
set_target_properties(superpose_proto PROPERTIES EXPORT_NAME proto)
set_target_properties(superpose_crc32c PROPERTIES EXPORT_NAME crc32c)
# The headers name each other as in the sources, "client/cpp/..", and google/rpc is ours alone: both lie under
# include/superpose, not beside other projects' folders.
foreach(library superpose_client superpose_proto)
  target_include_directories(${library} PUBLIC "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
                                               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/superpose>")
endforeach()
target_compile_features(superpose_client PUBLIC cxx_std_20)

install(TARGETS superpose_client superpose_proto superpose_crc32c EXPORT superposeTargets ARCHIVE COMPONENT client)
install(FILES package/superpose/client.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/superpose" COMPONENT client)
install(FILES activations.h analysis.h client.h errors.h options.h prompts.h tensor.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/superpose/client/cpp" COMPONENT client)
install(DIRECTORY "${CMAKE_BINARY_DIR}/proto/generated/superpose/v1" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/superpose"
        COMPONENT client FILES_MATCHING PATTERN "*.pb.h")
install(DIRECTORY "${CMAKE_BINARY_DIR}/proto/generated/google" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/superpose"
        COMPONENT client FILES_MATCHING PATTERN "*.pb.h")

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/superpose")
configure_package_config_file(package/superposeConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/superposeConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/superposeConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(EXPORT superposeTargets NAMESPACE superpose:: DESTINATION "${package_dir}" COMPONENT client)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/superposeConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/superposeConfigVersion.cmake"
        DESTINATION "${package_dir}" COMPONENT client)
