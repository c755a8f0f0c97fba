// The instructions that the project's kernels spell in PTX, against cases worked out by hand from
// NVIDIA's description of them. The CUDA-on-CPU layer and a GPU run these alike.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "cuda/async_copy.cuh"
#include "cuda/mma.cuh"
#include "tests/cuda_on_cpu/cuda_on_cpu_test.hpp"

namespace coterie::cuda {
namespace {

using cuda_on_cpu_testing::EachOrder;
using cuda_on_cpu_testing::OnDevice;

class Instructions : public EachOrder {};
CUDA_ON_CPU_IN_EACH_ORDER(Instructions);

/// A register of a lane.
struct Place {
  int lane;
  int index;
};

/// A 1 in one register of a and 1, 2, ... 64 in b by rows, or a's rows 1 ... 16 and a 1 in b.
__global__ void one_operand_kernel(Place place, bool in_a, float* sums) {
  const int g = static_cast<int>(threadIdx.x) / 4;
  const int t = static_cast<int>(threadIdx.x) % 4;
  const bool here = static_cast<int>(threadIdx.x) == place.lane;
  unsigned a[4];
  unsigned b[2];
  float sum[4] = {100, 200, 300, 400};
  for (int i = 0; i < 4; ++i) {
    const auto row = static_cast<float>(g + i % 2 * 8 + 1);
    a[i] = to_tf32(in_a ? (here && i == place.index ? 1 : 0) : row);
  }
  for (int i = 0; i < 2; ++i) {
    const auto number = static_cast<float>((t + i * 4) * 8 + g + 1);
    b[i] = to_tf32(in_a ? number : (here && i == place.index ? 1 : 0));
  }
  multiply_add_tf32(sum, a, b);
  for (int i = 0; i < 4; ++i) sums[threadIdx.x * 4 + i] = sum[i];
}

std::vector<float> one_operand(Place place, bool in_a) {
  const OnDevice<float> sums(128);
  launch(one_operand_kernel, 1, 32, 0, nullptr, place, in_a, sums.data());
  return sums.values();
}

TEST_P(Instructions, TensorCoreReadsTheLeftMatrixWhereEachLaneHoldsIt) {
  struct Case {
    Place place;
    int row, column;
  };
  // (lane, register) -> (row, column), from the figure of the m16n8k8 fragments
  for (const Case& c : {Case{{0, 0}, 0, 0}, Case{{0, 1}, 8, 0}, Case{{0, 2}, 0, 4},
                        Case{{0, 3}, 8, 4}, Case{{3, 0}, 0, 3}, Case{{4, 0}, 1, 0},
                        Case{{13, 1}, 11, 1}, Case{{22, 2}, 5, 6}, Case{{31, 3}, 15, 7}}) {
    const auto sums = one_operand(c.place, true);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 + i / 2 * 8;
        const int column = lane % 4 * 2 + i % 2;
        const int product = row == c.row ? c.column * 8 + column + 1 : 0;
        ASSERT_EQ(sums[static_cast<std::size_t>(lane * 4 + i)],
                  static_cast<float>((i + 1) * 100 + product))
            << "lane " << lane << ", register " << i;
      }
    }
  }
}

TEST_P(Instructions, TensorCoreReadsTheRightMatrixAndWritesTheSumWhereEachLaneHoldsIt) {
  // A 1 in column 5 of b (lanes 20 to 23, whatever the row) takes the rows' numbers, 1 ... 16, into
  // column 5 of the sum: registers 1 and 3 of the lanes 2, 6, 10 ... 30.
  for (const Place place : {Place{20, 0}, Place{23, 0}, Place{20, 1}, Place{23, 1}}) {
    const auto sums = one_operand(place, false);
    for (int lane = 0; lane < 32; ++lane) {
      const auto at = static_cast<std::size_t>(lane * 4);
      const bool hit = lane % 4 == 2;
      const auto row = static_cast<float>(lane / 4 + 1);
      ASSERT_EQ(sums[at], 100);
      ASSERT_EQ(sums[at + 1], hit ? 200 + row : 200);
      ASSERT_EQ(sums[at + 2], 300);
      ASSERT_EQ(sums[at + 3], hit ? 400 + row + 8 : 400);
    }
  }
}

__global__ void to_tf32_kernel(const float* in, unsigned* out) {
  out[threadIdx.x] = to_tf32(in[threadIdx.x]);
}

TEST_P(Instructions, RoundingToTensorCoresNumbersGoesToTheNearestAndTiesAway) {
  const float ulp = std::ldexp(1.0F, -10);
  const OnDevice<float> in({1, 1 + ulp, 1 + ulp / 2, 1 + ulp / 4, -1 - ulp / 2, 1 + ulp * 3 / 4,
                            2 - ulp / 4, 0, INFINITY});
  const OnDevice<unsigned> out(9);
  launch(to_tf32_kernel, 1, 9, 0, nullptr, in.data(), out.data());
  EXPECT_EQ(out.values(),
            (std::vector<unsigned>{0x3f800000, 0x3f802000, 0x3f802000, 0x3f800000, 0xbf802000,
                                   0x3f802000, 0x40000000, 0, 0x7f800000}));
}

/// Sums of 16 x 64 times 64 x 8 in eight steps.
__global__ void product_kernel(const float* a, const float* b, float* out) {
  const int g = static_cast<int>(threadIdx.x) / 4;
  const int t = static_cast<int>(threadIdx.x) % 4;
  float sum[4] = {};
  for (int k = 0; k < 64; k += 8) {
    const unsigned left[4] = {to_tf32(a[g * 64 + k + t]), to_tf32(a[(g + 8) * 64 + k + t]),
                              to_tf32(a[g * 64 + k + t + 4]), to_tf32(a[(g + 8) * 64 + k + t + 4])};
    const unsigned right[2] = {to_tf32(b[(k + t) * 8 + g]), to_tf32(b[(k + t + 4) * 8 + g])};
    multiply_add_tf32(sum, left, right);
  }
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
}

TEST_P(Instructions, TensorCoreProductOfIntegersIsExact) {
  std::vector<float> a(16 * 64), b(64 * 8), expected(16 * 8);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 37 % 23) - 11;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 53 % 19) - 9;
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      for (std::size_t k = 0; k < 64; ++k) expected[i * 8 + j] += a[i * 64 + k] * b[k * 8 + j];
    }
  }
  const OnDevice<float> left(a), right(b), out(16 * 8);
  launch(product_kernel, 1, 32, 0, nullptr, left.data(), right.data(), out.data());
  EXPECT_EQ(out.values(), expected);
}

/// Adds up tiles of 64 numbers, fetching each while it adds the one before.
template <int kPerCopy>
__global__ void pipeline_kernel(const int* in, int count, int* out) {
  COTERIE_DYNAMIC_SHARED(int, tile);  // two of 64
  const int tiles = (count + 63) / 64;
  const auto fetch = [&](int number) {
    const int first = number * 64 + static_cast<int>(threadIdx.x) * kPerCopy;
    const int present = first >= count ? 0 : count - first < kPerCopy ? count - first : kPerCopy;
    if (number < tiles && static_cast<int>(threadIdx.x) < 64 / kPerCopy) {
      copy_async<4 * kPerCopy>(&tile[number % 2 * 64 + static_cast<int>(threadIdx.x) * kPerCopy],
                               &in[present == 0 ? 0 : first], 4 * present);
    }
    commit_copies();
  };
  int sum = 0;
  fetch(0);
  for (int number = 0; number < tiles; ++number) {
    fetch(number + 1);
    wait_for_copies<1>();
    __syncthreads();
    sum += tile[number % 2 * 64 + 63 - static_cast<int>(threadIdx.x)];  // another thread's copy
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}

template <int kPerCopy>
void expect_column_sums(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count)), expected(64);
  for (int i = 0; i < count; ++i) {
    numbers[static_cast<std::size_t>(i)] = i * i;
    expected[static_cast<std::size_t>(63 - i % 64)] += i * i;
  }
  const OnDevice<int> in(numbers), out(64);
  launch(pipeline_kernel<kPerCopy>, 1, 64, 128 * sizeof(int), nullptr, in.data(), count,
         out.data());
  EXPECT_EQ(out.values(), expected);
}

TEST_P(Instructions, AsynchronousCopiesArriveWhenWaitedForWithZerosBehindTheEnd) {
  for (const int count : {64, 256, 259, 130, 1}) {
    expect_column_sums<4>(count);
    expect_column_sums<2>(count);
    expect_column_sums<1>(count);
  }
}

}  // namespace
}  // namespace coterie::cuda
