#pragma once

#include "core/contract/union_find.hpp"
#include "cuda/runtime.cuh"

namespace coterie::cuda {

/// The parents of a union-find in device memory, while many threads unite.
struct Parents {
  std::int32_t* parents;

  __device__ std::int32_t load(std::int32_t i) const {
#if defined(__CUDACC__)
    std::int32_t parent;
    asm volatile("ld.relaxed.gpu.s32 %0, [%1];" : "=r"(parent) : "l"(parents + i) : "memory");
    return parent;
#else
    return cuda_on_cpu::load_relaxed(parents + i);
#endif
  }
  __device__ void store(std::int32_t i, std::int32_t parent) {
#if defined(__CUDACC__)
    asm volatile("st.relaxed.gpu.s32 [%0], %1;" ::"l"(parents + i), "r"(parent) : "memory");
#else
    cuda_on_cpu::store_relaxed(parents + i, parent);
#endif
  }
  __device__ std::int32_t exchange(std::int32_t i, std::int32_t expected, std::int32_t parent) {
    return atomicCAS(parents + i, expected, parent);
  }
};

}  // namespace coterie::cuda
