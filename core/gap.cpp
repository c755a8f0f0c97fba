#include "coterie/gap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/checks.hpp"
#include "core/device.hpp"
#include "core/memory.hpp"
#include "coterie/pca.hpp"

namespace coterie {
namespace {

/// ln W_k for every k. A W of 0 (as many clusters as distinct rows) counts as the least normal
/// number, so that logarithms stay finite: such a k has a gap of hundreds, or of 0 where the
/// references have W = 0 as well.
template <class T>
std::vector<double> log_dispersions(MatrixView<const T> x, std::span<const std::int64_t> clusters,
                                    const KMeansParams& params, const Context& ctx) {
  std::vector<KMeansModel<T>> models;
  for (const std::int64_t k : clusters) models.push_back({.clusters = k});
  std::vector<double> logs;
  for (const auto& fit : kmeans_sweep<T>(x, models, params, ctx)) {
    logs.push_back(std::log(std::max(fit.inertia, std::numeric_limits<double>::min())));
  }
  return logs;
}

template <class T>
ColumnRange range_of(MatrixView<const T> x, const Context& ctx) {
  return choose(x.memory, ctx, &DeviceFunctions<T>::kmeans, "gap_statistic")(x, {}, ctx)
      ->range({0, x.rows});
}

/// The ranges along x's principal axes. `room` is for the coordinates along them, on the device
/// that projects x.
template <class T>
SamplingBox box_along_axes(MatrixView<const T> x, MatrixView<T> room, const Context& ctx) {
  Pca found = pca(x, {}, ctx);
  const auto axes = std::as_const(found.components).view();
  const std::vector<double> nowhere(static_cast<std::size_t>(axes.rows));
  const MatrixView<T> scores{room.data, x.rows, axes.rows, room.stride, room.memory};
  choose(room.memory, ctx, &DeviceFunctions<T>::project, "gap_statistic")(
      x, {.shift = found.mean, .axes = axes, .offset = nowhere}, scores, ctx);
  // Around the mean, which stays 0: where the rows lie does not change a W_k.
  return {range_of<T>(scores, ctx), std::move(found.components)};
}

/// Mean and spread of the references' ln W_k, one reference a row.
void summarise(const Matrix<double>& logs, GapStatistic* result) {
  const auto references = static_cast<double>(logs.rows);
  for (std::int64_t k = 0; k < logs.cols; ++k) {
    double mean = 0, variance = 0;
    for (std::int64_t b = 0; b < logs.rows; ++b) mean += logs.view()(b, k) / references;
    for (std::int64_t b = 0; b < logs.rows; ++b) {
      variance += (logs.view()(b, k) - mean) * (logs.view()(b, k) - mean) / references;
    }
    result->reference_log_dispersion.push_back(mean);
    result->gap.push_back(mean - result->log_dispersion[static_cast<std::size_t>(k)]);
    result->standard_error.push_back(std::sqrt(variance) * std::sqrt(1 + 1 / references));
  }
}

}  // namespace

template <class T>
GapStatistic gap_statistic(MatrixView<const T> x, std::span<const std::int64_t> clusters,
                           const GapParams& params, const Context& ctx) {
  constexpr std::int64_t kMostColumns = (1 << 24) - 1;  // the column takes DrawKey::round
  require_shape(x, "x");
  require_argument(x.cols <= kMostColumns, "x must have at most ", kMostColumns, " columns, got ",
                   x.cols);
  require_argument(!clusters.empty(), "clusters must name at least one number of clusters");
  require_argument(params.references >= 1, "references must be at least 1, got ",
                   params.references);
  Context quiet = ctx;  // a step here is a reference, not an iteration
  quiet.progress = {};
  const auto tell = [&](std::int64_t step) {
    if (ctx.progress) ctx.progress({"references", step, params.references});
  };

  GapStatistic result;
  result.log_dispersion = log_dispersions(x, clusters, params.kmeans, quiet);
  SamplingBox box;
  if (params.box == ReferenceBox::Columns) box.sides = range_of(x, quiet);
  const auto make = choose(x.memory, ctx, &DeviceFunctions<T>::references, "gap_statistic");
  const auto reference = explaining_memory(
      "a reference of the gap statistic", x.rows * x.cols * static_cast<std::int64_t>(sizeof(T)),
      "take a sample of the rows", [&] { return make(x.rows, x.cols, ctx); });
  if (params.box == ReferenceBox::PrincipalAxes) {
    box = box_along_axes(x, reference->room(), quiet);
  }
  Matrix<double> logs(params.references, static_cast<std::int64_t>(clusters.size()));
  for (int b = 0; b < params.references; ++b) {
    tell(b);
    reference->draw(box, params.kmeans.seed, b);
    const auto row = log_dispersions<T>(reference->room(), clusters, params.kmeans, quiet);
    std::copy(row.begin(), row.end(), logs.view().row(b));
  }
  tell(params.references);
  summarise(logs, &result);
  return result;
}

template GapStatistic gap_statistic(MatrixView<const float>, std::span<const std::int64_t>,
                                    const GapParams&, const Context&);
template GapStatistic gap_statistic(MatrixView<const double>, std::span<const std::int64_t>,
                                    const GapParams&, const Context&);

}  // namespace coterie
