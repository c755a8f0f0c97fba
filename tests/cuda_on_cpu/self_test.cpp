// The CUDA-on-CPU layer's own tests: what its threads, warps, memory and launches do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <set>
#include <vector>

#include "cuda/buffer.cuh"
#include "cuda/reduce.cuh"
#include "cuda_on_cpu_test.hpp"

namespace coterie::cuda {
namespace {

using cuda_on_cpu_testing::EachOrder;

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

__global__ void rubbish_kernel(int* out) {
  COTERIE_SHARED(int, fixed, 1);
  COTERIE_DYNAMIC_SHARED(int, dynamic);
  out[2 * blockIdx.x] = fixed[0];
  out[2 * blockIdx.x + 1] = dynamic[0];
  fixed[0] = dynamic[0] = 0;
}

__global__ void warp_kernel(std::int64_t* sums, double* largest, unsigned* ballots) {
  const unsigned i = threadIdx.x;
  sums[i] = warp_sum(i);
  largest[i] = warp_max(-static_cast<double>(i));
  ballots[i] = __ballot_sync(kAllLanes, i % 3 == 0);
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

__global__ void atomics_kernel(Word* sum, int* least, unsigned* most) {
  atomicAdd(sum, Word{threadIdx.x});
  atomicMin(least, static_cast<int>(threadIdx.x) - 5);
  atomicMax(most, threadIdx.x);
}

__global__ void order_kernel(int* next, int* turn) { turn[threadIdx.x] = atomicAdd(next, 1); }

class Layer : public EachOrder {};
CUDA_ON_CPU_IN_EACH_ORDER(Layer);

TEST_P(Layer, RunsEveryThreadOnce) {
  std::vector<int> out(1000, 0);
  launch(number_kernel, 3, 96, 0, nullptr, std::int64_t{1000}, out.data());
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(out[static_cast<std::size_t>(i)], i + 1);
}

TEST_P(Layer, NumbersThreadsAndBlocksInThreeDimensions) {
  std::vector<unsigned> out(2 * 3 * 2 * 4 * 2 * 3, 0);
  cudaLaunchConfig_t config;
  config.gridDim = dim3(2, 3, 2);
  config.blockDim = dim3(4, 2, 3);
  check(cudaLaunchKernelEx(&config, shape_kernel, out.data()));
  check(cudaStreamSynchronize(nullptr));
  for (const unsigned visits : out) ASSERT_EQ(visits, 1U);
}

TEST_P(Layer, BarrierMakesSharedMemoryVisible) {
  std::vector<int> in(64), out(64), dynamic(64);
  std::iota(in.begin(), in.end(), 0);
  launch(neighbour_kernel, 1, 64, 0, nullptr, in.data(), out.data());
  launch(dynamic_neighbour_kernel, 1, 64, 64 * sizeof(int), nullptr, in.data(), dynamic.data());
  check(cudaStreamSynchronize(nullptr));
  for (int i = 0; i < 64; ++i) ASSERT_EQ(out[static_cast<std::size_t>(i)], (i + 1) % 64);
  EXPECT_EQ(out, dynamic);
}

TEST_P(Layer, SharedMemoryIsRubbishInEveryBlock) {
  std::vector<int> out(8, 0);
  launch(rubbish_kernel, 4, 1, sizeof(int), nullptr, out.data());
  for (const int value : out) EXPECT_EQ(static_cast<unsigned>(value), 0xcbcbcbcbU);
}

TEST_P(Layer, DeviceMemoryIsRubbishAtFirst) {
  const Buffer<unsigned> buffer(3, nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(buffer.data()[i], 0xcdcdcdcdU);
}

TEST_P(Layer, WarpOperationsSeeEveryLane) {
  std::vector<std::int64_t> sums(64);
  std::vector<double> largest(64);
  std::vector<unsigned> ballots(64);
  launch(warp_kernel, 1, 64, 0, nullptr, sums.data(), largest.data(), ballots.data());
  check(cudaStreamSynchronize(nullptr));
  for (std::size_t i = 0; i < 64; ++i) {
    ASSERT_EQ(sums[i], i < 32 ? 31 * 16 : 31 * 16 + 32 * 32);
    ASSERT_EQ(largest[i], i < 32 ? 0 : -32);
    ASSERT_EQ(ballots[i], i < 32 ? 0x49249249U : 0x92492492U);  // multiples of 3
  }
}

TEST_P(Layer, LanesOfDifferentMasksGoTheirOwnWays) {
  std::vector<int> out(32);
  launch(half_warps_kernel, 1, 32, 0, nullptr, out.data());
  check(cudaStreamSynchronize(nullptr));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[static_cast<std::size_t>(i)], i < 16 ? i ^ 3 : i ^ 1);
}

TEST_P(Layer, AtomicsCombineAllThreads) {
  Word sum = 0;
  int least = 100;
  unsigned most = 0;
  launch(atomics_kernel, 4, 100, 0, nullptr, &sum, &least, &most);
  EXPECT_EQ(sum, 4U * 4950U);
  EXPECT_EQ(least, -5);
  EXPECT_EQ(most, 99U);
}

TEST(Layer, OrderIsWhatTheEnvironmentSays) {
  const auto turns = [](const char* order) {
    setenv("COTERIE_EMULATED_ORDER", order, 1);
    int next = 0;
    std::vector<int> turn(40);
    launch(order_kernel, 1, 40, 0, nullptr, &next, turn.data());
    unsetenv("COTERIE_EMULATED_ORDER");
    return turn;
  };
  const auto forward = turns("forward");
  EXPECT_TRUE(std::is_sorted(forward.begin(), forward.end()));
  const auto reverse = turns("reverse");
  EXPECT_TRUE(std::is_sorted(reverse.rbegin(), reverse.rend()));
  const auto shuffled = turns("shuffled");
  EXPECT_EQ(std::set<int>(shuffled.begin(), shuffled.end()).size(), 40U);
  EXPECT_FALSE(std::is_sorted(shuffled.begin(), shuffled.end()));
  EXPECT_THROW(turns("sideways"), std::invalid_argument);
  unsetenv("COTERIE_EMULATED_ORDER");
}

TEST(Layer, RefusesLaunchesBeyondTheLimitsOfAGpu) {
  int out = 0;
  const auto launch_with = [&](dim3 blocks, int threads, std::size_t shared) {
    launch(order_kernel, blocks, threads, shared, nullptr, &out, &out);
  };
  EXPECT_THROW(launch_with(1, 1025, 0), CudaError);
  EXPECT_THROW(launch_with(1, 0, 0), CudaError);
  EXPECT_THROW(launch_with(dim3(1, 65536), 1, 0), CudaError);
  EXPECT_THROW(launch_with(1, 1, 48 * 1024 + 1), CudaError);
  check(cudaFuncSetAttribute(order_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100000));
  EXPECT_NO_THROW(launch_with(1, 1, 100000));
  EXPECT_EQ(
      cudaFuncSetAttribute(order_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024),
      cudaErrorInvalidValue);
}

TEST(Layer, MemoryRunsOutWhereTheEnvironmentSays) {
  setenv("COTERIE_EMULATED_MEMORY", "1000", 1);
  try {
    const Buffer<double> fits(100, nullptr);
    const Buffer<double> does_not(26, nullptr);
    FAIL() << "no error";
  } catch (const std::bad_alloc& error) {
    EXPECT_STREQ(error.what(),
                 "the GPU is out of memory: 208 bytes were needed, 200 of 1000 are free; "
                 "take device=\"cpu\" or fewer rows");
  }
  EXPECT_NO_THROW(Buffer<double>(125, nullptr));  // the first was given back
  unsetenv("COTERIE_EMULATED_MEMORY");
}

TEST(Layer, OrderedKeysSortAsTheDoublesDo) {
  const double values[] = {-HUGE_VAL, -1e300, -1, -1e-300, 0, 1e-300, 1, 1e300, HUGE_VAL};
  for (std::size_t i = 1; i < std::size(values); ++i) {
    EXPECT_LT(ordered_key(values[i - 1]), ordered_key(values[i]));
    EXPECT_EQ(from_ordered_key(ordered_key(values[i])), values[i]);
  }
}

}  // namespace
}  // namespace coterie::cuda
