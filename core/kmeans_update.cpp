#include "core/kmeans_update.hpp"

#include <cmath>

#include "core/contract/distance.hpp"
#include "core/contract/kmeans_update.hpp"

namespace coterie {
namespace {

FixedSum weight_limbs(double weight, const Frame& frame) {
  FixedSum limbs;
  to_limbs(weight, frame.weight_scale, std::ldexp(1.0, frame.bits), &limbs.high, &limbs.low);
  return limbs;
}

/// Moves a row's limbs from one cluster's sums to another's.
template <class T>
void move_row(std::span<const T> row, double weight, const Frame& frame, std::int64_t from,
              std::int64_t to, LloydSums& sums) {
  const double limb = std::ldexp(1.0, frame.bits);
  const std::size_t cols = row.size();
  FixedSum limbs;
  for (std::size_t j = 0; j < cols; ++j) {
    const double value = weight * (static_cast<double>(row[j]) - frame.shift[j]);
    to_limbs(value, frame.scale[j], limb, &limbs.high, &limbs.low);
    const std::size_t source = static_cast<std::size_t>(from) * cols + j;
    const std::size_t target = static_cast<std::size_t>(to) * cols + j;
    sums.high[source] -= limbs.high;
    sums.low[source] -= limbs.low;
    sums.high[target] += limbs.high;
    sums.low[target] += limbs.low;
  }
  limbs = weight_limbs(weight, frame);
  sums.weight[static_cast<std::size_t>(to)] += limbs;
  sums.weight[static_cast<std::size_t>(from)] += {-limbs.high, -limbs.low};
}

}  // namespace

std::vector<std::int64_t> empty_clusters(const LloydSums& sums) {
  std::vector<std::int64_t> empty;
  for (std::size_t c = 0; c < sums.weight.size(); ++c) {
    if (sums.weight[c].is_zero()) empty.push_back(static_cast<std::int64_t>(c));
  }
  return empty;
}

template <class T>
void relocate(const KMeansSource<T>& source, const Frame& frame, int slot,
              std::span<const std::int64_t> empty, std::span<const FarRow> far, LloydSums& sums) {
  std::vector<T> row(static_cast<std::size_t>(source.cols));
  std::size_t next = 0;
  for (const FarRow& candidate : far) {
    if (next == empty.size() || candidate.distance == 0) return;
    const std::int32_t from = source.passes.label(candidate.row, slot);
    const double weight = source.weight(candidate.row);
    const FixedSum own = weight_limbs(weight, frame);
    const FixedSum& all = sums.weight[static_cast<std::size_t>(from)];
    if (all.high == own.high && all.low == own.low) continue;  // its cluster's last row
    source.passes.copy_row(candidate.row, row);
    move_row(std::span<const T>(row), weight, frame, from, empty[next++], sums);
  }
}

template <class T>
Matrix<T> means(const LloydSums& sums, const Frame& frame, std::int64_t clusters,
                std::int64_t cols) {
  Matrix<T> centroids(clusters, cols);
  const auto weight_of = [&](std::int64_t c) {
    return from_limbs(sums.weight[static_cast<std::size_t>(c)], frame.bits, frame.weight_scale);
  };
  std::int64_t heaviest = 0;
  for (std::int64_t c = 1; c < clusters; ++c) {
    if (weight_of(c) > weight_of(heaviest)) heaviest = c;
  }
  for (std::int64_t c = 0; c < clusters; ++c) {
    const std::int64_t from = sums.weight[static_cast<std::size_t>(c)].is_zero() ? heaviest : c;
    const double weight = weight_of(from);
    for (std::int64_t j = 0; j < cols; ++j) {
      const auto at = static_cast<std::size_t>(from * cols + j);
      const auto column = static_cast<std::size_t>(j);
      const double sum = from_limbs({sums.high[at], sums.low[at]}, frame.bits, frame.scale[column]);
      centroids.view()(c, j) = static_cast<T>(mean_of(sum, weight, frame.shift[column]));
    }
  }
  return centroids;
}

template <class T>
double squared_shift(MatrixView<const T> before, MatrixView<const T> after) {
  double shift = 0;
  for (std::int64_t c = 0; c < before.rows; ++c) {
    shift += squared_distance(before.row(c), after.row(c), before.cols);
  }
  return shift;
}

template void relocate(const KMeansSource<float>&, const Frame&, int, std::span<const std::int64_t>,
                       std::span<const FarRow>, LloydSums&);
template void relocate(const KMeansSource<double>&, const Frame&, int,
                       std::span<const std::int64_t>, std::span<const FarRow>, LloydSums&);
template Matrix<float> means(const LloydSums&, const Frame&, std::int64_t, std::int64_t);
template Matrix<double> means(const LloydSums&, const Frame&, std::int64_t, std::int64_t);
template double squared_shift(MatrixView<const float>, MatrixView<const float>);
template double squared_shift(MatrixView<const double>, MatrixView<const double>);

}  // namespace coterie
