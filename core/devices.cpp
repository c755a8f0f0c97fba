#include "coterie/devices.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "core/checks.hpp"
#include "core/device.hpp"
#include "cpu/device_table.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr const char* kLibrary = "libcoterie_cuda.so";

/// What became of the search for the CUDA library.
struct LoadedLibrary {
  const DeviceTable* table = nullptr;
  std::string detail;
};

/// The CUDA library lies beside the library (or extension module) that holds this function.
std::string library_path() {
  if (const char* named = std::getenv("COTERIE_CUDA_LIBRARY"); named != nullptr && *named != '\0') {
    return named;
  }
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&library_path), &self) == 0) return kLibrary;
  const std::string file = self.dli_fname;
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? kLibrary : file.substr(0, slash + 1) + kLibrary;
}

LoadedLibrary load_library() {
  const std::string path = library_path();
  // Never closed: its table and the tables' functions stay in use.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return {nullptr, "no CUDA library: " + std::string(reason ? reason : path)};
  }
  const auto entry = reinterpret_cast<DeviceLibraryEntry>(dlsym(library, kDeviceLibraryEntry));
  if (entry == nullptr) return {nullptr, path + " is no CUDA library of coterie"};
  const DeviceLibrary* answer = entry(cpu::parallel_for);
  if (answer == nullptr) return {nullptr, path + " names no device"};
  const DeviceLibrary& found = *answer;
  if (found.abi != DeviceTable::kAbi) {
    return {nullptr, path + " has ABI " + std::to_string(found.abi) + ", this build needs " +
                         std::to_string(DeviceTable::kAbi)};
  }
  return {found.table, found.detail};
}

const LoadedLibrary& cuda_library() {
  static const LoadedLibrary loaded = load_library();
  return loaded;
}

}  // namespace

const DeviceTable& device_table(Device device) {
  if (device != Device::Cuda) return cpu::device_table();
  const LoadedLibrary& cuda = cuda_library();
  if (cuda.table != nullptr) return *cuda.table;
  throw DeviceUnavailable("device \"cuda\" is not usable: " + cuda.detail);
}

Device device_for(Memory memory, const Context& ctx) {
  if (memory == Memory::Host) return ctx.device;
  require_argument(
      ctx.device != Device::Cpu,
      "x lies on a GPU, so device must be \"auto\" or \"cuda\", got \"cpu\": copy x to "
      "the host first");
  return Device::Cuda;
}

const DeviceTable* automatic_gpu() {
  constexpr bool kVerified = COTERIE_CUDA_VERIFIED;
  return kVerified ? cuda_library().table : nullptr;
}

std::vector<DeviceInfo> devices() {
  const LoadedLibrary& cuda = cuda_library();
  return {{"cpu", true, "instruction set " + simd_level()},
          {"cuda", cuda.table != nullptr, cuda.detail}};
}

std::string simd_level() { return cpu::leaves().name; }

std::string version() { return COTERIE_VERSION; }

}  // namespace coterie
