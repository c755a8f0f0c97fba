#pragma once

// What the host calls. The names are CUDA's. Everything is done when the call returns, but for
// copies from page-locked memory (streams.hpp).

#include <tuple>
#include <utility>

#include "emulated/grid.hpp"
#include "emulated/streams.hpp"

#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDefault = 4
};
enum cudaMemoryType { cudaMemoryTypeHost = 1, cudaMemoryTypeDevice = 2, cudaMemoryTypeManaged = 3 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum { cudaStreamNonBlocking = 1 };
enum { cudaEventDisableTiming = 2 };

using cudaStream_t = cuda_on_cpu_stream*;
using cudaEvent_t = cuda_on_cpu_event*;

struct cudaDeviceProp {
  char name[256];
  int major;
  int minor;
};

struct cudaFuncAttributes {};

struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

/// COTERIE_EMULATED_DEVICES, 1 when it is not set; none with too old a driver.
cudaError_t cudaGetDeviceCount(int* count);
/// COTERIE_EMULATED_DRIVER, CUDART_VERSION when it is not set.
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total);

/// All memory is the device's.
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory);
cudaError_t cudaDeviceSynchronize();

cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t status);
const char* cudaGetErrorString(cudaError_t status);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

/// Page-locked memory; fails for more than COTERIE_EMULATED_PINNED bytes, if that is set.
cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
cudaError_t cudaFreeHost(void* memory);

/// Fails beyond COTERIE_EMULATED_MEMORY bytes in all (8 GiB when it is not set).
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);

namespace cuda_on_cpu {

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   const std::function<void()>& body);
cudaError_t allow_dynamic_shared(const void* kernel, int bytes);
bool has_code();

}  // namespace cuda_on_cpu

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...),
                               Args&&... args) {
  const std::tuple<Params...> copies(std::forward<Args>(args)...);
  return cuda_on_cpu::launch(*config, reinterpret_cast<const void*>(kernel),
                             [&] { std::apply(kernel, copies); });
}

template <class... Params>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Params...), cudaFuncAttribute, int bytes) {
  return cuda_on_cpu::allow_dynamic_shared(reinterpret_cast<const void*>(kernel), bytes);
}

/// Fails as on a GPU that the build has no code for when COTERIE_EMULATED_CODE is 0.
template <class... Params>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, void (*)(Params...)) {
  return cuda_on_cpu::has_code() ? cudaSuccess : cudaErrorInvalidDeviceFunction;
}

template <class... Params>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*)(Params...), int,
                                                          std::size_t) {
  *blocks = 2;
  return cudaSuccess;
}
