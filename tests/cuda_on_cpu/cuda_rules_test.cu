// What the project's kernels take for granted of CUDA: threads, warps, memory and launches. The
// CUDA-on-CPU layer and a GPU run these alike; that the layer is right is shown by the GPU.
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "cuda/buffer.cuh"
#include "cuda/dbscan_parents.cuh"
#include "cuda/reduce.cuh"
#include "tests/cuda_on_cpu/cuda_on_cpu_test.hpp"

namespace coterie::cuda {
namespace {

using cuda_on_cpu_testing::EachOrder;
using cuda_on_cpu_testing::OnDevice;

__global__ void number_kernel(std::int64_t count, int* out) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    out[i] += static_cast<int>(i) + 1;
  }
}

__global__ void shape_kernel(unsigned* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  atomicAdd(&out[block * blockDim.x * blockDim.y * blockDim.z + thread], 1U);
}

__global__ void neighbour_kernel(const int* in, int* out) {
  COTERIE_SHARED(int, row, 64);
  row[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = row[(threadIdx.x + 1) % 64];
}

__global__ void dynamic_neighbour_kernel(const int* in, int* out) {
  COTERIE_DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = row[(threadIdx.x + 1) % blockDim.x];
}

/// Each block counts in shared memory of its own.
__global__ void own_count_kernel(int* out) {
  COTERIE_SHARED(int, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  atomicAdd(count, 1);
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = count[0];
}

__global__ void warp_kernel(std::int64_t* sums, double* largest, unsigned* ballots) {
  const unsigned i = threadIdx.x;
  sums[i] = warp_sum(i);
  largest[i] = warp_max(-static_cast<double>(i));
  ballots[i] = __ballot_sync(kAllLanes, i % 3 == 0);
}

/// A warp hears from its lane 5; each thread counts to the first bit of its number.
__global__ void broadcast_kernel(int* from_lane, unsigned* first_bits) {
  const int mine = 100 + static_cast<int>(threadIdx.x);
  from_lane[threadIdx.x] = __shfl_sync(kAllLanes, mine, 5);
  first_bits[threadIdx.x] = static_cast<unsigned>(__ffs(threadIdx.x));
}

/// Threads of all blocks want the place; a chain of rows becomes one component.
__global__ void exchange_kernel(int* place, int* winners, std::int32_t* rows) {
  const int me = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) + 1;
  if (atomicCAS(place, 0, me) == 0) atomicAdd(winners, me);
  Parents parents{rows};
  unite(parents, me - 1, me);
}

__global__ void half_warps_kernel(int* out) {
  const unsigned half = threadIdx.x < 16 ? 0x0000ffffU : 0xffff0000U;
  int value = static_cast<int>(threadIdx.x);
  if (threadIdx.x < 16) {  // the halves do different numbers of operations
    value = __shfl_xor_sync(half, value, 1);
    value = __shfl_xor_sync(half, value, 2);
  } else {
    value = __shfl_xor_sync(half, value, 1);
  }
  out[threadIdx.x] = value;
}

/// A lane hands a value on through shared memory, with no more than the warp's own barrier.
__global__ void warp_barrier_kernel(int* out) {
  COTERIE_SHARED(int, row, 32);
  row[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncwarp();
  out[threadIdx.x] = row[31 - threadIdx.x];
}

__global__ void atomics_kernel(Word* sum, int* least, unsigned* most, unsigned* turn) {
  atomicAdd(sum, Word{threadIdx.x});
  atomicMin(least, static_cast<int>(threadIdx.x) - 5);
  atomicMax(most, threadIdx.x);
  turn[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(&turn[gridDim.x * blockDim.x], 1U);
}

__global__ void block_add_kernel(Word* sum) { block_add(sum, threadIdx.x); }

__global__ void idle_kernel() {}

class CudaRules : public EachOrder {};
CUDA_ON_CPU_IN_EACH_ORDER(CudaRules);

TEST_P(CudaRules, EveryThreadRunsOnce) {
  const OnDevice<int> out(1000);
  launch(number_kernel, 3, 96, 0, nullptr, std::int64_t{1000}, out.data());
  const auto found = out.values();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], i + 1);
}

TEST_P(CudaRules, ThreadsAndBlocksAreNumberedInThreeDimensions) {
  const OnDevice<unsigned> out(2 * 3 * 2 * 4 * 2 * 3);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(2, 3, 2);
  config.blockDim = dim3(4, 2, 3);
  check(cudaLaunchKernelEx(&config, shape_kernel, out.data()));
  for (const unsigned visits : out.values()) ASSERT_EQ(visits, 1U);
}

TEST_P(CudaRules, BarrierMakesSharedMemoryVisible) {
  std::vector<int> numbers(64);
  std::iota(numbers.begin(), numbers.end(), 0);
  const OnDevice<int> in(numbers), out(64), dynamic(64);
  launch(neighbour_kernel, 1, 64, 0, nullptr, in.data(), out.data());
  launch(dynamic_neighbour_kernel, 1, 64, 64 * sizeof(int), nullptr, in.data(), dynamic.data());
  const auto found = out.values();
  for (int i = 0; i < 64; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], (i + 1) % 64);
  EXPECT_EQ(dynamic.values(), found);
}

TEST_P(CudaRules, EveryBlockHasSharedMemoryOfItsOwn) {
  const OnDevice<int> out(5);
  launch(own_count_kernel, 5, 40, 0, nullptr, out.data());
  EXPECT_EQ(out.values(), std::vector<int>(5, 40));
}

TEST_P(CudaRules, WarpOperationsSeeEveryLane) {
  const OnDevice<std::int64_t> sums(64);
  const OnDevice<double> largest(64);
  const OnDevice<unsigned> ballots(64);
  launch(warp_kernel, 1, 64, 0, nullptr, sums.data(), largest.data(), ballots.data());
  const auto sum = sums.values();
  const auto most = largest.values();
  const auto ballot = ballots.values();
  for (std::size_t i = 0; i < 64; ++i) {
    ASSERT_EQ(sum[i], i < 32 ? 31 * 16 : 31 * 16 + 32 * 32);
    ASSERT_EQ(most[i], i < 32 ? 0 : -32);
    ASSERT_EQ(ballot[i], i < 32 ? 0x49249249U : 0x92492492U);  // multiples of 3
  }
}

TEST_P(CudaRules, OneLaneSpeaksToAll) {
  const OnDevice<int> from_lane(64);
  const OnDevice<unsigned> first_bits(64);
  launch(broadcast_kernel, 1, 64, 0, nullptr, from_lane.data(), first_bits.data());
  const auto found = from_lane.values();
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(found[i], i < 32 ? 105 : 137);
  const auto bits = first_bits.values();
  EXPECT_EQ((std::vector<unsigned>(bits.begin(), bits.begin() + 9)),
            (std::vector<unsigned>{0, 1, 2, 1, 3, 1, 2, 1, 4}));
}

TEST_P(CudaRules, OneThreadExchangesAndAllUnite) {
  std::vector<std::int32_t> numbers(401);
  std::iota(numbers.begin(), numbers.end(), 0);
  const OnDevice<int> place(1), winners(1);
  const OnDevice<std::int32_t> rows(numbers);
  launch(exchange_kernel, 4, 100, 0, nullptr, place.data(), winners.data(), rows.data());
  EXPECT_EQ(place.values(), winners.values());
  EXPECT_NE(place.values()[0], 0);
  const auto parents = rows.values();
  for (std::size_t i = 0; i <= 400; ++i) {  // every path leads to row 0
    std::size_t at = i;
    for (std::size_t steps = 0; at != 0 && steps <= 400; ++steps) {
      at = static_cast<std::size_t>(parents[at]);
    }
    EXPECT_EQ(at, 0U);
  }
}

TEST_P(CudaRules, LanesOfDifferentMasksGoTheirOwnWays) {
  const OnDevice<int> out(32);
  launch(half_warps_kernel, 1, 32, 0, nullptr, out.data());
  const auto found = out.values();
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(found[static_cast<std::size_t>(i)], i < 16 ? i ^ 3 : i ^ 1);
  }
}

TEST_P(CudaRules, WarpBarrierMakesSharedMemoryVisibleToTheWarp) {
  const OnDevice<int> out(32);
  launch(warp_barrier_kernel, 1, 32, 0, nullptr, out.data());
  const auto found = out.values();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(found[static_cast<std::size_t>(i)], 31 - i);
}

TEST_P(CudaRules, AtomicsCombineAllThreads) {
  const OnDevice<Word> sum(2);
  const OnDevice<int> least(1, 100);
  const OnDevice<unsigned> most(1), turn(401);
  launch(atomics_kernel, 4, 100, 0, nullptr, sum.data(), least.data(), most.data(), turn.data());
  launch(block_add_kernel, 4, 96, 0, nullptr, sum.data() + 1);
  EXPECT_EQ(sum.values(), (std::vector<Word>{4 * 4950, 4 * 4560}));
  EXPECT_EQ(least.values()[0], -5);
  EXPECT_EQ(most.values()[0], 99U);
  auto turns = turn.values();  // each thread was told another number of those before it
  std::sort(turns.begin(), turns.end());
  for (unsigned i = 0; i <= 400; ++i) ASSERT_EQ(turns[i], i);
}

TEST_P(CudaRules, OrderedKeysSortAsTheDoublesDo) {
  const double values[] = {-HUGE_VAL, -1e300, -1, -1e-300, 0, 1e-300, 1, 1e300, HUGE_VAL};
  for (std::size_t i = 1; i < std::size(values); ++i) {
    EXPECT_LT(ordered_key(values[i - 1]), ordered_key(values[i]));
    EXPECT_EQ(from_ordered_key(ordered_key(values[i])), values[i]);
  }
}

TEST_P(CudaRules, LaunchesBeyondTheLimitsAreRefused) {
  const auto launch_with = [&](dim3 blocks, int threads, std::size_t shared) {
    launch(idle_kernel, blocks, threads, shared, nullptr);
    check(cudaStreamSynchronize(nullptr));
  };
  const auto refused = [&](dim3 blocks, int threads, std::size_t shared) {
    EXPECT_THROW(launch_with(blocks, threads, shared), CudaError);
    static_cast<void>(cudaGetLastError());
  };
  refused(1, 1025, 0);
  refused(1, 0, 0);
  refused(dim3(1, 65536), 1, 0);
  refused(1, 1, 48 * 1024 + 1);
  check(cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 90'000));
  EXPECT_NO_THROW(launch_with(1, 1, 90'000));
  EXPECT_EQ(cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 18),
            cudaErrorInvalidValue);
  static_cast<void>(cudaGetLastError());
  check(cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 0));
}

}  // namespace
}  // namespace coterie::cuda
