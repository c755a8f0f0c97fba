#include "coterie/knn_imputer.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "rows.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::normal_rows;
using testing_support::Rows;

template <class T>
class KnnImputer : public ::testing::Test {
 protected:
  static constexpr T kMissing = std::numeric_limits<T>::quiet_NaN();
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(KnnImputer, Types);

template <class T>
Rows<T> imputed(const Rows<T>& x, const Rows<T>& queries, const KnnImputeParams& params,
                int threads = 0) {
  Rows<T> out(queries.rows, queries.cols, 3);
  Context ctx = Device::Cpu;
  ctx.threads = threads;
  knn_impute<T>(x.view(), queries.view(), params, out.view(), ctx);
  return out;
}

/// Takes a share of the values away.
template <class T>
Rows<T> with_missing(Rows<T> x, double share, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      if (unit(bits) < share) x(i, j) = std::numeric_limits<T>::quiet_NaN();
    }
  }
  return x;
}

/// The definition, row by row.
template <class T>
T by_definition(const Rows<T>& x, const Rows<T>& queries, std::int64_t query, std::int64_t col,
                const KnnImputeParams& params) {
  struct Donor {
    double key;
    std::int64_t row;
  };
  std::vector<Donor> donors;
  double total = 0, count = 0;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    if (std::isnan(x(i, col))) continue;
    total += static_cast<double>(x(i, col));
    ++count;
    double sum = 0, shared = 0;
    for (std::int64_t j = 0; j < x.cols; ++j) {
      if (std::isnan(x(i, j)) || std::isnan(queries(query, j))) continue;
      const double t = static_cast<double>(x(i, j)) - static_cast<double>(queries(query, j));
      sum += t * t;
      ++shared;
    }
    if (shared > 0) donors.push_back({sum / shared * static_cast<double>(x.cols), i});
  }
  if (donors.empty()) return static_cast<T>(total / count);  // NaN where nothing has the column
  std::stable_sort(donors.begin(), donors.end(),
                   [](const Donor& a, const Donor& b) { return a.key < b.key; });
  donors.resize(std::min(donors.size(), static_cast<std::size_t>(params.neighbors)));
  double values = 0, weights = 0;
  for (const Donor& donor : donors) {
    double weight = 1;
    if (params.distance_weights && donors[0].key > 0) weight = 1 / std::sqrt(donor.key);
    if (params.distance_weights && donors[0].key == 0) weight = donor.key == 0 ? 1 : 0;
    values += weight * static_cast<double>(x(donor.row, col));
    weights += weight;
  }
  return static_cast<T>(values / weights);
}

template <class T>
void expect_by_definition(const Rows<T>& x, const Rows<T>& queries, const KnnImputeParams& params,
                          const std::string& what) {
  const auto out = imputed(x, queries, params);
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    for (std::int64_t j = 0; j < queries.cols; ++j) {
      if (!std::isnan(queries(i, j))) {
        ASSERT_EQ(out(i, j), queries(i, j)) << what << ", row " << i << ", column " << j;
        continue;
      }
      const T expected = by_definition(x, queries, i, j, params);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(out(i, j))) << what << ", row " << i << ", column " << j;
      } else {
        const double slack = 1e-12 * std::abs(static_cast<double>(expected)) + 1e-13;
        ASSERT_NEAR(out(i, j), expected, sizeof(T) == 4 ? 1e-6 * std::abs(expected) + 1e-7 : slack)
            << what << ", row " << i << ", column " << j;
      }
    }
  }
}

TYPED_TEST(KnnImputer, TakesTheMeanOfTheTwoNearestThatHaveTheValue) {
  Rows<TypeParam> x(4, 3);
  const TypeParam nan = this->kMissing;
  x.values = {1, 2, nan, 3, 4, 3, nan, 6, 5, 8, 8, 7};
  const auto out = imputed(x, x, {.neighbors = 2});
  EXPECT_EQ(out(0, 2), 4);
  EXPECT_EQ(out(2, 0), TypeParam(5.5));
  EXPECT_EQ(out(3, 1), 8);
}

TYPED_TEST(KnnImputer, FollowsTheDefinition) {
  for (const std::int64_t rows : {1, 31, 32, 33, 64, 65, 1025}) {
    for (const std::int64_t cols : {1, 2, 7, 33, 300}) {
      if (rows * cols > 8000 && cols != 7) continue;
      for (const double share : {0.1, 0.6, 0.97}) {
        const auto x = with_missing(normal_rows<TypeParam>(rows, cols, 1, 0, 2), share, 2);
        const auto queries = with_missing(normal_rows<TypeParam>(33, cols, 3, 0, 1), share, 4);
        for (const std::int64_t neighbors : {1, 5, 2000}) {
          for (const bool weights : {false, true}) {
            const std::string what = std::to_string(rows) + "x" + std::to_string(cols) + ", " +
                                     std::to_string(share) + " missing, " +
                                     std::to_string(neighbors) + " neighbors";
            expect_by_definition(x, queries, {neighbors, weights}, what);
          }
        }
      }
    }
  }
}

TYPED_TEST(KnnImputer, OfRowsAmongTheirOwnDonors) {
  for (const double offset : {0.0, 1e6}) {
    const auto x = with_missing(normal_rows<TypeParam>(500, 6, 7, offset), 0.2, 8);
    expect_by_definition(x, x, {.neighbors = 3}, "offset " + std::to_string(offset));
    expect_by_definition(x, x, {3, true}, "offset " + std::to_string(offset));
  }
}

TYPED_TEST(KnnImputer, BreaksTiesByTheLowerRow) {
  Rows<TypeParam> x(1025, 4);
  std::mt19937_64 bits(5);
  for (auto& value : x.values) value = static_cast<TypeParam>(bits() % 3);
  const auto holes = with_missing(x, 0.2, 6);
  for (const std::int64_t neighbors : {1, 4, 100}) {
    expect_by_definition(holes, holes, {.neighbors = neighbors}, "integers");
    expect_by_definition(holes, holes, {neighbors, true}, "weighted integers");
  }
}

TYPED_TEST(KnnImputer, EqualRowsTakeAllTheWeight) {
  Rows<TypeParam> x(4, 2);
  x.values = {1, 10, 1, 20, 2, 90, 1, 60};
  Rows<TypeParam> query(1, 2);
  query.values = {1, this->kMissing};
  EXPECT_EQ(imputed(x, query, {4, true})(0, 1), 30);
  EXPECT_EQ(imputed(x, query, {4, false})(0, 1), 45);
  query.values = {3, this->kMissing};  // at distance 1 from one row, 2 from the others
  EXPECT_NEAR(imputed(x, query, {4, true})(0, 1), (90 + 90 / 2.0) / 2.5, 1e-5);
}

TYPED_TEST(KnnImputer, FallsBackToTheMeanAndLeavesWhatNoRowHas) {
  Rows<TypeParam> x(3, 3);
  const TypeParam nan = this->kMissing;
  x.values = {nan, 1, nan, nan, 4, nan, 5, nan, nan};
  Rows<TypeParam> queries(3, 3);
  queries.values = {3, nan, nan, nan, nan, nan, nan, 4, 7};
  const auto out = imputed(x, queries, {});
  EXPECT_EQ(out(0, 1), TypeParam(2.5));  // shares nothing with the rows that have the column
  EXPECT_TRUE(std::isnan(out(0, 2)));
  EXPECT_EQ(out(1, 0), 5);
  EXPECT_EQ(out(1, 1), TypeParam(2.5));
  EXPECT_EQ(out(2, 0), 5);
  EXPECT_EQ(out(2, 2), 7);
}

TYPED_TEST(KnnImputer, HugeAndTinyValuesNeitherOverflowNorVanish) {
  constexpr double kHuge = sizeof(TypeParam) == 4 ? 1e38 : 1e150;
  for (const double size : {kHuge, 1 / kHuge}) {
    auto x = normal_rows<TypeParam>(200, 5, 9);
    for (auto& value : x.values) value = static_cast<TypeParam>(value / 8 * size);
    x = with_missing(x, 0.2, 10);
    const auto out = imputed(x, x, {.neighbors = 2});
    for (std::int64_t i = 0; i < x.rows; ++i) {
      for (std::int64_t j = 0; j < x.cols; ++j) {
        if (!std::isnan(x(i, j))) continue;
        const double expected = by_definition(x, x, i, j, {.neighbors = 2});
        ASSERT_NEAR(out(i, j), expected, 1e-6 * size);
      }
    }
  }
}

TYPED_TEST(KnnImputer, IsTheSameForAnyNumberOfThreadsAndBatch) {
  // With as many neighbors as rows, the donors of all cells pass one batch.
  const auto x = with_missing(normal_rows<TypeParam>(1025, 9, 11), 0.15, 12);
  for (const std::int64_t neighbors : {5, 1025}) {
    for (const bool weights : {false, true}) {
      const auto one = imputed(x, x, {neighbors, weights}, 1).values;
      for (const int threads : {2, 7}) {
        const auto more = imputed(x, x, {neighbors, weights}, threads).values;
        for (std::size_t i = 0; i < one.size(); ++i) {
          ASSERT_TRUE(one[i] == more[i] || (std::isnan(one[i]) && std::isnan(more[i])));
        }
      }
      if (weights) continue;
      Rows<TypeParam> first(1, x.cols);  // alone in its batch
      std::copy_n(x.view().row(17), x.cols, first.view().row(0));
      first(0, 2) = this->kMissing;
      Rows<TypeParam> among = x;
      among(17, 2) = this->kMissing;
      EXPECT_EQ(imputed(x, first, {neighbors, weights})(0, 2),
                imputed(x, among, {neighbors, weights})(17, 2));
    }
  }
}

TYPED_TEST(KnnImputer, ReportsHowFarItIsAndCanBeInterrupted) {
  const auto x = with_missing(normal_rows<TypeParam>(1025, 9, 11), 0.15, 12);
  Rows<TypeParam> out(x.rows, x.cols);
  Context ctx = Device::Cpu;
  std::int64_t last = 0;
  ctx.progress = [&last](const Progress& progress) {
    EXPECT_EQ(progress.stage, "imputing");
    EXPECT_EQ(progress.steps, 1025);
    EXPECT_GT(progress.step, last);
    last = progress.step;
  };
  knn_impute<TypeParam>(x.view(), x.view(), {.neighbors = 1000}, out.view(), ctx);
  EXPECT_EQ(last, 1025);
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(knn_impute<TypeParam>(x.view(), x.view(), {}, out.view(), ctx), Interrupted);
}

template <class T>
std::string message(MatrixView<const T> x, MatrixView<const T> queries,
                    const KnnImputeParams& params, MatrixView<T> out) {
  try {
    knn_impute<T>(x, queries, params, out);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing thrown";
}

TYPED_TEST(KnnImputer, NamesWhatIsWrong) {
  auto x = normal_rows<TypeParam>(4, 3, 7);
  auto y = normal_rows<TypeParam>(5, 3, 8);
  Rows<TypeParam> out(5, 3), narrow(5, 2), few(4, 3);
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), {.neighbors = 0}, out.view()),
            "neighbors must be at least 1, got 0");
  EXPECT_EQ(message<TypeParam>(x.view(), narrow.view(), {}, narrow.view()),
            "queries must have x's 3 columns, got 2");
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), {}, few.view()), "out must be 5 x 3, got 4 x 3");
  y(2, 1) = -this->kInfinity;
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), {}, out.view()),
            "queries may miss values (NaN), but got -infinity in row 2, column 1");
  x(3, 0) = this->kInfinity;
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), {}, out.view()),
            "x may miss values (NaN), but got infinity in row 3, column 0");
}

class KnnImputerOn : public testing_support::DeviceTest {};

TEST_P(KnnImputerOn, FillsAsTheCpu) {
  const auto x = with_missing(normal_rows<float>(300, 7, 31), 0.3, 32);
  Rows<float> out(x.rows, x.cols), on_cpu(x.rows, x.cols);
  for (const bool weights : {false, true}) {
    knn_impute<float>(x.view(), x.view(), {6, weights}, out.view(), GetParam());
    knn_impute<float>(x.view(), x.view(), {6, weights}, on_cpu.view(), Device::Cpu);
    EXPECT_EQ(out.values, on_cpu.values);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, KnnImputerOn, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

}  // namespace
}  // namespace coterie
