// Principal axes from the GPU against the CPU's. On the CUDA-on-CPU layer in every order of
// threads; on a GPU the order changes nothing.
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/device.hpp"
#include "coterie/pca.hpp"
#include "cuda_test.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::normal_rows;
using testing_support::Rows;

class CudaPca : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaPca);

template <class T>
Scatter scatter_on(Device device, const Rows<T>& x, const std::vector<double>& shift) {
  return device_table(device).functions<T>().scatter(x.view(), shift, {});
}

/// Small integers: their sums have no rounding, so that every device has the same ones.
template <class T>
Rows<T> integer_rows(std::int64_t rows, std::int64_t cols, double offset, std::int64_t gap) {
  Rows<T> x(rows, cols, gap);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const std::int64_t mixed = i * 7919 + j * 104729 + i * j % 13;
      x(i, j) = static_cast<T>(offset + static_cast<double>(mixed % 17 - 8));
    }
  }
  return x;
}

/// Of integers: equal to the last bit where nothing was left out or taken twice.
template <class T>
void expect_same_scatter(const Rows<T>& x, const std::vector<double>& shift) {
  const Scatter expected = scatter_on(Device::Cpu, x, shift);
  const Scatter found = scatter_on(Device::Cuda, x, shift);
  ASSERT_EQ(found.sums, expected.sums) << x.rows << " x " << x.cols;
  for (std::int64_t i = 0; i < x.cols; ++i) {
    for (std::int64_t j = i; j < x.cols; ++j) {
      ASSERT_EQ(found.products.view()(i, j), expected.products.view()(i, j))
          << i << ", " << j << " of " << x.rows << " x " << x.cols;
    }
  }
}

template <class T>
void compare_scatters(std::int64_t gap) {
  for (const std::int64_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33, 64, 65, 130}) {
      if (rows > 33 && cols == 65) continue;  // 130 says as much
      std::vector<double> shift(static_cast<std::size_t>(cols), 1e6);
      shift.back() -= 3;
      expect_same_scatter(integer_rows<T>(rows, cols, 1e6, gap), shift);
    }
  }
}

TEST_P(CudaPca, ScattersOfIntegersEqualTheCpus) {
  compare_scatters<float>(3);
  compare_scatters<double>(0);
}

TEST_P(CudaPca, ScattersOfManyChunksOfRowsEqualTheCpus) {
  expect_same_scatter(integer_rows<float>((1 << 20) + 300, 8, 0, 0), std::vector<double>(8, 0.5));
}

/// All that a call finds, for comparison to the last bit.
template <class T>
auto all_of(const Rows<T>& x) {
  const Pca found = pca<T>(x.view(), {}, Device::Cuda);
  return std::tuple(found.mean, found.explained_variance, found.components.values,
                    found.total_variance);
}

TEST_P(CudaPca, EveryRunHasTheSameBits) {
  const auto x = normal_rows<float>(3000, 20, 1);
  const auto first = all_of(x);
  for (const char* order : {"forward", "reverse", "shuffled"}) {
    setenv("COTERIE_EMULATED_ORDER", order, 1);
    EXPECT_EQ(all_of(x), first);
  }
}

/// Variances to 1e-10 of the largest, and axes of one direction.
template <class T>
void compare_axes(const Rows<T>& x) {
  SCOPED_TRACE(std::to_string(x.rows) + " x " + std::to_string(x.cols));
  const Pca expected = pca<T>(x.view(), {}, Device::Cpu);
  const Pca found = pca<T>(x.view(), {}, Device::Cuda);
  const double largest = expected.explained_variance[0];
  EXPECT_NEAR(found.total_variance, expected.total_variance, 1e-10 * largest);
  for (std::size_t j = 0; j < expected.mean.size(); ++j) {
    EXPECT_NEAR(found.mean[j], expected.mean[j],
                1e-13 * std::sqrt(largest) + 1e-15 * std::abs(expected.mean[j]));
  }
  ASSERT_EQ(found.explained_variance.size(), expected.explained_variance.size());
  for (std::size_t a = 0; a < expected.explained_variance.size(); ++a) {
    const double variance = expected.explained_variance[a];
    EXPECT_NEAR(found.explained_variance[a], variance, 1e-10 * largest);
    // Axes of one variance, none above all, may lie anyhow among themselves.
    const bool apart_above =
        a == 0 || expected.explained_variance[a - 1] - variance > 1e-3 * largest;
    const bool apart_below = a + 1 == expected.explained_variance.size() ||
                             variance - expected.explained_variance[a + 1] > 1e-3 * largest;
    if (!apart_above || !apart_below || variance < 1e-3 * largest) continue;
    const auto axis = static_cast<std::int64_t>(a);
    const double* left = found.components.view().row(axis);
    const double* right = expected.components.view().row(axis);
    EXPECT_NEAR(std::inner_product(left, left + x.cols, right, 0.0), 1, 1e-10);
  }
}

template <class T>
void compare_all_axes() {
  for (const std::int64_t rows : {2, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33, 70}) {
      for (const double offset : {0.0, 1e6}) {
        auto x = normal_rows<T>(rows, cols, 2, offset, 3);
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t j = 1; j < cols; ++j) x(i, j) += (x(i, j - 1) - T(offset)) / 2;
          if (cols > 2) x(i, cols / 2) = T(0.1);  // constant
        }
        compare_axes(x);
      }
    }
  }
}

TEST_P(CudaPca, AxesAndVariancesAreTheCpus) {
  compare_all_axes<float>();
  compare_all_axes<double>();
}

TEST_P(CudaPca, ConstantRowsHaveNoVariance) {
  Rows<double> x(40, 3);
  std::fill(x.values.begin(), x.values.end(), 0.1);
  EXPECT_EQ(pca<double>(x.view(), {}, Device::Cuda).explained_variance, std::vector<double>(3, 0));
}

/// What lies between the rows counts too.
template <class T>
bool same_bytes(const Rows<T>& left, const Rows<T>& right) {
  return left.values.size() == right.values.size() &&
         std::memcmp(left.values.data(), right.values.data(), left.values.size() * sizeof(T)) == 0;
}

/// There and back.
template <class T>
void compare_projections(std::int64_t rows, std::int64_t cols, std::int64_t count,
                         std::int64_t gap) {
  const auto x = normal_rows<T>(rows, cols, 3, 1e6, gap);
  const auto axes = normal_rows<double>(count, cols, 4, 0, 1);
  std::vector<double> mean(static_cast<std::size_t>(cols), 1e6);
  mean.back() = 0.3;
  Rows<T> expected(rows, count, gap), found(rows, count, gap);
  pca_transform<T>(x.view(), mean, axes.view(), expected.view(), Device::Cpu);
  pca_transform<T>(x.view(), mean, axes.view(), found.view(), Device::Cuda);
  EXPECT_TRUE(same_bytes(found, expected)) << rows << " x " << cols << " on " << count;

  const auto scores = normal_rows<T>(rows, count, 5, 0, gap);
  Rows<T> expected_back(rows, cols, gap), found_back(rows, cols, gap);
  pca_inverse_transform<T>(scores.view(), mean, axes.view(), expected_back.view(), Device::Cpu);
  pca_inverse_transform<T>(scores.view(), mean, axes.view(), found_back.view(), Device::Cuda);
  EXPECT_TRUE(same_bytes(found_back, expected_back)) << rows << " x " << count << " to " << cols;
}

TEST_P(CudaPca, ProjectionsHaveTheCpusBits) {
  for (const std::int64_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33, 64, 65, 130}) {
      for (const std::int64_t count : {1, 5, 33}) {
        compare_projections<float>(rows, cols, count, 2);
        compare_projections<double>(rows, cols, count, 0);
      }
    }
  }
  for (const std::int64_t count : {3, 4, 8, 9, 12, 16, 20, 24, 28, 32, 64, 65, 130}) {
    compare_projections<float>(1100, 9, count, 0);
  }
  compare_projections<float>((1 << 20) + 300, 7, 1, 0);  // more than are on the device at a time
}

TEST_P(CudaPca, EveryValueThatIsNotFiniteIsFound) {
  for (const std::int64_t cols : {3, 70}) {
    const std::vector<double> none(static_cast<std::size_t>(cols));
    Rows<double> axes(1, cols);
    std::fill(axes.values.begin(), axes.values.end(), 0);  // even where nothing is asked of it
    for (const std::int64_t row : {0, 1, 999, 1999}) {
      for (const double bad : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
        auto x = normal_rows<float>(2000, cols, 5);
        x(row, cols - 1) = static_cast<float>(bad);
        const Scatter found = scatter_on(Device::Cuda, x, none);
        EXPECT_FALSE(std::isfinite(found.products.view()(cols - 1, cols - 1)));
        EXPECT_TRUE(std::isfinite(found.products.view()(0, 0)));
        Rows<float> out(2000, 1);
        const auto project = device_table(Device::Cuda).functions<float>().project;
        const std::vector<double> nowhere(1);
        EXPECT_FALSE(
            project(x.view(), {none, std::as_const(axes).view(), nowhere}, out.view(), {}));
        EXPECT_THROW(pca<float>(x.view(), {}, Device::Cuda), std::invalid_argument);
      }
    }
  }
}

TEST_P(CudaPca, ACallerWhoWantsToStopIsHeard) {
  const auto x = normal_rows<float>(100, 3, 6);
  const auto axes = normal_rows<double>(1, 3, 7);
  Rows<float> out(100, 1);
  Context ctx = Device::Cuda;
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(pca<float>(x.view(), {}, ctx), Interrupted);
  EXPECT_THROW(pca_transform<float>(x.view(), std::vector<double>(3), axes.view(), out.view(), ctx),
               Interrupted);
}

}  // namespace
}  // namespace coterie
