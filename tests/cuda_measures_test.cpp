// The measures of a clustering from the GPU against the CPU's, bit for bit. On the CUDA-on-CPU
// layer in every order of threads; on a GPU the order changes nothing.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/cluster_moments.hpp"
#include "core/device.hpp"
#include "core/frame.hpp"
#include "core/grouping.hpp"
#include "coterie/measures.hpp"
#include "cuda_test.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::make_rows;
using testing_support::normal_rows;
using testing_support::Rows;
using testing_support::Shape;
using Labels = std::vector<std::int32_t>;

class CudaMeasures : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaMeasures);

constexpr Metric kMetrics[] = {Metric::Euclidean, Metric::SquaredEuclidean};

/// `clusters` of uneven sizes, mixed; every one has a row.
Labels mixed_labels(std::int64_t rows, std::int64_t clusters) {
  Labels labels;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t label = i < clusters ? i : i * i % 101 % clusters;
    labels.push_back(static_cast<std::int32_t>(3 * label - 5));
  }
  return labels;
}

/// Every row a cluster of its own, which the measures refuse but the passes need not.
Grouping alone(std::int64_t rows) {
  Grouping groups;
  groups.first.push_back(0);
  for (std::int64_t i = 0; i < rows; ++i) {
    groups.cluster.push_back(static_cast<std::int32_t>(i));
    groups.rows.push_back(i);
    groups.first.push_back(i + 1);
  }
  return groups;
}

void expect_same(const std::vector<FixedSum>& found, const std::vector<FixedSum>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].high, expected[i].high) << i;
    ASSERT_EQ(found[i].low, expected[i].low) << i;
  }
}

template <class T>
void compare_passes(MatrixView<const T> x, const Clusters& clusters) {
  SCOPED_TRACE(testing::Message() << x.rows << " x " << x.cols << ", " << clusters.clusters());
  const Context context;
  const auto cpu = device_table(Device::Cpu).functions<T>().clusters(x, clusters, context);
  const auto gpu = device_table(Device::Cuda).functions<T>().clusters(x, clusters, context);
  const ColumnRange range = cpu->range();
  EXPECT_EQ(gpu->range().low, range.low);
  EXPECT_EQ(gpu->range().high, range.high);
  const Frame frame = make_frame(range, x.rows, 1);
  expect_same(gpu->sums(frame), cpu->sums(frame));
  for (const Metric metric : kMetrics) {
    const auto moments = cluster_moments(x, clusters, metric, "test", Device::Cpu);
    const auto means = moments.means.view();
    const double scale = limb_scale(distance_bound(frame, 1, means), frame.bits);
    expect_same(gpu->distances(means, metric, frame.bits, scale),
                cpu->distances(means, metric, frame.bits, scale));
  }
}

template <class T>
void compare_silhouettes(MatrixView<const T> x, const Grouping& groups,
                         const std::vector<std::int64_t>& named = {}) {
  SCOPED_TRACE(testing::Message() << x.rows << " x " << x.cols << ", " << groups.clusters());
  const Context context;
  const auto& cpu = device_table(Device::Cpu).functions<T>();
  const auto& gpu = device_table(Device::Cuda).functions<T>();
  std::vector<double> expected(named.empty() ? groups.rows.size() : named.size());
  std::vector<double> found(expected.size());
  cpu.silhouettes(x, groups, named, expected, context);
  gpu.silhouettes(x, groups, named, found, context);
  EXPECT_EQ(found, expected);
  const auto moments = cluster_moments(x, groups, Metric::SquaredEuclidean, "test", Device::Cpu);
  cpu.squared_silhouettes(x, groups, moments, named, expected, context);
  gpu.squared_silhouettes(x, groups, moments, named, found, context);
  EXPECT_EQ(found, expected);
}

template <class T>
void compare_sizes() {
  for (const std::int64_t rows : {3, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33}) {
      const auto x = normal_rows<T>(rows, cols, 1, 0, 3);
      for (const std::int64_t clusters : {std::int64_t{2}, std::min<std::int64_t>(rows - 1, 20)}) {
        const Grouping groups = group_rows(mixed_labels(rows, clusters), rows);
        compare_passes<T>(x.view(), groups);
        compare_silhouettes<T>(x.view(), groups);
      }
    }
  }
}

TEST_P(CudaMeasures, EqualTheCpusAtAllSizes) {
  compare_sizes<float>();
  compare_sizes<double>();
}

TEST_P(CudaMeasures, EqualTheCpusWithWideRows) {
  for (const std::int64_t cols : {64, 127, 128, 129, 300}) {
    const auto x = normal_rows<double>(70, cols, 2, 0, 1);
    const Grouping groups = group_rows(mixed_labels(70, 5), 70);
    compare_passes<double>(x.view(), groups);
    compare_silhouettes<double>(x.view(), groups);
  }
}

TEST_P(CudaMeasures, EqualTheCpusWithAsManyClustersAsRows) {
  const auto few = normal_rows<float>(33, 3, 3);
  compare_passes<float>(few.view(), alone(33));
  compare_silhouettes<float>(few.view(), alone(33));
  const auto one = normal_rows<double>(1, 2, 4);
  compare_passes<double>(one.view(), alone(1));
  const auto many = normal_rows<double>(1700, 2, 5);  // their sums do not fit shared memory
  compare_passes<double>(many.view(), alone(1700));
}

template <class T>
void compare_shapes() {
  for (const Shape shape :
       {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Duplicates}) {
    const Matrix<T> x = make_rows<T>(300, 5, shape);
    const Grouping groups = group_rows(mixed_labels(300, 7), 300);
    compare_passes<T>(x.view(), groups);
    compare_silhouettes<T>(x.view(), groups);
  }
  Matrix<T> same(40, 2);
  std::fill(same.values.begin(), same.values.end(), T{7.3});
  compare_passes<T>(std::as_const(same).view(), group_rows(mixed_labels(40, 2), 40));
  compare_silhouettes<T>(std::as_const(same).view(), group_rows(mixed_labels(40, 2), 40));
}

TEST_P(CudaMeasures, EqualTheCpusForTiesOffsetsAndDuplicates) {
  compare_shapes<float>();
  compare_shapes<double>();
}

TEST_P(CudaMeasures, SilhouettesOfNamedRowsEqualTheCpus) {
  const auto x = normal_rows<float>(300, 3, 6);
  const Grouping groups = group_rows(mixed_labels(300, 4), 300);
  compare_silhouettes<float>(x.view(), groups, {299, 5, 5, 130, 0});
}

TEST_P(CudaMeasures, SilhouettesComeInChunksOfRowsBetweenWhichTheCallerMayStop) {
  const auto x = normal_rows<double>(6, 1, 7);
  const Grouping groups = group_rows(Labels{0, 1, 1, 0, 1, 2}, 6);
  std::vector<std::int64_t> named;
  for (std::int64_t i = 0; i < (1 << 16) + 100; ++i) named.push_back(i % 6);
  compare_silhouettes<double>(x.view(), groups, named);
  Context context;
  int asked = 0;
  context.interrupted = [&] { return ++asked > 1; };
  std::vector<double> out(named.size());
  const auto silhouettes = device_table(Device::Cuda).functions<double>().silhouettes;
  EXPECT_THROW(silhouettes(x.view(), groups, named, out, context), Interrupted);
}

TEST_P(CudaMeasures, WholeCallsEqualTheCpus) {
  const auto x = normal_rows<float>(500, 6, 8, 100);
  const Labels labels = mixed_labels(500, 6);
  EXPECT_EQ(davies_bouldin<float>(x.view(), labels, Device::Cuda),
            davies_bouldin<float>(x.view(), labels, Device::Cpu));
  EXPECT_EQ(calinski_harabasz<float>(x.view(), labels, Device::Cuda),
            calinski_harabasz<float>(x.view(), labels, Device::Cpu));
  for (const Metric metric : kMetrics) {
    EXPECT_EQ(silhouette_samples<float>(x.view(), labels, metric, Device::Cuda),
              silhouette_samples<float>(x.view(), labels, metric, Device::Cpu));
    const Estimate found = silhouette_sampled<float>(x.view(), labels, 60, 1, metric, Device::Cuda);
    const Estimate expected =
        silhouette_sampled<float>(x.view(), labels, 60, 1, metric, Device::Cpu);
    EXPECT_EQ(found.value, expected.value);
    EXPECT_EQ(found.standard_error, expected.standard_error);
  }
}

TEST_P(CudaMeasures, NameAValueThatIsNotFinite) {
  auto x = normal_rows<double>(50, 3, 9);
  x(40, 2) = std::numeric_limits<double>::infinity();
  std::string message = "nothing thrown";
  try {
    davies_bouldin<double>(x.view(), mixed_labels(50, 3), Device::Cuda);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  EXPECT_EQ(message, "x must be finite, got infinity in row 40, column 2");
}

}  // namespace
}  // namespace coterie
