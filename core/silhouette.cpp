#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checks.hpp"
#include "core/cluster_moments.hpp"
#include "core/device.hpp"
#include "core/grouping.hpp"
#include "core/memory.hpp"
#include "core/stratified_sample.hpp"
#include "coterie/measures.hpp"

namespace coterie {
namespace {

/// A row's cluster and its place among the grouped rows; and its value.
constexpr std::int64_t kGroupBytes = 4 + 8;
constexpr std::int64_t kRowBytes = kGroupBytes + 8;

/// Silhouettes of the rows named (of all: none), each against all of x.
template <class T>
std::vector<double> silhouettes(MatrixView<const T> x, const Grouping& groups,
                                std::span<const std::int64_t> rows, Metric metric,
                                const Context& ctx) {
  constexpr const char* kWhat = "silhouette";
  std::vector<double> values(rows.empty() ? groups.rows.size() : rows.size());
  if (metric == Metric::Euclidean) {
    const auto pass = choose(x.memory, ctx, &DeviceFunctions<T>::silhouettes, kWhat);
    if (!pass(x, groups, rows, values, ctx)) require_finite(x, "x", ctx);
  } else {
    const auto moments = cluster_moments(x, groups, metric, kWhat, ctx);
    choose(x.memory, ctx, &DeviceFunctions<T>::squared_silhouettes, kWhat)(x, groups, moments, rows,
                                                                           values, ctx);
  }
  return values;
}

void require_metric(Metric metric) {
  require_argument(metric == Metric::Euclidean || metric == Metric::SquaredEuclidean,
                   "metric must be Euclidean or SquaredEuclidean for a silhouette");
}

/// What a cluster's drawn silhouettes say.
struct Stratum {
  double rows = 0;   // of the cluster
  double drawn = 0;  // of them
  double mean = 0;
  double squares = 0;  // sum of squared deviations from the mean
};

std::vector<Stratum> strata_of(const Grouping& groups, const std::vector<std::int64_t>& sizes,
                               std::span<const double> values) {
  std::vector<Stratum> strata;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const auto drawn = values.first(static_cast<std::size_t>(sizes[c]));
    values = values.subspan(drawn.size());
    Stratum stratum{static_cast<double>(groups.size(static_cast<std::int64_t>(c))),
                    static_cast<double>(drawn.size())};
    stratum.mean = std::accumulate(drawn.begin(), drawn.end(), 0.0) / stratum.drawn;
    for (const double v : drawn) stratum.squares += (v - stratum.mean) * (v - stratum.mean);
    strata.push_back(stratum);
  }
  return strata;
}

/// The variance within clusters, over all that have two drawn rows. Where none has, that of the
/// draws, which holds the variance between clusters too and so errs upwards.
double pooled_variance(const std::vector<Stratum>& strata) {
  double squares = 0, freedom = 0, mean = 0;
  for (const Stratum& s : strata) {
    squares += s.squares;
    freedom += s.drawn - 1;
    mean += s.mean / static_cast<double>(strata.size());
  }
  if (freedom > 0) return squares / freedom;
  for (const Stratum& s : strata) squares += (s.mean - mean) * (s.mean - mean);
  return squares / static_cast<double>(strata.size() - 1);
}

/// Cochran, "Sampling Techniques" (1977), sections 5.3 and 5.4.
Estimate stratified_mean(const std::vector<Stratum>& strata) {
  const double pooled = pooled_variance(strata);
  double rows = 0;
  for (const Stratum& s : strata) rows += s.rows;
  double mean = 0, variance = 0;
  for (const Stratum& s : strata) {
    const double share = s.rows / rows;
    const double within = s.drawn > 1 ? s.squares / (s.drawn - 1) : pooled;
    mean += share * s.mean;
    variance += share * share * (1 - s.drawn / s.rows) * within / s.drawn;
  }
  return {mean, std::sqrt(variance)};
}

}  // namespace

template <class T>
std::vector<double> silhouette_samples(MatrixView<const T> x, std::span<const std::int32_t> labels,
                                       Metric metric, const Context& ctx) {
  require_shape(x, "x");
  require_metric(metric);
  return explaining_memory("the silhouette", kRowBytes * x.rows, "take silhouette_sampled", [&] {
    return silhouettes(x, group_rows(labels, x.rows), {}, metric, ctx);
  });
}

template <class T>
Estimate silhouette_sampled(MatrixView<const T> x, std::span<const std::int32_t> labels,
                            std::int64_t sample_size, std::uint64_t seed, Metric metric,
                            const Context& ctx) {
  require_shape(x, "x");
  require_metric(metric);
  return explaining_memory("the sampled silhouette", kGroupBytes * x.rows, "take fewer rows", [&] {
    const Grouping groups = group_rows(labels, x.rows);
    const auto sizes = allocate_sample(groups, std::min(sample_size, x.rows));
    const auto values = silhouettes(x, groups, draw_sample(groups, sizes, seed), metric, ctx);
    return stratified_mean(strata_of(groups, sizes, values));
  });
}

template std::vector<double> silhouette_samples(MatrixView<const float>,
                                                std::span<const std::int32_t>, Metric,
                                                const Context&);
template std::vector<double> silhouette_samples(MatrixView<const double>,
                                                std::span<const std::int32_t>, Metric,
                                                const Context&);
template Estimate silhouette_sampled(MatrixView<const float>, std::span<const std::int32_t>,
                                     std::int64_t, std::uint64_t, Metric, const Context&);
template Estimate silhouette_sampled(MatrixView<const double>, std::span<const std::int32_t>,
                                     std::int64_t, std::uint64_t, Metric, const Context&);

}  // namespace coterie
