#pragma once

#include <string>

#include "coterie/context.hpp"
#include "cuda/runtime.cuh"

namespace coterie::cuda {

/// The device's memory is used up: says how much was needed and how much is free.
inline OutOfMemory out_of_device_memory(std::size_t needed) {
  std::size_t available = 0;
  std::size_t total = 0;
  static_cast<void>(cudaMemGetInfo(&available, &total));
  return OutOfMemory("the GPU is out of memory: " + std::to_string(needed) +
                     " bytes were needed, " + std::to_string(available) + " of " +
                     std::to_string(total) + " are free; take device=\"cpu\" or fewer rows");
}

/// Elements in device memory, not initialised, allocated and freed in the order of a stream.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::int64_t size, cudaStream_t stream) : size_(size), stream_(stream) {
    if (size == 0) return;
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    void* memory = nullptr;
    const cudaError_t status = cudaMallocAsync(&memory, bytes, stream);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());  // it is reported here, not by the next launch
      throw out_of_device_memory(bytes);
    }
    check(status);
    data_ = static_cast<T*>(memory);
  }
  ~Buffer() {
    if (data_ != nullptr) static_cast<void>(cudaFreeAsync(data_, stream_));
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }

  /// Makes room for `size` elements; what was in it is lost when it has to grow.
  void reserve(std::int64_t size, cudaStream_t stream) {
    if (size > size_) *this = Buffer(size, stream);
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(stream_, other.stream_);
  }

  T* data_ = nullptr;
  std::int64_t size_ = 0;
  cudaStream_t stream_ = nullptr;
};

/// Copies memory of the host, or of the device, to the device. Host memory may go as soon as the
/// call returns.
template <class T>
void upload(const T* from, std::int64_t count, T* to, cudaStream_t stream) {
  if (count == 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyDefault,
                        stream));
}

/// Copies device memory to the host, or within the device; waits for it and everything before it.
template <class T>
void download(const T* from, std::int64_t count, T* to, cudaStream_t stream) {
  if (count != 0) {
    check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyDefault,
                          stream));
  }
  check(cudaStreamSynchronize(stream));
}

template <class T>
void fill_zero(Buffer<T>& buffer, cudaStream_t stream) {
  if (buffer.size() != 0) check(cudaMemsetAsync(buffer.data(), 0, buffer.bytes(), stream));
}

}  // namespace coterie::cuda
