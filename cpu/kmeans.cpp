#include "cpu/kmeans.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "core/contract/distance.hpp"
#include "cpu/column_facts.hpp"
#include "cpu/kmeans_assign.hpp"
#include "cpu/kmeans_lloyd.hpp"
#include "cpu/kmeans_seeding.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

template <class T>
class CpuKMeans final : public KMeansPasses<T> {
 public:
  CpuKMeans(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : x_(x), weights_(weights), ctx_(with_settled_threads(ctx)) {}

  ColumnRange range(RowBlock block) override { return column_range(x_, block, ctx_); }

  void spread(RowBlock block, const Frame& frame, SpreadSums& sums) override {
    column_spread(x_, block, frame, sums, ctx_);
  }

  std::unique_ptr<SeedingPasses<T>> seeding() override {
    return seeding_passes(x_, weights_, ctx_);
  }
  std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding() override {
    return parallel_seeding_passes(x_, weights_, ctx_);
  }

  void copy_row(std::int64_t row, std::span<T> out) override {
    std::copy_n(x_.row(row), x_.cols, out.begin());
  }

  void open(int slot) override {
    slots_[slot].labels.assign(static_cast<std::size_t>(x_.rows), -1);
  }
  void close(int slot) override { slots_.erase(slot); }

  std::vector<std::int32_t> take_labels(int slot) override {
    return std::move(slots_.extract(slot).mapped().labels);
  }

  void lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<T>> tasks) override {
    std::vector<Slot*> slots;
    for (const LloydTask<T>& task : tasks) slots.push_back(&slots_.at(task.slot));
    LloydPass<T> pass(x_, weights_, frame, tasks, std::move(slots), workers());
    pass.use_bounds(block.rows == x_.rows);
    parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
      pass.run(chunk_of(block, chunk), static_cast<std::size_t>(worker));
    });
    pass.collect();
  }

  std::vector<FarRow> farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                               std::int64_t count) override;

  std::int32_t label(std::int64_t row, int slot) override {
    return slots_.at(slot).labels[static_cast<std::size_t>(row)];
  }
  std::int64_t predict(RowBlock block, MatrixView<const T> centroids,
                       std::span<std::int32_t> out) override;

 private:
  std::size_t workers() const { return static_cast<std::size_t>(worker_count(ctx_)); }
  double weight(std::int64_t row) const {
    return weights_.empty() ? 1.0 : weights_[static_cast<std::size_t>(row)];
  }
  double own_distance(std::int64_t row, const std::vector<std::int32_t>& labels,
                      MatrixView<const T> centroids) const {
    const std::int32_t label = labels[static_cast<std::size_t>(row)];
    return squared_distance(x_.row(row), centroids.row(label), x_.cols);
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const Context ctx_;
  std::map<int, Slot> slots_;
};

/// The scale of the filter when nothing is known of the rows: those far beyond the centroids may
/// overflow float32, which only sends them to the canonical distance.
template <class T>
double predict_scale(MatrixView<const T> centroids) {
  double largest = 0;
  for (std::int64_t c = 0; c < centroids.rows; ++c) {
    for (std::int64_t j = 0; j < centroids.cols; ++j) {
      largest = std::max(largest, std::abs(static_cast<double>(centroids(c, j))));
    }
  }
  return magnitude_scale(largest);
}

template <class T>
bool is_finite(const T* x, std::int64_t count) {
  return std::all_of(x, x + count, [](T value) { return std::isfinite(value); });
}

void lower(std::atomic<std::int64_t>& least, std::int64_t value) {
  std::int64_t now = least;
  while (value < now && !least.compare_exchange_weak(now, value)) {
  }
}

template <class T>
std::vector<FarRow> CpuKMeans<T>::farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                                           std::int64_t count) {
  const auto& labels = slots_.at(slot).labels;
  const auto farther = [](const FarRow& a, const FarRow& b) {
    return a.distance != b.distance ? a.distance > b.distance : a.row < b.row;
  };
  std::vector<std::vector<FarRow>> far(workers());
  const auto keep = [&](std::vector<FarRow>& rows) {
    if (static_cast<std::int64_t>(rows.size()) <= count) return;
    std::nth_element(rows.begin(), rows.begin() + count, rows.end(), farther);
    rows.resize(static_cast<std::size_t>(count));
  };
  parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    auto& mine = far[static_cast<std::size_t>(worker)];
    const RowBlock rows = chunk_of(block, chunk);
    for (std::int64_t row = rows.first; row < rows.first + rows.rows; ++row) {
      if (weight(row) > 0) mine.push_back({own_distance(row, labels, centroids), row});
    }
    keep(mine);
  });
  std::vector<FarRow> all;
  for (const auto& mine : far) all.insert(all.end(), mine.begin(), mine.end());
  keep(all);
  std::sort(all.begin(), all.end(), farther);
  return all;
}

template <class T>
std::int64_t CpuKMeans<T>::predict(RowBlock block, MatrixView<const T> centroids,
                                   std::span<std::int32_t> out) {
  const double scale = predict_scale(centroids);
  const Candidates<T> candidates(centroids, scale);
  std::vector<TileScratch<T>> scratch(workers());
  std::atomic<std::int64_t> bad_row = x_.rows;
  parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
      prefetch_ahead(x_, rows);
      AssignTile<T> tile(TileRows<T>(x_, rows), rows.rows, x_.cols, scale,
                         scratch[static_cast<std::size_t>(worker)]);
      tile.assign(candidates);
      std::copy_n(tile.labels(), rows.rows, out.begin() + (rows.first - block.first));
      for (std::uint64_t rest = tile.out_of_range(); rest != 0; rest &= rest - 1) {
        const std::int64_t row = rows.first + std::countr_zero(rest);
        if (!is_finite(x_.row(row), x_.cols)) lower(bad_row, row);
      }
    });
  });
  return bad_row == x_.rows ? -1 : bad_row.load();
}

}  // namespace

template <class T>
std::unique_ptr<KMeansPasses<T>> kmeans_passes(MatrixView<const T> x,
                                               std::span<const double> weights,
                                               const Context& ctx) {
  return std::make_unique<CpuKMeans<T>>(x, weights, ctx);
}

template std::unique_ptr<KMeansPasses<float>> kmeans_passes(MatrixView<const float>,
                                                            std::span<const double>,
                                                            const Context&);
template std::unique_ptr<KMeansPasses<double>> kmeans_passes(MatrixView<const double>,
                                                             std::span<const double>,
                                                             const Context&);

}  // namespace coterie::cpu
