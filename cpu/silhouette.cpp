#include <algorithm>
#include <limits>
#include <vector>

#include "cpu/finite.hpp"
#include "cpu/measures.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int64_t kPoints = 64;  // gathered at a time: they stay in the first-level cache

struct Scratch {
  AlignedBuffer<double> tile, points, distances;
};

/// The tile of rows that need not be neighbours; past the end it repeats the last one.
template <class T>
double* gather_tile(MatrixView<const T> x, std::span<const std::int64_t> rows, Scratch& scratch) {
  double* tile = scratch.tile.resize(x.cols * kTileRows);
  const TileRows<T> at(static_cast<std::int64_t>(rows.size()),
                       [&](std::int64_t r) { return x.row(rows[static_cast<std::size_t>(r)]); });
  fill_tile(at, x.cols, tile);
  return tile;
}

/// Takes a cluster's sum of distances to a row into the row's means.
void take_in(double sum, std::int64_t size, bool own, MeanDistances* means) {
  if (!own) {
    means->other = std::min(means->other, sum / static_cast<double>(size));
  } else if (size > 1) {
    means->own = sum / static_cast<double>(size - 1);  // the row itself adds 0 and does not count
  }
}

/// Calls tile_means(tile_rows, means, scratch) for every tile of the rows asked for, in parallel,
/// and turns the means into silhouettes.
template <class TileMeans>
void for_each_row_tile(const Clusters& clusters, std::span<const std::int64_t> rows,
                       std::span<double> out, const Context& ctx, const TileMeans& tile_means) {
  const auto count = static_cast<std::int64_t>(out.size());
  const Context settled = with_settled_threads(ctx);
  std::vector<Scratch> scratch(static_cast<std::size_t>(settled.threads));
  parallel_for(settled, (count + kTileRows - 1) / kTileRows, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * kTileRows;
    std::int64_t named[kTileRows];
    const std::span tile_rows(named, static_cast<std::size_t>(std::min(kTileRows, count - first)));
    for (std::size_t r = 0; r < tile_rows.size(); ++r) {
      const auto at = static_cast<std::size_t>(first) + r;
      named[r] = rows.empty() ? static_cast<std::int64_t>(at) : rows[at];
    }
    MeanDistances means[kTileRows];
    std::fill_n(means, kTileRows, MeanDistances{0, std::numeric_limits<double>::infinity()});
    tile_means(std::span<const std::int64_t>(tile_rows), means,
               scratch[static_cast<std::size_t>(worker)]);
    for (std::size_t r = 0; r < tile_rows.size(); ++r) {
      const auto cluster = clusters.cluster[static_cast<std::size_t>(named[r])];
      out[static_cast<std::size_t>(first) + r] =
          silhouette_of(means[r], clusters.size(cluster) == 1);
    }
  });
}

/// Sums of the distances of a tile's rows to all rows of a cluster, in their order.
template <class T>
void sum_distances(MatrixView<const T> x, std::span<const std::int64_t> cluster, const double* tile,
                   double* points, double* sums) {
  std::fill_n(sums, kTileRows, 0.0);
  for (std::size_t first = 0; first < cluster.size(); first += kPoints) {
    const auto block =
        cluster.subspan(first, std::min<std::size_t>(kPoints, cluster.size() - first));
    double* point = points;
    for (const std::int64_t row : block) point = std::copy_n(x.row(row), x.cols, point);
    leaves().add_distances(tile, x.cols, points, static_cast<std::int64_t>(block.size()), sums);
  }
}

}  // namespace

template <class T>
bool silhouettes(MatrixView<const T> x, const Grouping& groups, std::span<const std::int64_t> rows,
                 std::span<double> out, const Context& ctx) {
  if (first_bad_row(x, ctx) >= 0) return false;
  const std::span<const std::int64_t> ordered = groups.rows;
  const auto tile_means = [&](std::span<const std::int64_t> tile_rows, MeanDistances* means,
                              Scratch& scratch) {
    const double* tile = gather_tile(x, tile_rows, scratch);
    double* points = scratch.points.resize(kPoints * x.cols);
    double* sums = scratch.distances.resize(kTileRows);
    for (std::int64_t c = 0; c < groups.clusters(); ++c) {
      const auto first = static_cast<std::size_t>(groups.first[static_cast<std::size_t>(c)]);
      const auto size = static_cast<std::size_t>(groups.size(c));
      sum_distances(x, ordered.subspan(first, size), tile, points, sums);
      for (std::size_t r = 0; r < tile_rows.size(); ++r) {
        const bool own = groups.cluster[static_cast<std::size_t>(tile_rows[r])] == c;
        take_in(sums[r], groups.size(c), own, &means[r]);
      }
    }
  };
  for_each_row_tile(groups, rows, out, ctx, tile_means);
  return true;
}

template <class T>
void squared_silhouettes(MatrixView<const T> x, const Clusters& clusters,
                         const ClusterMoments& moments, std::span<const std::int64_t> rows,
                         std::span<double> out, const Context& ctx) {
  const auto centres = moments.means.view();
  const auto tile_means = [&](std::span<const std::int64_t> tile_rows, MeanDistances* means,
                              Scratch& scratch) {
    const double* tile = gather_tile(x, tile_rows, scratch);
    double* distances = scratch.distances.resize(kPoints * kTileRows);
    for (std::int64_t c = 0; c < clusters.clusters(); ++c) {
      const std::int64_t p = c % kPoints;
      if (p == 0) {
        leaves().squared_distances(tile, x.cols, centres.row(c),
                                   std::min(kPoints, clusters.clusters() - c), distances);
      }
      const auto size = static_cast<double>(clusters.size(c));
      for (std::size_t r = 0; r < tile_rows.size(); ++r) {
        const double sum = distances[p * kTileRows + static_cast<std::int64_t>(r)] * size +
                           moments.distance[static_cast<std::size_t>(c)];
        const bool own = clusters.cluster[static_cast<std::size_t>(tile_rows[r])] == c;
        take_in(sum, clusters.size(c), own, &means[r]);
      }
    }
  };
  for_each_row_tile(clusters, rows, out, ctx, tile_means);
}

template bool silhouettes(MatrixView<const float>, const Grouping&, std::span<const std::int64_t>,
                          std::span<double>, const Context&);
template bool silhouettes(MatrixView<const double>, const Grouping&, std::span<const std::int64_t>,
                          std::span<double>, const Context&);
template void squared_silhouettes(MatrixView<const float>, const Clusters&, const ClusterMoments&,
                                  std::span<const std::int64_t>, std::span<double>, const Context&);
template void squared_silhouettes(MatrixView<const double>, const Clusters&, const ClusterMoments&,
                                  std::span<const std::int64_t>, std::span<double>, const Context&);

}  // namespace coterie::cpu
