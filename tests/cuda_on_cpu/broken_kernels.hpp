#pragma once

// Kernels with a fault each, beside their sound twins, which more than one of the tests run.

#include "cuda/async_copy.cuh"
#include "cuda/buffer.cuh"
#include "cuda/dbscan_parents.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {

inline constexpr int kThreads = 128;

enum class Fault { None, MissingBarrier, MissingBarrierBeforeReuse };

/// Each thread doubles the value that its neighbour brought, in two rounds over one shared array.
template <Fault fault>
__global__ void relay_kernel(const unsigned* in, unsigned* out) {
  COTERIE_SHARED(unsigned, row, kThreads);
  unsigned value = in[threadIdx.x];
  for (int round = 0; round < 2; ++round) {
    row[threadIdx.x] = value;
    if (fault != Fault::MissingBarrier) __syncthreads();
    value = 2 * row[(threadIdx.x + 1) % kThreads];
    if (fault != Fault::MissingBarrierBeforeReuse) __syncthreads();
  }
  out[threadIdx.x] = value;
}

/// A sum that the block's first thread reads before the warps have added to it.
template <bool broken>
__global__ void block_sum_kernel(Word* out) {
  COTERIE_SHARED(Word, sum, 1);
  if (threadIdx.x == 0) sum[0] = 0;
  __syncthreads();
  block_add(sum, threadIdx.x);
  if (!broken) __syncthreads();
  if (threadIdx.x == 0) *out = sum[0];
}

enum class CopyFault { None, NotWaitedFor, NoBarrier, TooEarly };

/// Two rounds through one tile: each thread fetches a number and reads its neighbour's.
template <CopyFault fault>
__global__ void fetch_kernel(const int* in, int* out) {
  COTERIE_SHARED(int, tile, kThreads);
  for (int round = 0; round < 2; ++round) {
    if (round != 0 && fault != CopyFault::TooEarly) __syncthreads();
    copy_async<4>(&tile[threadIdx.x], &in[round * kThreads + threadIdx.x]);
    commit_copies();
    if (fault != CopyFault::NotWaitedFor) wait_for_copies<0>();
    if (fault != CopyFault::NoBarrier) __syncthreads();
    out[round * kThreads + threadIdx.x] = tile[(threadIdx.x + 1) % kThreads];
  }
}

enum class UnionFault { None, NoAtomic, LooksTooEarly };

/// The parents of a union-find; the broken ones are linked as if no other thread linked.
template <UnionFault fault>
struct LinkedParents : Parents {
  __device__ std::int32_t exchange(std::int32_t i, std::int32_t expected, std::int32_t parent) {
    if (fault != UnionFault::NoAtomic) return Parents::exchange(i, expected, parent);
    const std::int32_t found = parents[i];
    if (found == expected) parents[i] = parent;
    return found;
  }
};

/// A block unites its last row with all others; or looks for its root, and then links what may be a
/// root no more.
template <UnionFault fault>
__global__ void star_kernel(std::int32_t* rows) {
  LinkedParents<fault> parents{{rows}};
  const auto row = static_cast<std::int32_t>(threadIdx.x);
  const auto last = static_cast<std::int32_t>(blockDim.x) - 1;
  if (fault != UnionFault::LooksTooEarly) {
    unite(parents, row, last);
    return;
  }
  const std::int32_t root = find_root(parents, last);
  __syncthreads();
  if (row != root) parents.store(root, row);
}

}  // namespace coterie::cuda
