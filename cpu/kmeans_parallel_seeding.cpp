#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "cpu/kmeans_seeding.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

/// Points whose canonical distances to a tile are held at a time.
constexpr std::int64_t kPointsAtOnce = 16;

struct Worker {
  AlignedBuffer<float> fast_tile;
  AlignedBuffer<double> tile, distances;
  alignas(64) double nearest[kTileRows];
  alignas(64) std::int32_t closest[kTileRows];
  std::vector<std::int64_t> drawn;
  std::vector<FixedSum> weights;
  double largest = 0;
};

template <class T>
class CpuParallelSeeding final : public ParallelSeedingPasses<T> {
 public:
  CpuParallelSeeding(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : x_(x), weights_(weights), ctx_(ctx), workers_(static_cast<std::size_t>(worker_count(ctx))) {
    double* nearest = nearest_.resize(x.rows);
    std::int32_t* nearest_id = nearest_id_.resize(x.rows);
    parallel_for(ctx, chunk_count(x.rows), [&](std::int64_t chunk, int) {
      const RowBlock rows = chunk_of({0, x.rows}, chunk);
      std::fill_n(nearest + rows.first, rows.rows, std::numeric_limits<double>::infinity());
      std::fill_n(nearest_id + rows.first, rows.rows, -1);
    });
  }

  double add(RowBlock block, MatrixView<const T> seeds, std::int64_t first) override {
    const std::vector<double> exact = as_points(seeds);
    const std::vector<float> fast(exact.begin(), exact.end());
    for (Worker& worker : workers_) worker.largest = 0;
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      Worker& mine = workers_[static_cast<std::size_t>(worker)];
      const RowBlock rows = chunk_of(block, chunk);
      for_each_tile(rows, [&](RowBlock tile) {
        if constexpr (std::is_same_v<T, float>) {
          find_closest(tile, seeds, fast, first, mine);
        } else {
          fold(tile, seeds, exact, first, mine);
        }
      });
      double largest;
      leaves().potential(nearest_from(rows.first), weights_from(rows.first), rows.rows, 1,
                         &largest);
      mine.largest = std::max(mine.largest, largest);
    });
    double largest = 0;
    for (const Worker& worker : workers_) largest = std::max(largest, worker.largest);
    return largest;
  }

  std::int64_t total(RowBlock block, double scale) override {
    std::vector<std::int64_t> totals(static_cast<std::size_t>(chunk_count(block.rows)));
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int) {
      const RowBlock rows = chunk_of(block, chunk);
      double largest;
      totals[static_cast<std::size_t>(chunk)] = leaves().potential(
          nearest_from(rows.first), weights_from(rows.first), rows.rows, scale, &largest);
    });
    std::int64_t sum = 0;
    for (const std::int64_t total : totals) sum += total;
    return sum;
  }

  void draw(RowBlock block, const Oversampling& round, std::vector<std::int64_t>& rows) override {
    for (Worker& worker : workers_) worker.drawn.clear();
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      std::vector<std::int64_t>& drawn = workers_[static_cast<std::size_t>(worker)].drawn;
      const RowBlock part = chunk_of(block, chunk);
      for (std::int64_t row = part.first; row < part.first + part.rows; ++row) {
        const double distance = nearest_.data()[row];
        if (round.draws(row, to_integer(weight(row) * distance * round.scale))) {
          drawn.push_back(row);
        }
      }
    });
    const auto before = static_cast<std::ptrdiff_t>(rows.size());
    for (const Worker& worker : workers_) {
      rows.insert(rows.end(), worker.drawn.begin(), worker.drawn.end());
    }
    std::sort(rows.begin() + before, rows.end());
  }

  void weigh(RowBlock block, const Frame& frame, std::span<FixedSum> sums) override {
    const double limb = std::ldexp(1.0, frame.bits);
    for (Worker& worker : workers_) worker.weights.assign(sums.size(), {});
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      std::vector<FixedSum>& mine = workers_[static_cast<std::size_t>(worker)].weights;
      const RowBlock part = chunk_of(block, chunk);
      for (std::int64_t row = part.first; row < part.first + part.rows; ++row) {
        FixedSum limbs;
        to_limbs(weight(row), frame.weight_scale, limb, &limbs.high, &limbs.low);
        mine[static_cast<std::size_t>(nearest_id_.data()[row])] += limbs;
      }
    });
    for (const Worker& worker : workers_) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += worker.weights[i];
    }
  }

 private:
  const double* nearest_from(std::int64_t row) const { return nearest_.data() + row; }

  /// The weights from a row on; null: all 1.
  const double* weights_from(std::int64_t row) const {
    return weights_.empty() ? nullptr : weights_.data() + row;
  }
  double weight(std::int64_t row) const {
    return weights_.empty() ? 1.0 : weights_[static_cast<std::size_t>(row)];
  }

  void offer(std::int64_t row, double distance, std::int64_t id) {
    if (!(distance < nearest_.data()[row])) return;
    nearest_.data()[row] = distance;
    nearest_id_.data()[row] = static_cast<std::int32_t>(id);
  }

  /// In float32, where it can tell which of the new seeds and the nearest so far is the nearest.
  void find_closest(RowBlock rows, MatrixView<const T> seeds, const std::vector<float>& points,
                    std::int64_t first, Worker& mine) {
    float* tile = mine.fast_tile.resize(x_.cols * kTileRows);
    prefetch_ahead(x_, rows);
    leaves().tile_f32(TileRows<T>(x_, rows).at, x_.cols, 1.0f, tile);
    std::copy_n(nearest_from(rows.first), rows.rows, mine.nearest);
    std::fill(mine.nearest + rows.rows, mine.nearest + kTileRows, 0.0);
    const std::uint64_t unsure = leaves().closest_f32(
        tile, x_.cols, points.data(), seeds.rows, certificate(x_.cols), mine.nearest, mine.closest);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      const std::int64_t row = rows.first + r;
      const auto offer_seed = [&](std::int64_t s) {
        offer(row, squared_distance(x_.row(row), seeds.row(s), x_.cols), first + s);
      };
      if ((unsure >> r & 1) != 0) {
        for (std::int64_t s = 0; s < seeds.rows; ++s) offer_seed(s);
      } else if (mine.closest[r] >= 0) {
        offer_seed(mine.closest[r]);
      }
    }
  }

  void fold(RowBlock rows, MatrixView<const T> seeds, const std::vector<double>& points,
            std::int64_t first, Worker& mine) {
    double* tile = mine.tile.resize(x_.cols * kTileRows);
    double* distances = mine.distances.resize(kPointsAtOnce * kTileRows);
    fill_tile(x_, rows, tile);
    for (std::int64_t s = 0; s < seeds.rows; s += kPointsAtOnce) {
      const std::int64_t count = std::min(kPointsAtOnce, seeds.rows - s);
      leaves().squared_distances(tile, x_.cols, points.data() + s * x_.cols, count, distances);
      for (std::int64_t p = 0; p < count; ++p) {
        for (std::int64_t r = 0; r < rows.rows; ++r) {
          offer(rows.first + r, distances[p * kTileRows + r], first + s + p);
        }
      }
    }
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const Context& ctx_;
  AlignedBuffer<double> nearest_;           // canonical squared distance to the nearest seed
  AlignedBuffer<std::int32_t> nearest_id_;  // that seed's number
  std::vector<Worker> workers_;
};

}  // namespace

template <class T>
std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding_passes(MatrixView<const T> x,
                                                                  std::span<const double> weights,
                                                                  const Context& ctx) {
  return std::make_unique<CpuParallelSeeding<T>>(x, weights, ctx);
}

template std::unique_ptr<ParallelSeedingPasses<float>> parallel_seeding_passes(
    MatrixView<const float>, std::span<const double>, const Context&);
template std::unique_ptr<ParallelSeedingPasses<double>> parallel_seeding_passes(
    MatrixView<const double>, std::span<const double>, const Context&);

}  // namespace coterie::cpu
