// The broken kernels, and what of the CUDA-on-CPU layer itself catches each, as the test's name
// says: wrong numbers in some order of turns, or an error. The sound twin beside each shows that
// the catch is the fault's and not the test's.
#include "tests/cuda_on_cpu/broken_kernels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

namespace coterie::cuda {
namespace {

using ::testing::HasSubstr;

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

/// The place of the smallest of a warp's numbers, of equal ones the first.
template <bool broken>
__global__ void nearest_kernel(const float* in, int* nearest) {
  float best = in[threadIdx.x];
  int at = static_cast<int>(threadIdx.x);
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, best, step);
    const int other_at = __shfl_xor_sync(kAllLanes, at, step);
    if (other < best || (!broken && other == best && other_at < at)) {
      best = other;
      at = other_at;
    }
  }
  nearest[threadIdx.x] = at;
}

__global__ void misaligned_copy_kernel(const int* in) {
  COTERIE_SHARED(int, tile, 4);
  copy_async<16>(tile, in + 1);
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

#if !defined(__SANITIZE_THREAD__)  // which would stop at these
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
#endif

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

template <bool broken>
std::vector<int> nearest(const std::vector<float>& in) {
  std::vector<int> found(kWarp);
  launch(nearest_kernel<broken>, 1, kWarp, 0, nullptr, in.data(), found.data());
  return found;
}

TEST(BrokenKernels, LostTieBreakGivesWrongNumbersOnEqualDistancesOnly) {
  std::vector<float> ties(kWarp, 2), distinct(kWarp);
  ties[5] = ties[9] = ties[20] = 1;
  std::iota(distinct.begin(), distinct.end(), 7.0F);
  EXPECT_EQ(nearest<false>(ties), std::vector<int>(kWarp, 5));
  EXPECT_NE(nearest<true>(ties), std::vector<int>(kWarp, 5));
  EXPECT_EQ(nearest<true>(distinct), std::vector<int>(kWarp, 0));  // so tests need ties
}

template <CopyFault fault>
std::vector<int> fetch() {
  std::vector<int> in(2 * kThreads), out(2 * kThreads);
  std::iota(in.begin(), in.end(), 0);
  launch(fetch_kernel<fault>, 1, kThreads, 0, nullptr, in.data(), out.data());
  return out;
}

#if !defined(__SANITIZE_THREAD__)  // which would stop at these
TEST(BrokenKernels, AsynchronousCopyTakenForGrantedGivesWrongNumbers) {
  std::vector<int> expected;
  for (int i = 0; i < 2 * kThreads; ++i) {
    expected.push_back(i / kThreads * kThreads + (i + 1) % kThreads);
  }
  EXPECT_EQ(wrong_orders(fetch<CopyFault::None>, expected), 0);
  EXPECT_GT(wrong_orders(fetch<CopyFault::NotWaitedFor>, expected), 0);
  EXPECT_GT(wrong_orders(fetch<CopyFault::NoBarrier>, expected), 0);
  EXPECT_GT(wrong_orders(fetch<CopyFault::TooEarly>, expected), 0);
}
#endif

/// The root of each row.
template <UnionFault fault>
std::vector<std::int32_t> star() {
  std::vector<std::int32_t> rows(kWarp);
  std::iota(rows.begin(), rows.end(), 0);
  launch(star_kernel<fault>, 1, kWarp, 0, nullptr, rows.data());
  LinkedParents<UnionFault::None> parents{{rows.data()}};
  std::vector<std::int32_t> roots;
  for (std::int32_t i = 0; i < kWarp; ++i) roots.push_back(find_root(parents, i));
  return roots;
}

TEST(BrokenKernels, UnionThatLinksARootSeenEarlierLosesLinks) {
  const std::vector<std::int32_t> expected(kWarp, 0);
  EXPECT_EQ(wrong_orders(star<UnionFault::None>, expected), 0);
  EXPECT_EQ(wrong_orders(star<UnionFault::LooksTooEarly>, expected), 3);
}

TEST(BrokenKernels, MisalignedAsynchronousCopyIsAnError) {
  const std::vector<int> in(5);
  launch(misaligned_copy_kernel, 1, 1, 0, nullptr, in.data());
  EXPECT_THAT(failure(), HasSubstr("thread 0 of block 0 copies 16 bytes between addresses"));
}

}  // namespace
}  // namespace coterie::cuda
