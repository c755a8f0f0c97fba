#pragma once

#include <string>
#include <vector>

#include "coterie/export.hpp"

namespace coterie {

/// One device kind and whether it can be used here.
struct DeviceInfo {
  std::string kind;  // "cpu" or "cuda"
  bool usable = false;
  std::string detail;  // what it is, or what was looked for and why it cannot be used
};

/// The CPU and the GPU, in this order. Loads the CUDA library when it is there. Never throws for
/// the lack of a GPU.
COTERIE_API std::vector<DeviceInfo> devices();

/// Instruction set that the CPU passes use: "baseline", "avx2" or "avx512". COTERIE_SIMD forces
/// one.
COTERIE_API std::string simd_level();

/// The library's version, such as "0.1.0".
COTERIE_API std::string version();

}  // namespace coterie
