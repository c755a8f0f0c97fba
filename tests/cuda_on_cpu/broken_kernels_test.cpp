// Kernels with a fault each, which the CUDA-on-CPU layer must catch; each test's name says by what:
// wrong numbers in some order of turns, an error of the layer, AddressSanitizer (preset asan) or
// ThreadSanitizer (preset tsan). Each kernel stands beside its sound twin, so that the catch is the
// fault's and not the test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "cuda/async_copy.cuh"
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

__global__ void misaligned_copy_kernel(const int* in) {
  COTERIE_SHARED(int, tile, 4);
  copy_async<16>(tile, in + 1);
}

TEST(BrokenKernels, MisalignedAsynchronousCopyIsAnError) {
  const std::vector<int> in(5);
  launch(misaligned_copy_kernel, 1, 1, 0, nullptr, in.data());
  EXPECT_THAT(failure(), HasSubstr("thread 0 of block 0 copies 16 bytes between addresses"));
}

#if defined(__SANITIZE_ADDRESS__)
/// A tile of 8 rows of 16 in shared memory; the broken one loads a row more than it has.
template <bool fixed_size>
__global__ void tile_kernel(const int* in, int rows, int* out) {
  COTERIE_SHARED(int, fixed, 8 * 16);
  COTERIE_DYNAMIC_SHARED(int, dynamic);
  int* const tile = fixed_size ? fixed : dynamic;
  for (int i = static_cast<int>(threadIdx.x); i < rows * 16; i += kWarp) tile[i] = in[i];
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

template <bool fixed_size>
void load_tile(int rows, std::int64_t rows_there, std::int64_t results = kWarp) {
  const std::vector<int> numbers(static_cast<std::size_t>(rows_there * 16));
  const Buffer<int> in(rows_there * 16, nullptr), out(results, nullptr);
  upload(numbers.data(), in.size(), in.data(), nullptr);
  launch(tile_kernel<fixed_size>, 1, kWarp, 8 * 16 * sizeof(int), nullptr, in.data(), rows,
         out.data());
}

TEST(BrokenKernelsDeathTest, AddressSanitizerSeesATileOneRowTooLong) {
  EXPECT_NO_FATAL_FAILURE(load_tile<true>(8, 9));
  EXPECT_NO_FATAL_FAILURE(load_tile<false>(8, 9));
  EXPECT_DEATH(load_tile<true>(9, 9), "use-after-poison");           // in static shared memory
  EXPECT_DEATH(load_tile<false>(9, 9), "heap-buffer-overflow");      // in dynamic shared memory
  EXPECT_DEATH(load_tile<false>(8, 7), "heap-buffer-overflow");      // read from device memory
  EXPECT_DEATH(load_tile<false>(8, 8, 31), "heap-buffer-overflow");  // written there
}
#endif

#if defined(__SANITIZE_THREAD__)
/// Every thread counts; the broken one as if it were alone.
template <bool broken>
__global__ void count_kernel(Word* count) {
  if (broken) {
    *count += 1;
  } else {
    atomicAdd(count, Word{1});
  }
}

/// The first thread of each block adds what the block has counted.
template <bool broken>
__global__ void count_of_blocks_kernel(Word* count) {
  COTERIE_SHARED(Word, mine, 1);
  if (threadIdx.x == 0) mine[0] = 0;
  __syncthreads();
  atomicAdd(mine, Word{1});
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (broken) {
    *count += mine[0];
  } else {
    atomicAdd(count, mine[0]);
  }
}

/// Runs in a process of its own, which ThreadSanitizer gives the status 66 where it found a race.
template <class... Params, class... Args>
[[noreturn]] void count(void (*kernel)(Params...), unsigned blocks, Args... args) {
  launch(kernel, blocks, kThreads, 0, nullptr, args...);
  std::exit(0);
}

constexpr const char* kRace = "data race.*broken_kernels_test.cpp";

TEST(BrokenKernelsDeathTest, ThreadSanitizerSeesAPlusWhereAnAtomicIsNeeded) {
  Word sum = 0;
  const auto sound = testing::ExitedWithCode(0);
  const auto racing = testing::ExitedWithCode(66);
  EXPECT_EXIT(count(count_kernel<false>, 3, &sum), sound, "");
  EXPECT_EXIT(count(count_kernel<true>, 1, &sum), racing, kRace);
  EXPECT_EXIT(count(count_of_blocks_kernel<false>, 6, &sum), sound, "");
  EXPECT_EXIT(count(count_of_blocks_kernel<true>, 2, &sum), racing, kRace);
  EXPECT_EXIT(count(count_of_blocks_kernel<true>, 6, &sum), racing, kRace);
}

TEST(BrokenKernelsDeathTest, ThreadSanitizerSeesAMissingBarrier) {
  std::vector<unsigned> in(kThreads), out(kThreads);
  Word sum = 0;
  const auto run = [&](auto kernel) { count(kernel, 1, in.data(), out.data()); };
  const auto racing = testing::ExitedWithCode(66);
  EXPECT_EXIT(run(relay_kernel<Fault::None>), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(run(relay_kernel<Fault::MissingBarrier>), racing, kRace);
  EXPECT_EXIT(run(relay_kernel<Fault::MissingBarrierBeforeReuse>), racing, kRace);
  EXPECT_EXIT(count(block_sum_kernel<false>, 1, &sum), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(count(block_sum_kernel<true>, 1, &sum), racing, kRace);
}
#endif

}  // namespace
}  // namespace coterie::cuda
