// Libraries that are not what COTERIE_CUDA_LIBRARY should name; COTERIE_OTHER_LIBRARY picks one.
#include <cstdlib>
#include <string>

#include "core/contract/device.hpp"

extern "C" __attribute__((visibility("default"))) const coterie::DeviceLibrary*
coterie_device_library(coterie::ParallelFor) {
  static const coterie::DeviceLibrary older{.abi = coterie::DeviceTable::kAbi - 1};
  const char* which = std::getenv("COTERIE_OTHER_LIBRARY");
  return which != nullptr && std::string(which) == "older" ? &older : nullptr;
}
