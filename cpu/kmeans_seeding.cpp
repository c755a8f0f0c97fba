#include "cpu/kmeans_seeding.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr double kNoSeed = std::numeric_limits<double>::infinity();

template <class T>
class CpuSeeding final : public SeedingPasses<T> {
 public:
  CpuSeeding(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : x_(x),
        weights_(weights),
        ctx_(ctx),
        nearest_(static_cast<std::size_t>(x.rows), kNoSeed),
        workers_(static_cast<std::size_t>(worker_count(ctx))) {}

  double add(RowBlock block, std::span<const T> seed) override {
    const auto point = as_points(MatrixView<const T>{seed.data(), 1, x_.cols, x_.cols});
    totalled_ = {};
    std::vector<double> largest(workers_.size(), 0.0);
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
        const double* distances = tile_distances(rows, point, 1, worker);
        double& most = largest[static_cast<std::size_t>(worker)];
        most = std::max(most, leaves().fold_nearest(distances, weights_from(rows.first), rows.rows,
                                                    nearest_.data() + rows.first));
      });
    });
    return *std::max_element(largest.begin(), largest.end());
  }

  std::int64_t total(RowBlock block, double scale) override {
    chunk_totals_.assign(static_cast<std::size_t>(chunk_count(block.rows)), 0);
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int) {
      const RowBlock rows = chunk_of(block, chunk);
      std::int64_t sum = 0;
      for (std::int64_t i = rows.first; i < rows.first + rows.rows; ++i) {
        sum += potential(i, nearest(i), scale);
      }
      chunk_totals_[static_cast<std::size_t>(chunk)] = sum;
    });
    std::int64_t sum = 0;
    for (const std::int64_t chunk : chunk_totals_) sum += chunk;
    totalled_ = block;
    totalled_scale_ = scale;
    return sum;
  }

  std::int64_t pick(RowBlock block, double scale, std::int64_t target) override {
    const bool known = totalled_.first == block.first && totalled_.rows == block.rows;
    if (!known || totalled_scale_ != scale) total(block, scale);
    std::int64_t chunk = 0;
    while (target >= chunk_totals_[static_cast<std::size_t>(chunk)]) {
      target -= chunk_totals_[static_cast<std::size_t>(chunk++)];
    }
    std::int64_t row = chunk_of(block, chunk).first;
    for (;; ++row) {
      target -= potential(row, nearest(row), scale);
      if (target < 0) return row;
    }
  }

  void potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                  std::span<std::int64_t> potentials) override {
    const auto points = as_points(candidates);
    const auto count = static_cast<std::size_t>(candidates.rows);
    std::vector<std::int64_t> sums(workers_.size() * count, 0);
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      std::int64_t* mine = sums.data() + static_cast<std::size_t>(worker) * count;
      for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
        const double* distances = tile_distances(rows, points, candidates.rows, worker);
        for (std::size_t c = 0; c < count; ++c) {
          mine[c] += leaves().potential(nearest_.data() + rows.first, distances + c * kTileRows,
                                        weights_from(rows.first), rows.rows, scale);
        }
      });
    });
    for (std::size_t i = 0; i < sums.size(); ++i) potentials[i % count] += sums[i];
  }

 private:
  struct Worker {
    AlignedBuffer<double> tile, distances;
  };

  double weight(std::int64_t row) const {
    return weights_.empty() ? 1.0 : weights_[static_cast<std::size_t>(row)];
  }

  /// The weights from a row on; null: all 1.
  const double* weights_from(std::int64_t row) const {
    return weights_.empty() ? nullptr : weights_.data() + row;
  }

  double nearest(std::int64_t row) const {
    const double distance = nearest_[static_cast<std::size_t>(row)];
    return distance == kNoSeed ? 1.0 : distance;
  }

  std::int64_t potential(std::int64_t row, double distance, double scale) const {
    return to_integer(weight(row) * distance * scale);
  }

  const double* tile_distances(RowBlock rows, const std::vector<double>& points, std::int64_t count,
                               int worker) {
    Worker& mine = workers_[static_cast<std::size_t>(worker)];
    double* tile = mine.tile.resize(x_.cols * kTileRows);
    double* distances = mine.distances.resize(count * kTileRows);
    fill_tile(x_, rows, tile);
    leaves().squared_distances(tile, x_.cols, points.data(), count, distances);
    return distances;
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const Context& ctx_;
  std::vector<double> nearest_;             // canonical squared distance to the nearest seed
  std::vector<std::int64_t> chunk_totals_;  // of totalled_, at totalled_scale_
  RowBlock totalled_;                       // no rows: none since the last seed
  double totalled_scale_ = 0;
  std::vector<Worker> workers_;
};

}  // namespace

template <class T>
std::unique_ptr<SeedingPasses<T>> seeding_passes(MatrixView<const T> x,
                                                 std::span<const double> weights,
                                                 const Context& ctx) {
  return std::make_unique<CpuSeeding<T>>(x, weights, ctx);
}

template std::unique_ptr<SeedingPasses<float>> seeding_passes(MatrixView<const float>,
                                                              std::span<const double>,
                                                              const Context&);
template std::unique_ptr<SeedingPasses<double>> seeding_passes(MatrixView<const double>,
                                                               std::span<const double>,
                                                               const Context&);

}  // namespace coterie::cpu
