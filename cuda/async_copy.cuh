#pragma once

#include <cstring>

#include "cuda/runtime.cuh"

// Copies from global to shared memory that go on while the thread computes. A thread sees what it
// copied after wait_for_copies(), the block's other threads after a barrier behind that.

namespace coterie::cuda {

/// Starts to copy `present` bytes, and zeros up to kBytes. Both addresses are multiples of kBytes,
/// also where nothing is present.
template <int kBytes>
__device__ void copy_async(void* shared, const void* global, int present = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#if !defined(__CUDACC__)
  cuda_on_cpu::start_copy(shared, global, static_cast<std::size_t>(present),
                          static_cast<std::size_t>(kBytes - present));
#elif __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (kBytes == 16) {  // past the first-level cache, which takes no smaller ones
    asm volatile("cp.async.cg.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global),
                 "n"(kBytes), "r"(present)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global),
                 "n"(kBytes), "r"(present)
                 : "memory");
  }
#else
  memset(shared, 0, kBytes);
  memcpy(shared, global, static_cast<std::size_t>(present));
#endif
}

/// Makes a group of the copies that this thread has started since the last group.
__device__ inline void commit_copies() {
#if !defined(__CUDACC__)
  cuda_on_cpu::commit_copies();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until all of this thread's groups but the last kGroupsLeft have arrived.
template <int kGroupsLeft>
__device__ void wait_for_copies() {
#if !defined(__CUDACC__)
  cuda_on_cpu::wait_for_copies(kGroupsLeft);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
#endif
}

}  // namespace coterie::cuda
