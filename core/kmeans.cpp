#include "coterie/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/checks.hpp"
#include "core/contract/floating_environment.hpp"
#include "core/device.hpp"
#include "core/kmeans_loop.hpp"
#include "core/kmeans_seeding.hpp"
#include "core/memory.hpp"

namespace coterie {
namespace {

void require_weights(std::span<const double> weights, std::int64_t rows) {
  if (weights.empty()) return;
  const auto count = static_cast<std::int64_t>(weights.size());
  require_argument(count == rows, "weights must have one value for each of ", rows, " rows, got ",
                   count);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double weight = weights[static_cast<std::size_t>(i)];
    require_argument(std::isfinite(weight) && weight >= 0,
                     "weights must be finite and at least 0, got ", weight, " at row ", i);
  }
}

void require_some_weight(std::span<const double> weights) {
  if (weights.empty()) return;
  constexpr double kLeast = 1e-280;  // fixed-point sums of less would lose it
  const double largest = *std::ranges::max_element(weights);
  require_argument(largest > 0, "weights must have a value above 0, got only zeros");
  require_argument(largest >= kLeast, "weights must have a value of at least ", kLeast,
                   ", got at most ", largest);
}

void require_clusters(std::int64_t clusters, std::int64_t rows) {
  const std::int64_t most =
      std::min<std::int64_t>(rows, std::numeric_limits<std::int32_t>::max());  // labels are int32
  require_argument(clusters >= 1 && clusters <= most, "clusters must be in [1, ", most, "], got ",
                   clusters);
}

void require_params(const KMeansParams& params) {
  require_argument(params.restarts >= 1, "restarts must be at least 1, got ", params.restarts);
  require_argument(params.trials >= 0 && params.trials <= 255, "trials must be in [0, 255], got ",
                   params.trials);
  require_argument(params.max_iterations >= 1, "max_iterations must be at least 1, got ",
                   params.max_iterations);
  require_argument(std::isfinite(params.tolerance) && params.tolerance >= 0,
                   "tolerance must be finite and at least 0, got ", params.tolerance);
}

template <class T>
void require_models(std::span<const KMeansModel<T>> models, MatrixView<const T> x,
                    const Context& ctx) {
  for (const KMeansModel<T>& model : models) {
    require_clusters(model.clusters, x.rows);
    for (const auto& start : model.starts) {
      require_shape(start, "start");
      require_on_host(start, "start");
      require_argument(start.rows == model.clusters && start.cols == x.cols, "start must be ",
                       model.clusters, " x ", x.cols, ", got ", start.rows, " x ", start.cols);
      require_finite(start, "start", ctx);
    }
  }
}

/// What rows to be labelled and centroids given must be.
template <class T>
void require_centroids(MatrixView<const T> x, MatrixView<const T> centroids, const Context& ctx) {
  require_shape(x, "x");
  require_shape(centroids, "centroids");
  require_on_host(centroids, "centroids");
  require_same_cols(x.cols, "x", centroids.cols, "centroids");
  require_finite(centroids, "centroids", ctx);
}

/// Fits at once: one of each start, or of each restart.
template <class T>
std::int64_t run_count(std::span<const KMeansModel<T>> models, const KMeansParams& params) {
  std::int64_t runs = 0;
  for (const KMeansModel<T>& model : models) {
    runs += model.starts.empty() ? params.restarts : static_cast<std::int64_t>(model.starts.size());
  }
  return runs;
}

constexpr std::int64_t kLabelBytes = sizeof(std::int32_t);
constexpr std::int64_t kSeedingBytes = sizeof(double);
constexpr std::int64_t kParallelSeedingBytes = kSeedingBytes + sizeof(std::int32_t);

/// The passes over x on the chosen device, and the source that the loop reads.
template <class T>
class Session {
 public:
  Session(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : passes_(choose<T>(x.memory, ctx, &DeviceFunctions<T>::kmeans, "k-means")(x, weights, ctx)),
        source{.passes = *passes_, .rows = x.rows, .cols = x.cols, .weights = weights},
        frame(frame_of(source)) {}

 private:
  std::unique_ptr<KMeansPasses<T>> passes_;

 public:
  const KMeansSource<T> source;
  const Frame frame;
};

}  // namespace

template <class T>
std::vector<KMeansResult<T>> kmeans_sweep(MatrixView<const T> x,
                                          std::span<const KMeansModel<T>> models,
                                          const KMeansParams& params, const Context& ctx) {
  const DefaultFloatingEnvironment environment;
  require_shape(x, "x");
  require_params(params);
  require_weights(params.weights, x.rows);
  require_some_weight(params.weights);
  require_models(models, x, ctx);
  const std::int64_t runs = run_count(models, params);
  const std::string what = "k-means with " + std::to_string(runs) + " fits at once over " +
                           std::to_string(x.rows) + " rows";
  const std::int64_t seeding =
      params.seeding == Seeding::Parallel ? kParallelSeedingBytes : kSeedingBytes;
  return explaining_memory(what, x.rows * (kLabelBytes * runs + seeding),
                           "fewer restarts, or fewer models in a sweep, need less", [&] {
                             const Session<T> session(x, params.weights, ctx);
                             return run_kmeans(session.source, session.frame, models, params, ctx);
                           });
}

template <class T>
KMeansResult<T> kmeans(MatrixView<const T> x, const KMeansParams& params, const Context& ctx) {
  const KMeansModel<T> model{.clusters = params.clusters};
  return std::move(kmeans_sweep<T>(x, {&model, 1}, params, ctx).front());
}

template <class T>
std::vector<std::int64_t> kmeans_plusplus(MatrixView<const T> x, const KMeansParams& params,
                                          const Context& ctx) {
  const DefaultFloatingEnvironment environment;
  require_shape(x, "x");
  require_params(params);
  require_weights(params.weights, x.rows);
  require_some_weight(params.weights);
  require_clusters(params.clusters, x.rows);
  return explaining_memory(
      "k-means++", x.rows * kSeedingBytes, "seed from a sample of the rows", [&] {
        const Session<T> session(x, params.weights, ctx);
        return plus_plus_rows(session.source, session.frame, params.clusters,
                              seeding_trials(params.clusters, params), 0, params.seed, ctx);
      });
}

template <class T>
Assignment assign(MatrixView<const T> x, MatrixView<const T> centroids,
                  std::span<const double> weights, const Context& ctx) {
  const DefaultFloatingEnvironment environment;
  require_centroids(x, centroids, ctx);
  require_weights(weights, x.rows);
  return explaining_memory("assignment", 2 * x.rows * kLabelBytes, "assign fewer rows at a time",
                           [&] {
                             const Session<T> session(x, weights, ctx);
                             return run_assign(session.source, session.frame, centroids);
                           });
}

template <class T>
void predict(MatrixView<const T> x, MatrixView<const T> centroids, std::span<std::int32_t> labels,
             const Context& ctx) {
  const DefaultFloatingEnvironment environment;
  require_centroids(x, centroids, ctx);
  const auto count = static_cast<std::int64_t>(labels.size());
  require_argument(count == x.rows, "labels must have one element for each of ", x.rows,
                   " rows, got ", count);
  const auto passes = choose<T>(x.memory, ctx, &DeviceFunctions<T>::kmeans, "k-means")(x, {}, ctx);
  const KMeansSource<T> source{.passes = *passes, .rows = x.rows, .cols = x.cols};
  run_predict(source, centroids, labels);
}

template KMeansResult<float> kmeans(MatrixView<const float>, const KMeansParams&, const Context&);
template std::vector<KMeansResult<float>> kmeans_sweep(MatrixView<const float>,
                                                       std::span<const KMeansModel<float>>,
                                                       const KMeansParams&, const Context&);
template std::vector<std::int64_t> kmeans_plusplus(MatrixView<const float>, const KMeansParams&,
                                                   const Context&);
template Assignment assign(MatrixView<const float>, MatrixView<const float>,
                           std::span<const double>, const Context&);
template KMeansResult<double> kmeans(MatrixView<const double>, const KMeansParams&, const Context&);
template std::vector<KMeansResult<double>> kmeans_sweep(MatrixView<const double>,
                                                        std::span<const KMeansModel<double>>,
                                                        const KMeansParams&, const Context&);
template std::vector<std::int64_t> kmeans_plusplus(MatrixView<const double>, const KMeansParams&,
                                                   const Context&);
template Assignment assign(MatrixView<const double>, MatrixView<const double>,
                           std::span<const double>, const Context&);
template void predict(MatrixView<const float>, MatrixView<const float>, std::span<std::int32_t>,
                      const Context&);
template void predict(MatrixView<const double>, MatrixView<const double>, std::span<std::int32_t>,
                      const Context&);

}  // namespace coterie
