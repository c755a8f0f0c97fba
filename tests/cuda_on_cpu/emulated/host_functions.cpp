#include "emulated/host_functions.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace {

constexpr int kMultiprocessors = 2;  // few, so that small grids already go round more than once
constexpr int kComputeCapabilityMajor = 9;
constexpr std::size_t kSharedBytesUnasked = 48 * 1024;
constexpr int kRubbish = 0xcd;

struct State {
  std::mutex mutex;
  std::string failure;  // of a kernel; told by the next call that waits, until it is asked for
  std::map<const void*, std::size_t> shared_limits;  // of kernels that asked for more
  std::map<void*, std::size_t> allocated;
  std::size_t allocated_bytes = 0;
};

State& state() {
  static State the_one;
  return the_one;
}

/// What the environment says, or what holds when it says nothing.
std::size_t setting(const char* name, std::size_t unset) {
  const char* value = std::getenv(name);
  return value == nullptr ? unset : std::strtoull(value, nullptr, 10);
}

std::size_t memory_limit() { return setting("COTERIE_EMULATED_MEMORY", std::size_t{8} << 30); }

}  // namespace

cudaError_t cudaGetDeviceCount(int* count) {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  *count = static_cast<int>(setting("COTERIE_EMULATED_DEVICES", 1));
  if (driver < CUDART_VERSION) return cudaErrorInsufficientDriver;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = static_cast<int>(setting("COTERIE_EMULATED_DRIVER", CUDART_VERSION));
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name,
                "CUDA emulated on the CPU for tests, not a GPU");
  properties->major = 9;
  properties->minor = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = kComputeCapabilityMajor;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(cuda_on_cpu::kMaxSharedBytes);
      break;
  }
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  const std::lock_guard lock(state().mutex);
  *total = memory_limit();
  *available = *total > state().allocated_bytes ? *total - state().allocated_bytes : 0;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void*) {
  *attributes = {cudaMemoryTypeDevice, 0};
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  cuda_on_cpu::catch_up_all();
  return cudaStreamSynchronize(nullptr);
}

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(state().mutex);
  const bool failed = !std::exchange(state().failure, {}).empty();
  return failed ? cudaErrorLaunchFailure : cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorInvalidDeviceFunction:
      return "cudaErrorInvalidDeviceFunction";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    default:
      return "cudaErrorInvalidValue";
  }
}

const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorInvalidDeviceFunction:
      return "invalid device function";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorLaunchFailure:
      return state().failure.c_str();
    default:
      return "invalid argument";
  }
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!cuda_on_cpu::stream_exists(stream)) return cudaErrorInvalidResourceHandle;
  cuda_on_cpu::catch_up(stream);
  const std::lock_guard lock(state().mutex);
  return state().failure.empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t) {
  const std::lock_guard lock(state().mutex);
  if (bytes > memory_limit() || state().allocated_bytes > memory_limit() - bytes) {
    return cudaErrorMemoryAllocation;
  }
  *memory = std::malloc(bytes);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*memory, kRubbish, bytes);
  state().allocated[*memory] = bytes;
  state().allocated_bytes += bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  cuda_on_cpu::catch_up(stream);
  const std::lock_guard lock(state().mutex);
  const auto found = state().allocated.find(memory);
  if (found == state().allocated.end()) return cudaErrorInvalidValue;
  state().allocated_bytes -= found->second;
  state().allocated.erase(found);
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  if (!cuda_on_cpu::stream_exists(stream)) return cudaErrorInvalidResourceHandle;
  if (cuda_on_cpu::is_pinned(from)) {
    cuda_on_cpu::put_off_copy(stream, to, from, bytes);
    return cudaSuccess;
  }
  cuda_on_cpu::catch_up(stream);
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind, cudaStream_t stream) {
  if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
  cuda_on_cpu::catch_up(stream);
  for (std::size_t i = 0; i < height; ++i) {
    std::memcpy(static_cast<char*>(to) + i * to_pitch,
                static_cast<const char*>(from) + i * from_pitch, width);
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  cuda_on_cpu::catch_up(stream);
  std::memset(memory, value, bytes);
  return cudaSuccess;
}

namespace cuda_on_cpu {

bool has_code() { return setting("COTERIE_EMULATED_CODE", 1) != 0; }

cudaError_t allow_dynamic_shared(const void* kernel, int bytes) {
  const std::lock_guard lock(state().mutex);
  if (bytes < 0 || static_cast<std::size_t>(bytes) > kMaxSharedBytes) return cudaErrorInvalidValue;
  state().shared_limits[kernel] = static_cast<std::size_t>(bytes);
  return cudaSuccess;
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   const std::function<void()>& body) {
  catch_up(config.stream);
  std::size_t shared_limit = kSharedBytesUnasked;
  {
    const std::lock_guard lock(state().mutex);
    if (!state().failure.empty()) return cudaErrorLaunchFailure;
    const auto asked = state().shared_limits.find(kernel);
    if (asked != state().shared_limits.end()) shared_limit = std::max(shared_limit, asked->second);
  }
  const std::size_t threads =
      std::size_t{config.blockDim.x} * config.blockDim.y * config.blockDim.z;
  const dim3 grid = config.gridDim;
  const bool empty = threads == 0 || grid.x == 0 || grid.y == 0 || grid.z == 0;
  if (empty || threads > kMaxThreads || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) {
    return cudaErrorInvalidConfiguration;
  }
  if (config.dynamicSmemBytes > shared_limit) return cudaErrorInvalidValue;
  std::string failure = run_grid(grid, config.blockDim, config.dynamicSmemBytes, body);
  const std::lock_guard lock(state().mutex);
  state().failure = std::move(failure);
  return cudaSuccess;
}

}  // namespace cuda_on_cpu
