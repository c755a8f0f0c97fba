#include "coterie/gap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/checks.hpp"
#include "core/contract/random.hpp"
#include "core/device.hpp"
#include "core/memory.hpp"
#include "coterie/pca.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr std::int64_t kBlockRows = 1024;

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

/// Where references are drawn: the ranges of some coordinates, and the axes that these run along.
/// Without axes they are the columns themselves.
struct Box {
  ColumnRange sides;
  Matrix<double> axes;
};

template <class T>
ColumnRange range_of(MatrixView<const T> x, const Context& ctx) {
  return choose(x.memory, ctx, &DeviceFunctions<T>::kmeans, "gap_statistic")(x, {}, ctx)
      ->range({0, x.rows});
}

/// `scratch` is as large as x.
template <class T>
Box box_of(MatrixView<const T> x, ReferenceBox kind, MatrixView<T> scratch, const Context& ctx) {
  if (kind == ReferenceBox::Columns) return {range_of(x, ctx), {}};
  Pca found = pca(x, {}, ctx);
  const MatrixView<T> scores{scratch.data, x.rows, found.components.rows, scratch.stride};
  pca_transform(x, found.mean, std::as_const(found.components).view(), scores, ctx);
  // Around the mean, which stays 0: where the rows lie does not change a W_k.
  return {range_of<T>(scores, ctx), std::move(found.components)};
}

/// One row of a reference: `key` names it and the reference.
void draw_row(const Box& box, DrawKey key, std::span<double> row) {
  const auto axes = box.axes.view();
  std::fill(row.begin(), row.end(), 0.0);
  for (std::size_t side = 0; side < box.sides.low.size(); ++side) {
    key.round = static_cast<std::uint32_t>(side);
    const double low = box.sides.low[side];
    const double at = low + random_unit(key) * (box.sides.high[side] - low);
    if (axes.rows == 0) {
      row[side] = at;
      continue;
    }
    const double* axis = axes.row(static_cast<std::int64_t>(side));
    for (std::size_t j = 0; j < row.size(); ++j) row[j] += at * axis[j];
  }
}

/// Rows drawn uniformly over the box. A draw is keyed by its row and side, so threads agree.
template <class T>
void draw_reference(const Box& box, std::uint64_t seed, int reference, MatrixView<T> out,
                    const Context& ctx) {
  const std::int64_t blocks = (out.rows + kBlockRows - 1) / kBlockRows;
  cpu::parallel_for(ctx, blocks, [&](std::int64_t block, int) {
    std::vector<double> row(static_cast<std::size_t>(out.cols));
    const std::int64_t end = std::min(out.rows, (block + 1) * kBlockRows);
    for (std::int64_t i = block * kBlockRows; i < end; ++i) {
      const DrawKey key{.seed = seed,
                        .purpose = Purpose::Reference,
                        .restart = static_cast<std::uint32_t>(reference),
                        .row = static_cast<std::uint64_t>(i)};
      draw_row(box, key, row);
      std::transform(row.begin(), row.end(), out.row(i),
                     [](double value) { return static_cast<T>(value); });
    }
  });
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
  require_on_host(x, "x");
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
  auto reference = explaining_memory(
      "a reference of the gap statistic", x.rows * x.cols * static_cast<std::int64_t>(sizeof(T)),
      "take a sample of the rows", [&x] { return Matrix<T>(x.rows, x.cols); });
  const Box box = box_of(x, params.box, reference.view(), quiet);
  Matrix<double> logs(params.references, static_cast<std::int64_t>(clusters.size()));
  for (int b = 0; b < params.references; ++b) {
    tell(b);
    draw_reference(box, params.kmeans.seed, b, reference.view(), ctx);
    const auto row =
        log_dispersions<T>(std::as_const(reference).view(), clusters, params.kmeans, quiet);
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
