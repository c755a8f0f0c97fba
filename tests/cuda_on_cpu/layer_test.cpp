// What only the CUDA-on-CPU layer does: orders of turns, rubbish in fresh memory, limits that the
// environment sets. What it shares with a GPU is in cuda_rules_test.cu and instructions_test.cu.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <vector>

#include "cuda/upload.cuh"
#include "tests/cuda_on_cpu/cuda_on_cpu_test.hpp"

namespace coterie::cuda {
namespace {

using cuda_on_cpu_testing::EachOrder;

__global__ void rubbish_kernel(int* out) {
  COTERIE_SHARED(int, fixed, 1);
  COTERIE_DYNAMIC_SHARED(int, dynamic);
  out[2 * blockIdx.x] = fixed[0];
  out[2 * blockIdx.x + 1] = dynamic[0];
  fixed[0] = dynamic[0] = 0;
}

__global__ void order_kernel(int* next, int* turn) { turn[threadIdx.x] = atomicAdd(next, 1); }

class Layer : public EachOrder {};
CUDA_ON_CPU_IN_EACH_ORDER(Layer);

TEST_P(Layer, SharedMemoryIsRubbishInEveryBlock) {
  std::vector<int> out(8, 0);
  launch(rubbish_kernel, 4, 1, sizeof(int), nullptr, out.data());
  for (const int value : out) EXPECT_EQ(static_cast<unsigned>(value), 0xcbcbcbcbU);
}

TEST_P(Layer, DeviceMemoryIsRubbishAtFirst) {
  const Buffer<unsigned> buffer(3, nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(buffer.data()[i], 0xcdcdcdcdU);
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

TEST(Layer, PageLockedMemoryRunsOutWhereTheEnvironmentSays) {
  setenv("COTERIE_EMULATED_PINNED", "99", 1);
  PinnedChunk chunk;
  try {
    chunk.refill(100);
    FAIL() << "no error";
  } catch (const std::bad_alloc& error) {
    EXPECT_STREQ(error.what(),
                 "out of page-locked host memory for copies to the GPU: 100 bytes were needed; "
                 "take device=\"cpu\"");
  }
  unsetenv("COTERIE_EMULATED_PINNED");
  EXPECT_NE(chunk.refill(100), nullptr);
}

}  // namespace
}  // namespace coterie::cuda
