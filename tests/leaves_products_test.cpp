// PCA's innermost loops against the scalar rules, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cpu/simd/leaves.hpp"
#include "cpu/tiles.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

constexpr std::int64_t kColumns[] = {1, 2, 7, 8, 16, 33, 300};

template <class T>
class ShiftLeaves : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ShiftLeaves, Types);

template <class T>
void shift_rows(MatrixView<const T> x, const double* shift, MatrixView<double> out, double* sums) {
  if constexpr (std::is_same_v<T, float>) {
    leaves().shift_rows_f32(x.data, x.stride, x.rows, x.cols, shift, out.data, out.stride, sums);
  } else {
    leaves().shift_rows_f64(x.data, x.stride, x.rows, x.cols, shift, out.data, out.stride, sums);
  }
}

TYPED_TEST(ShiftLeaves, RowsAreShiftedAndAddedOneAfterTheOther) {
  for (const std::int64_t cols : kColumns) {
    const auto x = make_rows<TypeParam>(9, cols, Shape::OffsetBlobs);
    const std::vector<double> shift(static_cast<std::size_t>(cols), 1e5 + 0.1);
    Matrix<double> out(9, cols + 8);
    std::vector<double> sums(static_cast<std::size_t>(cols), 0.7);
    shift_rows<TypeParam>(x.view(), shift.data(), out.view(), sums.data());
    for (std::int64_t j = 0; j < cols; ++j) {
      double sum = 0.7;
      for (std::int64_t r = 0; r < x.rows; ++r) {
        const double shifted = static_cast<double>(x.view()(r, j)) - (1e5 + 0.1);
        ASSERT_EQ(out.view()(r, j), shifted) << r << ", " << j << " of " << cols;
        sum += shifted;
      }
      ASSERT_EQ(sums[static_cast<std::size_t>(j)], sum) << j << " of " << cols;
    }
    for (std::int64_t r = 0; r < x.rows; ++r) ASSERT_EQ(out.view()(r, cols), 0);
  }
}

TEST(ProductLeaves, ProductsAreAddedInTheOrderOfRows) {
  constexpr std::int64_t kRows = 5;
  const bool fused = std::string(leaves().name) != "baseline";
  for (const std::int64_t cols : {8, 16, 24, 32, 72}) {
    const auto x = make_rows<double>(kRows, cols);
    AlignedBuffer<double> rows, products;
    std::copy(x.values.begin(), x.values.end(), rows.resize(kRows * cols));
    std::fill_n(products.resize(cols * cols), cols * cols, 0.3);
    const std::int64_t last = cols - 8;  // some of the matrix's rows, and then the others
    leaves().add_products(rows.data(), kRows, cols, cols, last, cols, products.data());
    leaves().add_products(rows.data(), kRows, cols, cols, 0, last, products.data());
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = i; j < cols; ++j) {
        double sum = 0;
        for (std::int64_t r = 0; r < kRows; ++r) {
          const double left = x.view()(r, i), right = x.view()(r, j);
          sum = fused ? std::fma(left, right, sum) : sum + left * right;
        }
        ASSERT_EQ(products.data()[i * cols + j], 0.3 + sum) << i << ", " << j << " of " << cols;
      }
    }
  }
}

TEST(ProductLeaves, ProjectionsAddColumnsInAscendingOrder) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : {1, 2, 3, 4, 7, 8, 9, 25}) {
      const auto x = make_rows<double>(kTileRows, cols);
      const auto axes = make_rows<double>(count, cols, Shape::Blobs, 2);
      const auto mean = make_rows<double>(1, cols, Shape::Blobs, 3);
      AlignedBuffer<double> tile, out;
      fill_tile(x.view(), {0, kTileRows}, tile.resize(cols * kTileRows));
      EXPECT_TRUE(leaves().project(tile.data(), mean.values.data(), cols, axes.values.data(), count,
                                   out.resize(count * kTileRows)));
      for (std::int64_t a = 0; a < count; ++a) {
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          double sum = 0;
          for (std::int64_t j = 0; j < cols; ++j) {
            sum += axes.view()(a, j) * (x.view()(r, j) - mean.view()(0, j));
          }
          ASSERT_EQ(out.data()[a * kTileRows + r], sum) << cols << " columns, " << count << " axes";
        }
      }
    }
  }
}

TEST(ProductLeaves, ProjectionsTellOfARowThatIsNotFinite) {
  const std::vector<double> mean(3), axes(27);
  AlignedBuffer<double> tile, out;
  std::fill_n(tile.resize(3 * kTileRows), 3 * kTileRows, 1.0);
  out.resize(9 * kTileRows);
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    tile.data()[2 * kTileRows + r] = r % 2 == 0 ? std::nan("") : INFINITY;
    for (const std::int64_t count : {1, 9}) {
      EXPECT_FALSE(leaves().project(tile.data(), mean.data(), 3, axes.data(), count, out.data()));
    }
    tile.data()[2 * kTileRows + r] = 1;
  }
}

}  // namespace
}  // namespace coterie::cpu
