// Kernels with a fault each, which the CUDA-on-CPU layer must catch. Each stands beside its sound
// twin, so that the catch is the fault's and not the test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "cuda/buffer.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {
namespace {

using ::testing::HasSubstr;

constexpr int kThreads = 128;

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

__global__ void divergent_barrier_kernel(int* out) {
  if (threadIdx.x < kThreads / 2) {
    __syncthreads();
  } else {
    out[threadIdx.x] = 0;
    __syncthreads();
  }
}

__global__ void deserted_barrier_kernel(std::int64_t rows, int* out) {
  if (threadIdx.x >= rows) return;
  out[threadIdx.x] = 0;
  __syncthreads();
}

__global__ void missing_lane_kernel(std::int64_t rows, std::int64_t* out) {
  if (threadIdx.x >= rows) return;
  out[threadIdx.x] = warp_sum(threadIdx.x);
}

__global__ void foreign_mask_kernel(int* out) {
  out[threadIdx.x] = __shfl_xor_sync(0x0000ffffU, 1, 1);
}

__global__ void mixed_operations_kernel(unsigned* out) {
  if (threadIdx.x < 16) {
    out[threadIdx.x] = __ballot_sync(kAllLanes, 1);
  } else {
    __syncwarp();
  }
}

std::string failure() {
  const cudaError_t status = cudaStreamSynchronize(nullptr);
  const std::string text = cudaGetErrorString(status);
  static_cast<void>(cudaGetLastError());
  return text;
}

/// Orders of turns in which `run` gives something else than `expected`.
template <class Run, class Result>
int wrong_orders(const Run& run, const Result& expected) {
  int wrong = 0;
  for (const char* order : {"forward", "reverse", "shuffled"}) {
    setenv("COTERIE_EMULATED_ORDER", order, 1);
    if (run() != expected) ++wrong;
  }
  unsetenv("COTERIE_EMULATED_ORDER");
  return wrong;
}

template <Fault fault>
std::vector<unsigned> relay() {
  std::vector<unsigned> in(kThreads), out(kThreads);
  std::iota(in.begin(), in.end(), 0U);
  launch(relay_kernel<fault>, 1, kThreads, 0, nullptr, in.data(), out.data());
  return out;
}

template <bool broken>
Word block_sum() {
  Word sum = 0;
  launch(block_sum_kernel<broken>, 1, kThreads, 0, nullptr, &sum);
  return sum;
}

TEST(BrokenKernels, MissingBarrierGivesWrongNumbers) {
  std::vector<unsigned> expected;
  for (unsigned i = 0; i < kThreads; ++i) expected.push_back(4 * ((i + 2) % kThreads));
  EXPECT_EQ(wrong_orders(relay<Fault::None>, expected), 0);
  EXPECT_GT(wrong_orders(relay<Fault::MissingBarrier>, expected), 0);
  EXPECT_GT(wrong_orders(relay<Fault::MissingBarrierBeforeReuse>, expected), 0);
}

TEST(BrokenKernels, MissingBarrierBeforeTheResultGivesAWrongSum) {
  const Word expected = kThreads * (kThreads - 1) / 2;
  EXPECT_EQ(wrong_orders(block_sum<false>, expected), 0);
  EXPECT_GT(wrong_orders(block_sum<true>, expected), 0);
}

TEST(BrokenKernels, DivergentBarrierIsNamedWithBothPlaces) {
  std::vector<int> out(kThreads);
  launch(divergent_barrier_kernel, 1, kThreads, 0, nullptr, out.data());
  EXPECT_THAT(failure(), testing::MatchesRegex(
                             "divergent barrier: thread 0 of block 0 waits at __syncthreads at "
                             ".*broken_kernels_test.cpp:[0-9]+, thread 64 of block 0 at .*"));
}

TEST(BrokenKernels, BarrierThatAThreadNeverReachesIsAnError) {
  std::vector<int> out(kThreads);
  launch(deserted_barrier_kernel, 1, kThreads, 0, nullptr, std::int64_t{100}, out.data());
  EXPECT_THAT(failure(), HasSubstr("thread 100 of block 0 has returned"));
}

TEST(BrokenKernels, LaneThatMissesAWarpOperationIsADeadlock) {
  std::vector<std::int64_t> out(kThreads);
  launch(missing_lane_kernel, 1, kThreads, 0, nullptr, std::int64_t{100}, out.data());
  EXPECT_THAT(failure(), testing::AllOf(HasSubstr("deadlock: thread 96 of block 0"),
                                        HasSubstr("4 threads wait in all")));
}

TEST(BrokenKernels, LaneOutsideItsOwnMaskIsAnError) {
  std::vector<int> out(32);
  launch(foreign_mask_kernel, 1, 32, 0, nullptr, out.data());
  EXPECT_THAT(failure(), HasSubstr("is not in its own mask"));
}

TEST(BrokenKernels, LanesInDifferentOperationsAreAnError) {
  std::vector<unsigned> out(32);
  launch(mixed_operations_kernel, 1, 32, 0, nullptr, out.data());
  EXPECT_THAT(failure(), HasSubstr("lanes of one warp meet in __ballot_sync and __syncwarp"));
}

TEST(BrokenKernels, FailureIsToldOnceAndThenForgotten) {
  std::vector<int> out(kThreads);
  launch(divergent_barrier_kernel, 1, kThreads, 0, nullptr, out.data());
  EXPECT_THROW(check(cudaStreamSynchronize(nullptr)), CudaError);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

#if defined(__SANITIZE_ADDRESS__)
__global__ void one_too_far_kernel(int* out) {
  COTERIE_DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = 0;
  __syncthreads();
  out[threadIdx.x] = row[threadIdx.x + 1];
}

TEST(BrokenKernelsDeathTest, AddressSanitizerSeesWhatLiesBehindMemory) {
  const auto run = [](std::size_t shared, std::int64_t size) {
    const Buffer<int> out(size, nullptr);
    launch(one_too_far_kernel, 1, 32, shared * sizeof(int), nullptr, out.data());
  };
  EXPECT_NO_FATAL_FAILURE(run(33, 32));
  EXPECT_DEATH(run(32, 32), "heap-buffer-overflow");
  EXPECT_DEATH(run(33, 31), "heap-buffer-overflow");
}
#endif

}  // namespace
}  // namespace coterie::cuda
