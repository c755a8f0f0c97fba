// The broken kernels that a sanitizer catches: AddressSanitizer in the preset asan, ThreadSanitizer
// in the preset tsan. In other builds there is nothing here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <vector>

#include "tests/cuda_on_cpu/broken_kernels.hpp"

namespace coterie::cuda {
namespace {

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

constexpr const char* kRace = "data race.*tests/cuda_on_cpu/broken_kernels";  // and the line

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

TEST(BrokenKernelsDeathTest, ThreadSanitizerSeesAUnionWithoutAnAtomic) {
  std::vector<std::int32_t> rows(kThreads);
  std::iota(rows.begin(), rows.end(), 0);
  EXPECT_EXIT(count(star_kernel<UnionFault::None>, 1, rows.data()), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(count(star_kernel<UnionFault::NoAtomic>, 1, rows.data()), testing::ExitedWithCode(66),
              kRace);
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

TEST(BrokenKernelsDeathTest, ThreadSanitizerSeesAnAsynchronousCopyWithoutItsBarriers) {
  std::vector<int> in(2 * kThreads), out(2 * kThreads);
  const auto run = [&](auto kernel, const char* order) {
    setenv("COTERIE_EMULATED_ORDER", order, 1);
    count(kernel, 1, in.data(), out.data());
  };
  const auto racing = testing::ExitedWithCode(66);
  for (const char* order : {"forward", "reverse"}) {
    EXPECT_EXIT(run(fetch_kernel<CopyFault::None>, order), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(run(fetch_kernel<CopyFault::NoBarrier>, order), racing, "data race");
    EXPECT_EXIT(run(fetch_kernel<CopyFault::TooEarly>, order), racing, "data race");
  }
}
#endif

}  // namespace
}  // namespace coterie::cuda
