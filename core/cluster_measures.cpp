#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/checks.hpp"
#include "core/cluster_moments.hpp"
#include "core/contract/distance.hpp"
#include "core/grouping.hpp"
#include "core/memory.hpp"
#include "coterie/measures.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr std::int64_t kRowBytes = sizeof(std::int32_t);  // the row's cluster

/// Calls index(clusters, moments).
template <class T, class Index>
double measure(MatrixView<const T> x, std::span<const std::int32_t> labels, Metric metric,
               const char* what, const Context& ctx, const Index& index) {
  require_shape(x, "x");
  return explaining_memory(what, kRowBytes * x.rows, "take a sample of the rows", [&] {
    const Clusters clusters = number_clusters(labels, x.rows);
    return index(clusters, cluster_moments(x, clusters, metric, what, ctx));
  });
}

/// A cluster's largest similarity to another one, and its largest distance to one.
struct Similarity {
  double similarity = 0;
  double distance = 0;
};

Similarity compare(const ClusterMoments& moments, const std::vector<double>& spread,
                   std::int64_t cluster) {
  const auto means = moments.means.view();
  Similarity most;
  for (std::int64_t other = 0; other < means.rows; ++other) {
    const double distance =
        std::sqrt(squared_distance(means.row(cluster), means.row(other), means.cols));
    if (distance == 0) continue;  // the cluster itself, or one in the same place: scikit-learn's 0
    const double sum =
        spread[static_cast<std::size_t>(cluster)] + spread[static_cast<std::size_t>(other)];
    most.similarity = std::max(most.similarity, sum / distance);
    most.distance = std::max(most.distance, distance);
  }
  return most;
}

/// The mean over the clusters of the largest similarity to another one.
double mean_similarity(const ClusterMoments& moments, const std::vector<double>& spread,
                       const Context& ctx) {
  std::vector<Similarity> most(spread.size());
  cpu::parallel_for(ctx, moments.means.rows, [&](std::int64_t c, int) {
    most[static_cast<std::size_t>(c)] = compare(moments, spread, c);
  });
  double sum = 0, widest = 0;
  for (const Similarity& m : most) {
    sum += m.similarity;
    widest = std::max(widest, m.distance);
  }
  // scikit-learn's absolute tolerance, below which it takes points for one and answers 0.
  constexpr double kSame = 1e-8;
  const bool no_spread = *std::max_element(spread.begin(), spread.end()) <= kSame;
  return no_spread || widest <= kSame ? 0 : sum / static_cast<double>(most.size());
}

/// The variance between the clusters over that within them.
double variance_ratio(const Clusters& clusters, const ClusterMoments& moments) {
  const auto means = moments.means.view();
  const auto rows = static_cast<double>(clusters.cluster.size());
  // Relative to the first cluster's mean, so that little is lost where the data sit far from 0.
  std::vector<double> centre(means.row(0), means.row(0) + means.cols);
  for (std::int64_t j = 0; j < means.cols; ++j) {
    double sum = 0;
    for (std::int64_t c = 0; c < means.rows; ++c) {
      sum += static_cast<double>(clusters.size(c)) * (means(c, j) - means(0, j));
    }
    centre[static_cast<std::size_t>(j)] += sum / rows;
  }
  double between = 0;
  for (std::int64_t c = 0; c < means.rows; ++c) {
    between += static_cast<double>(clusters.size(c)) *
               squared_distance(means.row(c), centre.data(), means.cols);
  }
  const double within = std::accumulate(moments.distance.begin(), moments.distance.end(), 0.0);
  if (within == 0) return 1;  // as scikit-learn
  const auto count = static_cast<double>(means.rows);
  return between * (rows - count) / (within * (count - 1));
}

}  // namespace

template <class T>
double davies_bouldin(MatrixView<const T> x, std::span<const std::int32_t> labels,
                      const Context& ctx) {
  const auto index = [&ctx](const Clusters& clusters, const ClusterMoments& moments) {
    auto spread = moments.distance;  // mean distance to the cluster's mean
    for (std::size_t c = 0; c < spread.size(); ++c) {
      spread[c] /= static_cast<double>(clusters.size(static_cast<std::int64_t>(c)));
    }
    return mean_similarity(moments, spread, ctx);
  };
  return measure(x, labels, Metric::Euclidean, "davies_bouldin", ctx, index);
}

template <class T>
double calinski_harabasz(MatrixView<const T> x, std::span<const std::int32_t> labels,
                         const Context& ctx) {
  return measure(x, labels, Metric::SquaredEuclidean, "calinski_harabasz", ctx, variance_ratio);
}

template double davies_bouldin(MatrixView<const float>, std::span<const std::int32_t>,
                               const Context&);
template double davies_bouldin(MatrixView<const double>, std::span<const std::int32_t>,
                               const Context&);
template double calinski_harabasz(MatrixView<const float>, std::span<const std::int32_t>,
                                  const Context&);
template double calinski_harabasz(MatrixView<const double>, std::span<const std::int32_t>,
                                  const Context&);

}  // namespace coterie
