#include <algorithm>
#include <cmath>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "cpu/column_facts.hpp"
#include "cpu/kmeans_sums.hpp"
#include "cpu/measures.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

template <class T>
class CpuClusters final : public ClusterPasses<T> {
 public:
  CpuClusters(MatrixView<const T> x, const Clusters& clusters, const Context& ctx)
      : x_(x), clusters_(clusters), ctx_(with_settled_threads(ctx)) {}

  ColumnRange range() override { return column_range(x_, {0, x_.rows}, ctx_); }
  std::vector<FixedSum> sums(const Frame& frame) override;
  std::vector<FixedSum> distances(MatrixView<const double> means, Metric metric, int bits,
                                  double scale) override;

 private:
  std::size_t workers() const { return static_cast<std::size_t>(ctx_.threads); }
  const std::int32_t* cluster(std::int64_t row) const { return clusters_.cluster.data() + row; }

  /// Calls use(rows, worker) for every tile, in parallel.
  template <class Use>
  void for_each_tile_of_x(const Use& use) const {
    parallel_for(ctx_, chunk_count(x_.rows), [&](std::int64_t chunk, int worker) {
      for_each_tile(chunk_of({0, x_.rows}, chunk),
                    [&](RowBlock rows) { use(rows, static_cast<std::size_t>(worker)); });
    });
  }

  MatrixView<const T> x_;
  const Clusters& clusters_;
  const Context ctx_;
};

/// Adds up what each thread found.
std::vector<FixedSum> merge(const std::vector<std::vector<FixedSum>>& shares, std::size_t count) {
  std::vector<FixedSum> sums(count);
  for (const auto& share : shares) {
    for (std::size_t i = 0; i < share.size(); ++i) sums[i] += share[i];
  }
  return sums;
}

template <class T>
std::vector<FixedSum> CpuClusters<T>::sums(const Frame& frame) {
  const RowScale scale(frame);
  std::vector<TileLimbs<T>> limbs(workers());
  std::vector<LloydSums> shares(workers());
  const std::vector<std::int32_t> none(kTileRows, -1);
  for_each_tile_of_x([&](RowBlock rows, std::size_t worker) {
    LloydSums& mine = shares[worker];
    if (mine.high.empty()) mine = LloydSums(clusters_.clusters(), x_.cols);
    const TileRows<T> tile(x_, rows);
    limbs[worker].begin();
    limbs[worker].move(scale, tile.at, nullptr, x_.cols, ~std::uint64_t{0} >> (64 - rows.rows),
                       none.data(), cluster(rows.first), mine);
  });
  std::vector<FixedSum> sums(static_cast<std::size_t>(clusters_.clusters() * x_.cols));
  for (const LloydSums& share : shares) {
    for (std::size_t i = 0; i < share.high.size(); ++i) sums[i] += {share.high[i], share.low[i]};
  }
  return sums;
}

template <class T>
std::vector<FixedSum> CpuClusters<T>::distances(MatrixView<const double> means, Metric metric,
                                                int bits, double scale) {
  const double limb = std::ldexp(1.0, bits);
  const auto count = static_cast<std::size_t>(means.rows);
  std::vector<AlignedBuffer<double>> tiles(workers()), own_tiles(workers());
  std::vector<std::vector<FixedSum>> shares(workers());
  for_each_tile_of_x([&](RowBlock rows, std::size_t worker) {
    auto& mine = shares[worker];
    mine.resize(count);
    double* tile = tiles[worker].resize(x_.cols * kTileRows);
    double* own = own_tiles[worker].resize(x_.cols * kTileRows);
    const std::int32_t* of_row = cluster(rows.first);
    fill_tile(x_, rows, tile);
    fill_tile(TileRows<double>(rows.rows, [&](std::int64_t r) { return means.row(of_row[r]); }),
              x_.cols, own);
    alignas(64) double distances[kTileRows];
    leaves().tile_distances(tile, own, x_.cols, distances);
    if (metric == Metric::Euclidean) leaves().square_roots(distances, kTileRows);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      FixedSum limbs;
      to_limbs(distances[r], scale, limb, &limbs.high, &limbs.low);
      mine[static_cast<std::size_t>(of_row[r])] += limbs;
    }
  });
  return merge(shares, count);
}

}  // namespace

template <class T>
std::unique_ptr<ClusterPasses<T>> cluster_passes(MatrixView<const T> x, const Clusters& clusters,
                                                 const Context& ctx) {
  return std::make_unique<CpuClusters<T>>(x, clusters, ctx);
}

template std::unique_ptr<ClusterPasses<float>> cluster_passes(MatrixView<const float>,
                                                              const Clusters&, const Context&);
template std::unique_ptr<ClusterPasses<double>> cluster_passes(MatrixView<const double>,
                                                               const Clusters&, const Context&);

}  // namespace coterie::cpu
