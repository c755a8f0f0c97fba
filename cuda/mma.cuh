#pragma once

#include "cuda/runtime.cuh"

// Products on tensor cores: what is PTX here the CUDA-on-CPU test layer has as functions.

namespace coterie::cuda {

/// The bits of the nearest number that tensor cores take, one with 10 bits behind the point; a tie
/// goes away from zero.
__device__ inline unsigned to_tf32(float value) {
#if !defined(__CUDACC__)
  return cuda_on_cpu::to_tf32(value);
#elif __CUDA_ARCH__ >= 800
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
#else
  __trap();  // the caller has to look at the device's compute capability
#endif
}

/// sum += a * b, where a warp holds a 16 x 8 matrix, an 8 x 8 one and a 16 x 8 sum. In the lane
/// 4 g + t lie, as (row, column):
///   a    (g, t)    (g + 8, t)      (g, t + 4)    (g + 8, t + 4)
///   b    (t, g)    (t + 4, g)
///   sum  (g, 2 t)  (g, 2 t + 1)    (g + 8, 2 t)  (g + 8, 2 t + 1)
/// a and b come from to_tf32(). Products are exact; the order of the additions is the device's own,
/// and each may be cut off instead of rounded. Compute capability 8.0 and later.
__device__ inline void multiply_add_tf32(float (&sum)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[2]) {
#if !defined(__CUDACC__)
  cuda_on_cpu::multiply_add_tf32(sum, a, b);
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}

}  // namespace coterie::cuda
