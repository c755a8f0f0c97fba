// Donors of missing values found on the GPU, against their definition.
#include <limits>

#include "core/device.hpp"
#include "cuda_test.hpp"
#include "neighbors_by_definition.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::Donors;
using testing_support::donors_by_definition;
using testing_support::normal_rows;
using testing_support::Rows;

class CudaDonors : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaDonors);

/// Takes away about every fifth value, and all of some rows.
template <class T>
void lose_values(Rows<T>& x, std::int64_t seed) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const bool lost = (i * 7 + j * 3 + seed) % 5 == 0 || (i + seed) % 19 == 0;
      if (lost) x(i, j) = std::numeric_limits<T>::quiet_NaN();
    }
  }
}

template <class T>
std::vector<MissingCell> missing_cells(const Rows<T>& queries) {
  std::vector<MissingCell> cells;
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    for (std::int64_t j = 0; j < queries.cols; ++j) {
      if (!std::isnan(queries(i, j))) continue;
      cells.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(j)});
    }
  }
  return cells;
}

template <class T>
void expect_donors(const Rows<T>& x, const Rows<T>& queries, std::int64_t k) {
  const std::vector<MissingCell> cells = missing_cells(queries);
  const std::size_t size = cells.size() * static_cast<std::size_t>(k);
  Donors found{std::vector<std::int32_t>(size, 7), std::vector<double>(size, 7)};
  const auto find = device_table(Device::Cuda).functions<T>().donors;
  find(x.view(), queries.view(), cells, k, found.rows, found.keys, Device::Cuda);
  EXPECT_EQ(found, donors_by_definition(x.view(), queries.view(), cells, k))
      << x.rows << " x " << x.cols << ", " << queries.rows << ", " << k;
}

template <class T>
void donors_at_all_sizes() {
  for (const std::int64_t rows : {1, 31, 32, 33, 150}) {
    for (const std::int64_t cols : {1, 3, 9}) {
      Rows<T> x = normal_rows<T>(rows, cols, 1, 0, 2);
      Rows<T> queries = normal_rows<T>(21, cols, 2);
      lose_values(x, 1);
      lose_values(queries, 2);
      for (const std::int64_t k : {1, 5}) expect_donors(x, queries, k);
      expect_donors(x, x, 3);
    }
  }
}

TEST_P(CudaDonors, FollowTheDefinitionAtAllSizes) {
  donors_at_all_sizes<float>();
  donors_at_all_sizes<double>();
}

TEST_P(CudaDonors, OfEquallyNearOnesAreTheFirst) {
  Rows<float> x(120, 3);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) x(i, j) = static_cast<float>((i * (j + 2)) % 3);
  }
  lose_values(x, 0);
  expect_donors(x, x, 7);
}

}  // namespace
}  // namespace coterie
