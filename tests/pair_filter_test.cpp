// What float32 points say about canonical keys, against the keys themselves.
#include "core/contract/pair_filter.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

constexpr PairMetric kMetrics[] = {
    {NeighborMetric::Euclidean, 2},   {NeighborMetric::Manhattan, 2},
    {NeighborMetric::Chebyshev, 2},   {NeighborMetric::Minkowski, 3},
    {NeighborMetric::Minkowski, 1.2}, {NeighborMetric::Minkowski, 0.3},
    {NeighborMetric::Minkowski, 40},  {NeighborMetric::Cosine, 2}};

float value_of(const PairFilter& filter, const float* a, const float* b) {
  float value = 0;
  for (std::int64_t j = 0; j < filter.point_cols; ++j) {
    const float t = a[j * kBlock] - b[j * kBlock];
    switch (filter.form) {
      case FilterForm::Squares:
        value += t * t;
        break;
      case FilterForm::Sum:
        value += std::abs(t);
        break;
      case FilterForm::Largest:
        value = std::max(value, std::abs(t));
        break;
    }
  }
  return value;
}

/// The value and the key of each pair of some rows.
struct Pair {
  float value;
  double key;
};

/// Of all rows, or of the first ones with the others.
template <class T>
std::vector<Pair> pairs_of(const Matrix<T>& x, const PairFilter& filter, std::int64_t split = 0) {
  std::vector<std::vector<float>> points;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    points.emplace_back(static_cast<std::size_t>(filter.point_cols * kBlock));
    filter.put_point(x.view().row(i), points.back().data());
  }
  std::vector<Pair> pairs;
  for (std::int64_t i = 0; i < (split > 0 ? split : x.rows); ++i) {
    for (std::int64_t j = std::max(i, split); j < x.rows; ++j) {
      pairs.push_back({value_of(filter, points[static_cast<std::size_t>(i)].data(),
                                points[static_cast<std::size_t>(j)].data()),
                       key(filter.metric, x.view().row(i), x.view().row(j), x.cols)});
    }
  }
  return pairs;
}

/// Every pair against limits just at and just below the key of every other.
void expect_sound(const PairFilter& filter, const std::vector<Pair>& pairs) {
  for (std::size_t i = 0; i < pairs.size(); i += 7) {
    const float rival = filter.reach_of(pairs[i].value);
    for (const double limit : {pairs[i].key, std::nextafter(pairs[i].key, 0)}) {
      const float sure = filter.sure(limit), reach = filter.reach(limit);
      for (const Pair& pair : pairs) {
        if (pair.value <= sure) {
          ASSERT_LE(pair.key, limit) << pair.value;
        }
        if (pair.key <= limit) {
          ASSERT_LE(pair.value, reach) << limit;
        }
      }
    }
    for (const Pair& pair : pairs) {
      if (pair.key <= pairs[i].key) {
        ASSERT_LE(pair.value, rival);
      }
    }
  }
}

template <class T>
PairFilter filter_for(const PairMetric& metric, const Matrix<T>& x, const double* shift) {
  double largest = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double origin = shift == nullptr ? 0 : shift[i % static_cast<std::size_t>(x.cols)];
    largest = std::max(largest, std::abs(static_cast<double>(x.values[i]) - origin));
  }
  return pair_filter<T>(metric, x.cols, shift, largest);
}

TEST(PairFilter, IsSoundForEveryMetricAndType) {
  for (const PairMetric& metric : kMetrics) {
    for (const std::int64_t cols : {1, 2, 5, 40}) {
      for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs}) {
        auto narrow = make_rows<float>(25, cols, shape);
        auto wide = make_rows<double>(25, cols, shape);
        for (float& value : narrow.values) value += 0.25f;  // no row of zeros
        for (double& value : wide.values) value += 0.25;
        const bool angles = metric.metric == NeighborMetric::Cosine;
        const std::vector<double> shift(wide.values.begin(), wide.values.begin() + cols);
        const PairFilter of_narrow = filter_for(metric, narrow, nullptr);
        const PairFilter of_wide = filter_for(metric, wide, angles ? nullptr : shift.data());
        expect_sound(of_narrow, pairs_of(narrow, of_narrow));
        expect_sound(of_wide, pairs_of(wide, of_wide));
      }
    }
  }
}

TEST(PairFilter, IsSoundAtTheEndsOfTheExponents) {
  for (const double size : {1e-308, 1e-160, 1e-40, 1e40, 1e150, 1e300}) {
    for (const PairMetric& metric : kMetrics) {
      if (metric.metric == NeighborMetric::Minkowski && metric.p != 3) continue;
      auto x = make_rows<double>(25, 3);
      for (double& value : x.values) value *= size;
      x.values[0] *= 1e5;
      const PairFilter filter = filter_for(metric, x, nullptr);
      expect_sound(filter, pairs_of(x, filter));
    }
  }
}

/// Where one row of a pair is small, against limits of every magnitude.
TEST(PairFilter, IsSoundForItsSmallerPoints) {
  auto x = make_rows<double>(40, 3);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] = std::ldexp(x.values[i], i < 60 ? -20 : -static_cast<int>(i % 7));
  }
  const double size = std::ldexp(11, -20);
  for (const PairMetric& metric : {kMetrics[0], kMetrics[1], kMetrics[2], kMetrics[3]}) {
    const PairFilter whole = filter_for(metric, x, nullptr);
    std::vector<Pair> pairs = pairs_of(x, whole);
    std::vector<Pair> small;  // those of one of the first 20 rows
    for (std::size_t i = 0; i < 20; ++i) {
      small.insert(small.end(), pairs.begin(), pairs.begin() + 40 - static_cast<std::ptrdiff_t>(i));
      pairs.erase(pairs.begin(), pairs.begin() + 40 - static_cast<std::ptrdiff_t>(i));
    }
    for (std::size_t i = 0; i < small.size(); i += 5) {
      for (const double limit : {small[i].key, std::nextafter(small[i].key, 0)}) {
        const PairFilter local = whole.for_size(size * whole.scale, limit);
        EXPECT_LE(local.reach(limit), whole.reach(limit));
        for (const Pair& pair : small) {
          if (pair.value <= local.sure(limit)) {
            ASSERT_LE(pair.key, limit);
          }
          if (pair.key <= limit) {
            ASSERT_LE(pair.value, local.reach(limit));
          }
        }
      }
    }
  }
}

TEST(PairFilter, IsSoundOnTheSphere) {
  auto x = make_rows<double>(60, 2);
  for (double& value : x.values) value = 40 * value + 1e-9;  // many turns, and beyond the poles
  x.values[4] = x.values[6] + 1e-12;
  x.values[5] = x.values[7];
  const PairFilter filter = filter_for<double>({NeighborMetric::Haversine, 2}, x, nullptr);
  expect_sound(filter, pairs_of(x, filter));
}

TEST(PairFilter, IsSoundForQueriesFarOutside) {
  for (const double size : {10.0, 1e3, 1e5, 1e9, 1e20, 1e160, 1e300}) {
    const auto x = make_rows<double>(20, 3);
    Matrix<double> all = make_rows<double>(30, 3);
    for (std::size_t i = x.values.size(); i < all.values.size(); ++i) all.values[i] *= size;
    const PairFilter filter = with_queries(filter_for<double>({}, x, nullptr), 20 * size);
    expect_sound(filter, pairs_of(all, filter, 20));
  }
}

TEST(PairFilter, LeavesLittleOpen) {
  const auto x = make_rows<float>(40, 3, Shape::OffsetBlobs);
  const PairFilter filter = filter_for<float>({}, x, nullptr);
  EXPECT_GT(filter.sure(2.0), 0.99999f * filter.reach(2.0));
  EXPECT_EQ(filter.sure(std::numeric_limits<double>::infinity()),
            std::numeric_limits<float>::max());
}

}  // namespace
}  // namespace coterie
