#include "cpu/kmeans_seeding.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr double kNoSeed = std::numeric_limits<double>::infinity();

/// What a pass compares the rows with: a seed not yet taken in, or none, then candidates.
template <class T>
struct Points {
  Points(std::span<const T> seed, MatrixView<const T> candidates, std::int64_t cols)
      : seeds(seed.empty() ? 0 : 1), candidates(candidates.rows), exact(seed.begin(), seed.end()) {
    for (std::int64_t c = 0; c < candidates.rows; ++c) {
      exact.insert(exact.end(), candidates.row(c), candidates.row(c) + cols);
    }
    if constexpr (std::is_same_v<T, float>) fast.assign(exact.begin(), exact.end());
  }
  std::int64_t count() const { return seeds + candidates; }

  std::int64_t seeds;
  std::int64_t candidates;
  std::vector<double> exact;  // count() x cols
  std::vector<float> fast;    // the same, where rows are float32
};

struct Worker {
  Worker() { std::iota(every, every + kTileRows, 0); }

  AlignedBuffer<float> fast_tile;
  AlignedBuffer<double> tile, distances;
  std::int32_t every[kTileRows];    // 0 1 2 3...
  std::int32_t unsure[kChunkRows];  // rows of a chunk that the filter left, from its first
  alignas(64) double nearest[kTileRows], weights[kTileRows];
  std::vector<double> largest;  // by candidate, of the rows that needed the canonical distance
  double largest_decided = 0;   // of the other rows, whatever the candidate
  double largest_sum = 0;
};

/// One read of the rows for each round. A candidate's pass also finds what total() and add() would
/// say if it became a seed, so the seed is taken in by the next pass that reads the rows anyway.
/// Rows that float32 tells to be farther from all points than from their nearest seed need no
/// canonical distance.
template <class T>
class CpuSeeding final : public SeedingPasses<T> {
 public:
  CpuSeeding(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : x_(x), weights_(weights), ctx_(ctx), workers_(static_cast<std::size_t>(worker_count(ctx))) {
    double* nearest = nearest_.resize(x.rows);
    parallel_for(ctx, chunk_count(x.rows), [&](std::int64_t chunk, int) {
      const RowBlock rows = chunk_of({0, x.rows}, chunk);
      std::fill_n(nearest + rows.first, rows.rows, kNoSeed);
    });
  }

  double add(RowBlock block, std::span<const T> seed) override {
    const std::int64_t candidate = is_current(block) ? candidate_of(seed) : -1;
    if (candidate < 0) {
      take_in_waiting();
      waiting_.assign(seed.begin(), seed.end());
      return sum_up(block, scale_);
    }
    const std::size_t count = largest_.size();
    for (std::size_t chunk = 0; chunk < chunk_totals_.size(); ++chunk) {
      chunk_totals_[chunk] -= chunk_savings_[chunk * count + static_cast<std::size_t>(candidate)];
    }
    waiting_.assign(seed.begin(), seed.end());
    candidates_.clear();
    return largest_[static_cast<std::size_t>(candidate)];
  }

  std::int64_t total(RowBlock block, double scale) override {
    if (!is_current(block)) take_in_waiting();
    if (!is_current(block) || scale_ != scale) sum_up(block, scale);
    return std::accumulate(chunk_totals_.begin(), chunk_totals_.end(), std::int64_t{0});
  }

  std::int64_t pick(RowBlock block, double scale, std::int64_t target) override {
    total(block, scale);
    std::int64_t chunk = 0;
    while (target >= chunk_totals_[static_cast<std::size_t>(chunk)]) {
      target -= chunk_totals_[static_cast<std::size_t>(chunk++)];
    }
    const RowBlock rows = chunk_of(block, chunk);
    visit(rows, points_with({}), scale, nullptr, workers_.front());
    RowBlock tile{rows.first, std::min(kTileRows, rows.rows)};
    for (std::int64_t sum; target >= (sum = potential(tile, scale)); target -= sum) {
      tile.first += kTileRows;
      tile.rows = std::min(kTileRows, rows.first + rows.rows - tile.first);
    }
    std::int64_t row = tile.first;
    while ((target -= potential({row, 1}, scale)) >= 0) ++row;
    return row;
  }

  void potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                  std::span<std::int64_t> potentials) override {
    const std::int64_t now = total(block, scale);
    const Points<T> points = points_with(candidates);
    const auto count = static_cast<std::size_t>(candidates.rows);
    chunk_savings_.assign(chunk_totals_.size() * count, 0);
    for (Worker& worker : workers_) {
      worker.largest.assign(count, 0.0);
      worker.largest_decided = 0;
    }
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      visit(chunk_of(block, chunk), points, scale,
            chunk_savings_.data() + static_cast<std::size_t>(chunk) * count,
            workers_[static_cast<std::size_t>(worker)]);
    });
    waiting_.clear();
    largest_.assign(count, 0.0);
    candidates_.clear();
    for (std::int64_t c = 0; c < candidates.rows; ++c) {
      candidates_.insert(candidates_.end(), candidates.row(c), candidates.row(c) + x_.cols);
    }
    for (std::size_t c = 0; c < count; ++c) {
      potentials[c] += now;
      for (std::size_t i = c; i < chunk_savings_.size(); i += count) {
        potentials[c] -= chunk_savings_[i];
      }
      for (const Worker& worker : workers_) {
        largest_[c] = std::max({largest_[c], worker.largest[c], worker.largest_decided});
      }
    }
  }

 private:
  const double* nearest_from(std::int64_t row) const { return nearest_.data() + row; }

  /// The weights from a row on; null: all 1.
  const double* weights_from(std::int64_t row) const {
    return weights_.empty() ? nullptr : weights_.data() + row;
  }

  bool is_current(RowBlock block) const {
    return current_.first == block.first && current_.rows == block.rows;
  }

  std::int64_t candidate_of(std::span<const T> seed) const {
    for (std::size_t at = 0; at < candidates_.size(); at += seed.size()) {
      if (std::equal(seed.begin(), seed.end(), candidates_.begin() + at)) {
        return static_cast<std::int64_t>(at / seed.size());
      }
    }
    return -1;
  }

  Points<T> points_with(MatrixView<const T> candidates) const {
    return Points<T>(waiting_, candidates, x_.cols);
  }

  void take_in_waiting() {
    if (!waiting_.empty()) sum_up(current_, scale_);
  }

  /// Takes in the seed that waits, and finds the chunks' potentials, which are nonsense where the
  /// scale does not fit the distances any more; returns the largest weight * distance.
  double sum_up(RowBlock block, double scale) {
    const Points<T> points = points_with({});
    chunk_totals_.assign(static_cast<std::size_t>(chunk_count(block.rows)), 0);
    for (Worker& worker : workers_) worker.largest_sum = 0;
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      Worker& mine = workers_[static_cast<std::size_t>(worker)];
      const RowBlock rows = chunk_of(block, chunk);
      visit(rows, points, scale, nullptr, mine);
      double largest;
      chunk_totals_[static_cast<std::size_t>(chunk)] = leaves().potential(
          nearest_from(rows.first), weights_from(rows.first), rows.rows, scale, &largest);
      mine.largest_sum = std::max(mine.largest_sum, largest);
    });
    current_ = block;
    scale_ = scale;
    waiting_.clear();
    candidates_.clear();
    double largest = 0;
    for (const Worker& worker : workers_) largest = std::max(largest, worker.largest_sum);
    return largest;
  }

  std::int64_t potential(RowBlock rows, double scale) const {
    double largest;
    return leaves().potential(nearest_from(rows.first), weights_from(rows.first), rows.rows, scale,
                              &largest);
  }

  /// Takes the seed among the points into a chunk, and adds what candidates would save.
  void visit(RowBlock rows, const Points<T>& points, double scale, std::int64_t* savings,
             Worker& mine) {
    if (points.count() == 0) return;
    std::int64_t unsure = 0;
    for_each_tile(rows, [&](RowBlock tile_rows) {
      double* tile = mine.tile.resize(x_.cols * kTileRows);
      if constexpr (std::is_same_v<T, float>) {
        std::uint64_t bits = filter(tile_rows, points, mine);
        if (2 * std::popcount(bits) < tile_rows.rows) {
          const auto offset = static_cast<std::int32_t>(tile_rows.first - rows.first);
          for (; bits != 0; bits &= bits - 1) {
            mine.unsure[unsure++] = offset + std::countr_zero(bits);
          }
          return;
        }
        leaves().widen_tile(mine.fast_tile.data(), x_.cols, tile);
      } else {
        fill_tile(x_, tile_rows, tile);
      }
      settle(tile_rows.first, mine.every, tile_rows.rows, points, scale, savings, mine);
    });
    for (std::int64_t first = 0; first < unsure; first += kTileRows) {
      const std::int32_t* listed = mine.unsure + first;
      const std::int64_t count = std::min(kTileRows, unsure - first);
      fill_tile(TileRows<T>(count, [&](std::int64_t i) { return x_.row(rows.first + listed[i]); }),
                x_.cols, mine.tile.data());
      settle(rows.first, listed, count, points, scale, savings, mine);
    }
  }

  /// The bits of a tile's rows of which float32 distances cannot tell that no point is nearer than
  /// their nearest seed. A distance in float32 is at most 1 + (cols + 3) 2^-24 times too large or
  /// too small to first order (the rounded difference twice, the rounded square, up to cols
  /// additions), and off by far less than 2^-100 where it underflows. The slack is twice that, so
  /// it covers the rounding of limits too. What is infinite decides nothing.
  std::uint64_t filter(RowBlock rows, const Points<T>& points, Worker& mine) {
    const double* nearest = nearest_from(rows.first);
    const double* weights = weights_from(rows.first);
    std::uint64_t all = ~std::uint64_t{0};
    if (rows.rows < kTileRows) {
      gather(rows.first, mine.every, rows.rows, mine);
      nearest = mine.nearest;
      weights = mine.weights;
      all >>= kTileRows - rows.rows;
    }
    float* tile = mine.fast_tile.resize(x_.cols * kTileRows);
    prefetch_ahead(x_, rows);
    leaves().tile_f32(TileRows<T>(x_, rows).at, x_.cols, 1.0f, tile);
    const double slack = 1 + static_cast<double>(x_.cols + 6) * 0x1p-23;
    double largest;
    const std::uint64_t bits = leaves().maybe_closer_f32(
        tile, x_.cols, points.fast.data(), points.count(), nearest, weights, slack, &largest);
    mine.largest_decided = std::max(mine.largest_decided, largest);
    return bits & all;
  }

  /// The canonical distances of mine.tile, which holds these rows from `first`, and what follows.
  void settle(std::int64_t first, const std::int32_t* listed, std::int64_t count,
              const Points<T>& points, double scale, std::int64_t* savings, Worker& mine) {
    double* distances = mine.distances.resize(points.count() * kTileRows);
    leaves().squared_distances(mine.tile.data(), x_.cols, points.exact.data(), points.count(),
                               distances);
    gather(first, listed, count, mine);
    leaves().fold_seeds(distances, points.count(), points.seeds, mine.nearest, mine.weights, scale,
                        savings, mine.largest.data());
    if (points.seeds == 0) return;
    double* nearest = nearest_.data() + first;
    for (std::int64_t i = 0; i < count; ++i) nearest[listed[i]] = mine.nearest[i];
  }

  /// Distances and weights of a tile's rows. Past the last one distances are 0: nothing is nearer.
  void gather(std::int64_t first, const std::int32_t* listed, std::int64_t count, Worker& mine) {
    const double* nearest = nearest_from(first);
    const double* weights = weights_from(first);
    for (std::int64_t i = 0; i < count; ++i) {
      mine.nearest[i] = nearest[listed[i]];
      mine.weights[i] = weights == nullptr ? 1.0 : weights[listed[i]];
    }
    std::fill(mine.nearest + count, mine.nearest + kTileRows, 0.0);
    std::fill(mine.weights + count, mine.weights + kTileRows, 1.0);
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const Context& ctx_;
  AlignedBuffer<double> nearest_;  // canonical squared distance to the nearest seed taken in
  RowBlock current_;               // what the following is about; no rows: nothing
  double scale_ = 1;
  std::vector<std::int64_t> chunk_totals_;   // potentials, with the seed that waits
  std::vector<T> waiting_;                   // a seed not yet taken in
  std::vector<T> candidates_;                // of the last potentials()
  std::vector<std::int64_t> chunk_savings_;  // chunks x candidates
  std::vector<double> largest_;              // by candidate
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
