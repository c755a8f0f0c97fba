#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/checks.hpp"
#include "core/contract/neighbors.hpp"
#include "core/dbscan_checks.hpp"
#include "core/memory.hpp"
#include "coterie/dbscan.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr std::int64_t kBlockRows = 64;
constexpr const char* kNeedsLess = "give fewer rows";

/// The neighbours of each row in a square matrix of distances.
template <class T>
struct InMatrix {
  MatrixView<const T> distances;
  double eps;

  std::int64_t rows() const { return distances.rows; }

  template <class Visit>
  void visit(std::int64_t i, const Visit& visit) const {
    const T* const row = distances.row(i);
    for (std::int64_t j = 0; j < distances.cols; ++j) {
      if (row[j] <= eps) visit(j);
    }
  }
};

/// The same in a graph, where a row without an entry of its own is its own neighbour.
struct InGraph {
  const DistanceGraph& graph;
  double eps;

  std::int64_t rows() const { return static_cast<std::int64_t>(graph.starts.size()) - 1; }

  template <class Visit>
  void visit(std::int64_t i, const Visit& visit) const {
    bool listed = false;
    const auto end = static_cast<std::size_t>(graph.starts[static_cast<std::size_t>(i) + 1]);
    for (auto e = static_cast<std::size_t>(graph.starts[static_cast<std::size_t>(i)]); e < end;
         ++e) {
      listed |= graph.columns[e] == i;
      if (graph.distances[e] <= eps) visit(graph.columns[e]);
    }
    if (!listed) visit(i);
  }
};

template <class Neighbors>
std::vector<std::uint8_t> find_core(const Neighbors& neighbors, std::span<const double> weights,
                                    double least, const Context& ctx) {
  const std::int64_t rows = neighbors.rows();
  const WeightSums sums(weights, rows);
  std::vector<std::uint8_t> core(static_cast<std::size_t>(rows));
  cpu::parallel_for(ctx, (rows + kBlockRows - 1) / kBlockRows, [&](std::int64_t block, int) {
    const std::int64_t end = std::min(rows, (block + 1) * kBlockRows);
    for (std::int64_t i = block * kBlockRows; i < end; ++i) {
      FixedSum sum;
      neighbors.visit(i, [&](std::int64_t j) { sums.add(j, sum); });
      core[static_cast<std::size_t>(i)] = sums.rounded(sum) >= least;
    }
  });
  return core;
}

/// Whom a row reaches need not reach it, so there are no components to find: clusters grow, one
/// after the other.
template <class Neighbors>
DbscanResult grow(const Neighbors& neighbors, std::span<const std::uint8_t> core,
                  const Context& ctx) {
  DbscanResult result{std::vector<std::int32_t>(core.size(), -1), listed(core)};
  const auto steps = static_cast<std::int64_t>(result.core_rows.size());
  std::int64_t step = 0;
  std::vector<std::int32_t> waiting;
  const auto take = [&](std::int64_t row) {
    std::int32_t& label = result.labels[static_cast<std::size_t>(row)];
    if (label >= 0) return;
    label = static_cast<std::int32_t>(result.clusters);
    if (core[static_cast<std::size_t>(row)] != 0) {
      waiting.push_back(static_cast<std::int32_t>(row));
    }
  };
  for (const std::int64_t row : result.core_rows) {
    if (result.labels[static_cast<std::size_t>(row)] >= 0) continue;
    take(row);
    while (!waiting.empty()) {
      const std::int32_t next = waiting.back();
      waiting.pop_back();
      neighbors.visit(next, take);
      if (ctx.interrupted && ctx.interrupted()) throw Interrupted();
      if (ctx.progress) ctx.progress({"growing", ++step, steps});
    }
    ++result.clusters;
  }
  return result;
}

template <class Neighbors>
DbscanResult cluster(const Neighbors& neighbors, std::span<const double> weights,
                     const DbscanParams& params, const Context& ctx) {
  const auto least = static_cast<double>(params.min_samples);
  const std::vector<double> bounded = bounded_weights(weights, params.min_samples);
  if (!bounded.empty()) weights = bounded;
  // Core rows, labels, and what waits.
  return explaining_memory("dbscan", 9 * neighbors.rows(), kNeedsLess, [&] {
    return grow(neighbors, find_core(neighbors, weights, least, ctx), ctx);
  });
}

void require_square(std::int64_t rows, std::int64_t cols) {
  require_argument(rows == cols, "distances must be a square matrix, got ", rows, " x ", cols);
  require_argument(rows <= kMostNeighborRows, "distances must have at most ", kMostNeighborRows,
                   " rows, got ", rows);
}

template <class T>
void require_distances(MatrixView<const T> distances, const Context& ctx) {
  require_finite(distances, "distances", ctx);
  std::vector<std::int64_t> negative(static_cast<std::size_t>(distances.rows), -1);
  cpu::parallel_for(ctx, distances.rows, [&](std::int64_t i, int) {
    const T* const row = distances.row(i);
    const T* const found = std::find_if(row, row + distances.cols, [](T d) { return d < 0; });
    if (found != row + distances.cols) negative[static_cast<std::size_t>(i)] = found - row;
  });
  const auto bad = std::ranges::find_if(negative, [](std::int64_t col) { return col >= 0; });
  if (bad == negative.end()) return;
  const std::int64_t row = bad - negative.begin();
  require_argument(false, "distances must be at least 0, got ", distances(row, *bad), " in row ",
                   row, ", column ", *bad);
}

void require_graph(const DistanceGraph& graph) {
  const auto entries = static_cast<std::int64_t>(graph.columns.size());
  require_argument(graph.starts.size() >= 2, "starts must have at least 2 values, got ",
                   graph.starts.size());
  require_argument(graph.starts.front() == 0 && graph.starts.back() == entries &&
                       std::ranges::is_sorted(graph.starts),
                   "starts must ascend from 0 to the number of columns, ", entries);
  require_argument(graph.distances.size() == graph.columns.size(),
                   "distances must have one value for each of ", entries, " columns, got ",
                   graph.distances.size());
  const auto rows = static_cast<std::int64_t>(graph.starts.size()) - 1;
  require_square(rows, rows);
  for (std::size_t e = 0; e < graph.columns.size(); ++e) {
    require_argument(0 <= graph.columns[e] && graph.columns[e] < rows, "columns must be in [0, ",
                     rows - 1, "], got ", graph.columns[e]);
    require_argument(graph.distances[e] >= 0 && std::isfinite(graph.distances[e]),
                     "distances must be finite and at least 0, got ", graph.distances[e]);
  }
}

}  // namespace

template <class T>
DbscanResult dbscan_precomputed(MatrixView<const T> distances, std::span<const double> weights,
                                const DbscanParams& params, const Context& ctx) {
  require_shape(distances, "distances");
  require_on_host(distances, "distances");
  require_square(distances.rows, distances.cols);
  require_dbscan(params, weights, distances.rows);
  require_distances(distances, ctx);
  return cluster(InMatrix<T>{distances, params.eps}, weights, params, ctx);
}

DbscanResult dbscan_precomputed(const DistanceGraph& graph, std::span<const double> weights,
                                const DbscanParams& params, const Context& ctx) {
  require_graph(graph);
  require_dbscan(params, weights, static_cast<std::int64_t>(graph.starts.size()) - 1);
  return cluster(InGraph{graph, params.eps}, weights, params, ctx);
}

template DbscanResult dbscan_precomputed(MatrixView<const float>, std::span<const double>,
                                         const DbscanParams&, const Context&);
template DbscanResult dbscan_precomputed(MatrixView<const double>, std::span<const double>,
                                         const DbscanParams&, const Context&);

}  // namespace coterie
