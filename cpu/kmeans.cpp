#include "cpu/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "cpu/column_facts.hpp"
#include "cpu/kmeans_assign.hpp"
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

  void copy_row(std::int64_t row, std::span<T> out) override {
    std::copy_n(x_.row(row), x_.cols, out.begin());
  }

  void open(int slot) override { labels_[slot].assign(static_cast<std::size_t>(x_.rows), -1); }
  void close(int slot) override { labels_.erase(slot); }

  void lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<T>> tasks) override;
  FixedSum inertia(RowBlock block, const Frame& frame, int slot, MatrixView<const T> centroids,
                   double scale) override;
  std::vector<FarRow> farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                               std::int64_t count) override;

  void labels(RowBlock block, int slot, std::span<std::int32_t> out) override {
    std::copy_n(labels_.at(slot).begin() + block.first, block.rows, out.begin());
  }

 private:
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
  std::map<int, std::vector<std::int32_t>> labels_;  // by slot
};

/// One thread's share of one task.
struct Share {
  LloydSums sums;
  std::int64_t changed = 0;
  std::int64_t rechecked = 0;
};

/// Makes `labels` equal to `found` and calls changed(row, old, new) where they differ. Most rows
/// keep their label, so a group of rows is first compared as a whole.
template <class Changed>
void for_each_change(std::int32_t* labels, const std::int32_t* found, std::int64_t rows,
                     const Changed& changed) {
  constexpr std::int64_t kGroup = 16;
  for (std::int64_t first = 0; first < rows; first += kGroup) {
    const std::int64_t end = std::min(first + kGroup, rows);
    if (end - first == kGroup &&
        std::memcmp(labels + first, found + first, kGroup * sizeof(std::int32_t)) == 0) {
      continue;
    }
    for (std::int64_t r = first; r < end; ++r) {
      const std::int32_t old = std::exchange(labels[r], found[r]);
      if (old != found[r]) changed(r, old, found[r]);
    }
  }
}

/// Moves rows from the sums of their old label, if they had one, to those of their new one.
class RowMover {
 public:
  explicit RowMover(const Frame& frame) : frame_(frame), limb_(std::ldexp(1.0, frame.bits)) {}

  template <class T>
  void move(const T* x, std::int64_t cols, double weight, std::int32_t from, std::int32_t to,
            LloydSums& sums) const {
    FixedSum limbs;
    to_limbs(weight, frame_.weight_scale, limb_, &limbs.high, &limbs.low);
    if (from >= 0) add(x, cols, weight, limbs, from, -1, sums);
    add(x, cols, weight, limbs, to, 1, sums);
  }

 private:
  template <class T>
  void add(const T* x, std::int64_t cols, double weight, const FixedSum& limbs,
           std::int32_t cluster, std::int64_t sign, LloydSums& sums) const {
    const auto at = static_cast<std::size_t>(cluster);
    add_row(x, cols, weight, frame_, limb_, sign, sums.high.data() + cluster * cols,
            sums.low.data() + cluster * cols);
    sums.weight[at] += {sign * limbs.high, sign * limbs.low};
    sums.count[at] += sign;
  }

  const Frame& frame_;
  double limb_;
};

template <class T>
void CpuKMeans<T>::lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<T>> tasks) {
  std::vector<Candidates<T>> candidates;
  std::vector<std::int32_t*> labels;
  for (const LloydTask<T>& task : tasks) {
    candidates.emplace_back(task.centroids, frame.magnitude_scale);
    labels.push_back(labels_.at(task.slot).data());
  }
  const auto workers = static_cast<std::size_t>(worker_count(ctx_));
  const RowMover mover(frame);
  std::vector<TileScratch<T>> scratch(workers);
  std::vector<std::vector<Share>> shares(workers);

  parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    auto& mine = shares[static_cast<std::size_t>(worker)];
    if (mine.empty()) {
      for (const LloydTask<T>& task : tasks) {
        mine.push_back({task.sums ? LloydSums(task.centroids.rows, x_.cols) : LloydSums()});
      }
    }
    for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
      AssignTile<T> tile(x_, rows, frame.magnitude_scale,
                         scratch[static_cast<std::size_t>(worker)]);
      for (std::size_t t = 0; t < tasks.size(); ++t) {
        Share& share = mine[t];
        share.rechecked += tile.assign(candidates[t]);
        for_each_change(labels[t] + rows.first, tile.labels(), rows.rows,
                        [&](std::int64_t r, std::int32_t old, std::int32_t label) {
                          ++share.changed;
                          if (tasks[t].sums == nullptr) return;
                          const std::int64_t row = rows.first + r;
                          mover.move(x_.row(row), x_.cols, weight(row), old, label, share.sums);
                        });
      }
    });
  });

  for (const auto& worker_shares : shares) {
    for (std::size_t t = 0; t < worker_shares.size(); ++t) {
      tasks[t].changed += worker_shares[t].changed;
      tasks[t].rechecked += worker_shares[t].rechecked;
      if (tasks[t].sums != nullptr) *tasks[t].sums += worker_shares[t].sums;
    }
  }
}

template <class T>
FixedSum CpuKMeans<T>::inertia(RowBlock block, const Frame& frame, int slot,
                               MatrixView<const T> centroids, double scale) {
  const std::int32_t* labels = labels_.at(slot).data();
  const double limb = std::ldexp(1.0, frame.bits);
  const auto workers = static_cast<std::size_t>(worker_count(ctx_));
  std::vector<AlignedBuffer<double>> tiles(workers), own_tiles(workers);
  std::vector<FixedSum> sums(workers);
  parallel_for(ctx_, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    const auto mine = static_cast<std::size_t>(worker);
    double* tile = tiles[mine].resize(x_.cols * kTileRows);
    double* own = own_tiles[mine].resize(x_.cols * kTileRows);
    for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
      alignas(64) double distances[kTileRows];
      fill_tile(x_, rows, tile);
      fill_tile(TileRows<T>(rows.rows,
                            [&](std::int64_t r) { return centroids.row(labels[rows.first + r]); }),
                x_.cols, own);
      leaves().tile_distances(tile, own, x_.cols, distances);
      for (std::int64_t r = 0; r < rows.rows; ++r) distances[r] *= weight(rows.first + r);
      leaves().add_limbs(distances, rows.rows, scale, limb, &sums[mine].high, &sums[mine].low);
    });
  });
  return std::accumulate(sums.begin(), sums.end(), FixedSum{},
                         [](FixedSum a, const FixedSum& b) { return a += b; });
}

template <class T>
std::vector<FarRow> CpuKMeans<T>::farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                                           std::int64_t count) {
  const auto& labels = labels_.at(slot);
  const auto farther = [](const FarRow& a, const FarRow& b) {
    return a.distance != b.distance ? a.distance > b.distance : a.row < b.row;
  };
  std::vector<std::vector<FarRow>> far(static_cast<std::size_t>(worker_count(ctx_)));
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
