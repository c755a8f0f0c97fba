#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

// Shared memory is spelt by macros, the one thing that a C++ compiler cannot read as CUDA means it.
// The CUDA-on-CPU test layer defines its own in its cuda_runtime.h.
#ifndef COTERIE_DYNAMIC_SHARED
#define COTERIE_DYNAMIC_SHARED(T, name)                       \
  extern __shared__ __align__(16) unsigned char name##_raw[]; \
  T* const name = reinterpret_cast<T*>(name##_raw)
#define COTERIE_SHARED(T, name, count) __shared__ T name[count]
#endif

namespace coterie::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

struct CudaError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(cudaError_t status, std::source_location at = std::source_location::current()) {
  if (status == cudaSuccess) return;
  throw CudaError(std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status) +
                  " at " + at.file_name() + ":" + std::to_string(at.line()));
}

/// A queue of work on the device, in order; it does not wait for the work of others.
class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking)); }
  ~Stream() { static_cast<void>(cudaStreamDestroy(handle_)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  operator cudaStream_t() const { return handle_; }
  void wait() const { check(cudaStreamSynchronize(handle_)); }

 private:
  cudaStream_t handle_ = nullptr;
};

/// A place in a stream's queue, for others to wait until all before it is done.
class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&handle_, cudaEventDisableTiming)); }
  ~Event() { static_cast<void>(cudaEventDestroy(handle_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { check(cudaEventRecord(handle_, stream)); }
  void wait() const { check(cudaEventSynchronize(handle_)); }
  /// Nothing queued from now on starts before it.
  void hold_up(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, handle_, 0)); }

 private:
  cudaEvent_t handle_ = nullptr;
};

/// Starts a kernel. A function, not chevrons, so that a C++ compiler can read the sources too.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 blocks, int threads, std::size_t shared_bytes,
            cudaStream_t stream, Args&&... args) {
  if (blocks.x == 0) return;  // CUDA rejects an empty grid
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...));
}

/// Multiprocessors of the device in use.
inline int multiprocessors() {
  int device = 0;
  int count = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}

/// Blocks for `items` when each block takes `per_block` at a time and comes round again: enough to
/// fill the device, no more than there is work for.
inline unsigned grid_for(std::int64_t items, std::int64_t per_block) {
  constexpr std::int64_t kWaves = 8;
  const std::int64_t needed = (items + per_block - 1) / per_block;
  const std::int64_t full = kWaves * multiprocessors();
  return static_cast<unsigned>(needed < full ? needed : full);
}

}  // namespace coterie::cuda
