# The C++ package: headers, library, the CUDA library and what find_package(coterie CONFIG) reads.
if(SKBUILD)
  set_target_properties(coterie PROPERTIES EXCLUDE_FROM_ALL ON)
  return()
endif()
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/coterie)
install(
  TARGETS coterie
  EXPORT coterieTargets
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT devel
  RUNTIME COMPONENT runtime
  ARCHIVE COMPONENT devel
  FILE_SET HEADERS COMPONENT devel)
install(EXPORT coterieTargets NAMESPACE coterie:: DESTINATION ${config_dir} COMPONENT devel)
configure_package_config_file(cmake/coterieConfig.cmake.in ${PROJECT_BINARY_DIR}/coterieConfig.cmake
                              INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coterieConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coterieConfig.cmake
              ${PROJECT_BINARY_DIR}/coterieConfigVersion.cmake
        DESTINATION ${config_dir} COMPONENT devel)
