#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "cpu/kmeans_assign.hpp"
#include "cpu/kmeans_bounds.hpp"
#include "cpu/kmeans_sums.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// The sum of weight * distance to the own centroid, a tile at a time.
template <class T>
class TileInertia {
 public:
  /// Starts with the next tile.
  void begin() { filled_ = false; }

  void add(MatrixView<const T> x, RowBlock rows, const std::int32_t* labels, const double* weights,
           MatrixView<const T> centroids, double scale, double limb, FixedSum& sum) {
    double* tile = tile_.resize(x.cols * kTileRows);
    double* own = own_.resize(x.cols * kTileRows);
    if (!filled_) fill_tile(TileRows<T>(x, rows), x.cols, tile);
    filled_ = true;
    const TileRows<T> nearest(rows.rows, [&](std::int64_t r) { return centroids.row(labels[r]); });
    fill_tile(nearest, x.cols, own);
    alignas(64) double distances[kTileRows];
    leaves().tile_distances(tile, own, x.cols, distances);
    for (std::int64_t r = 0; weights != nullptr && r < rows.rows; ++r) distances[r] *= weights[r];
    leaves().add_limbs(distances, rows.rows, scale, limb, &sum.high, &sum.low);
  }

 private:
  bool filled_ = false;
  AlignedBuffer<double> tile_, own_;  // the rows, the centroid of each
};

/// What the device keeps of a model between passes.
struct Slot {
  std::vector<std::int32_t> labels;
  Bounds bounds;
  int passes_without_bounds = 3;  // to come: at first centroids move too far
};

/// One read of some rows for all tasks. Threads have their own shares, added up at the end: in
/// integers, so that it does not matter who did what.
template <class T>
class LloydPass {
 public:
  LloydPass(MatrixView<const T> x, std::span<const double> weights, const Frame& frame,
            std::span<LloydTask<T>> tasks, std::vector<Slot*> slots, std::size_t workers)
      : x_(x),
        weights_(weights),
        scale_(frame),
        tasks_(tasks),
        slots_(std::move(slots)),
        workers_(workers) {
    for (const LloydTask<T>& task : tasks) {
      candidates_.emplace_back(task.centroids, frame.magnitude_scale);
    }
  }

  /// Has the pass skip rows where their bounds allow it: if it goes over all rows, and where a
  /// row's distances cost so much that bounds pay even if few rows can be skipped.
  void use_bounds(bool all_rows) {
    constexpr std::int64_t kWorthwhile = 1024;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      const auto& centroids = tasks_[t].centroids;
      const bool distinct = static_cast<std::int64_t>(candidates_[t].ids.size()) == centroids.rows;
      const bool worthwhile = centroids.rows * centroids.cols >= kWorthwhile;
      Slot& slot = *slots_[t];
      // Equal centroids may part later, and then the lower bound was none.
      if (--slot.passes_without_bounds >= 0 || !all_rows || !distinct || !worthwhile ||
          tasks_[t].sums == nullptr) {
        slot.bounds.forget();
      } else {
        if constexpr (std::is_same_v<T, float>) {
          slot.bounds.follow(centroids, x_.rows, scale_.frame.magnitude_scale);
        }
      }
    }
  }

  /// Labels some rows, at most kChunkRows, on one thread.
  void run(RowBlock rows, std::size_t worker) {
    Worker& mine = workers_[worker];
    bool all_bounded = true;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      if (mine.shares.size() == t) {
        const std::int64_t clusters = tasks_[t].centroids.rows;
        mine.shares.push_back({tasks_[t].sums ? LloydSums(clusters, x_.cols) : LloydSums()});
      }
      if (slots_[t]->bounds.ready()) {
        label_unsettled(rows, t, mine);
      } else {
        all_bounded = false;
      }
    }
    if (!all_bounded) for_each_tile(rows, [&](RowBlock tile) { label(tile, mine); });
  }

  /// Adds the threads' shares to the tasks.
  void collect() {
    for (const Worker& worker : workers_) {
      for (std::size_t t = 0; t < worker.shares.size(); ++t) {
        const Share& share = worker.shares[t];
        tasks_[t].changed += share.changed;
        tasks_[t].rechecked += share.rechecked;
        tasks_[t].inertia += share.inertia;
        if (tasks_[t].sums != nullptr) *tasks_[t].sums += share.sums;
      }
    }
    for (std::size_t t = 0; t < tasks_.size(); ++t) rest_if_useless(t);
  }

 private:
  struct Share {
    LloydSums sums;
    FixedSum inertia = {};
    std::int64_t changed = 0;
    std::int64_t rechecked = 0;
    std::int64_t settled = 0;  // rows whose label their bounds confirmed
  };
  struct Worker {
    TileScratch<T> scratch;
    TileLimbs<T> limbs;
    TileInertia<T> inertia;
    std::vector<Share> shares;  // of each task
  };

  /// Labels a tile's rows for all tasks without bounds.
  void label(RowBlock rows, Worker& mine) {
    prefetch_ahead(x_, rows);
    const double* weights = weights_.empty() ? nullptr : weights_.data() + rows.first;
    AssignTile<T> tile(TileRows<T>(x_, rows), rows.rows, x_.cols, scale_.frame.magnitude_scale,
                       mine.scratch);
    mine.limbs.begin();
    mine.inertia.begin();
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      if (slots_[t]->bounds.ready()) continue;
      std::int32_t* labels = slots_[t]->labels.data() + rows.first;
      mine.shares[t].rechecked += tile.assign(candidates_[t]);
      if (move(tile, rows.rows, weights, labels, t, mine)) {
        std::copy_n(tile.labels(), rows.rows, labels);
      }
      if (tasks_[t].inertia_scale == 0) continue;
      mine.inertia.add(x_, rows, tile.labels(), weights, tasks_[t].centroids,
                       tasks_[t].inertia_scale, scale_.limb, mine.shares[t].inertia);
    }
  }

  /// Gives up bounds for some passes where they settled few rows.
  void rest_if_useless(std::size_t task) {
    constexpr int kRest = 8;
    Slot& slot = *slots_[task];
    if (!slot.bounds.ready() || slot.bounds.fresh()) return;
    std::int64_t settled = 0;
    for (const Worker& worker : workers_) {
      if (task < worker.shares.size()) settled += worker.shares[task].settled;
    }
    if (8 * settled < x_.rows) slot.passes_without_bounds = kRest;
  }

  /// Labels the rows that a task's bounds leave open.
  void label_unsettled(RowBlock rows, std::size_t task, Worker& mine) {
    Slot& slot = *slots_[task];
    std::int32_t open[kChunkRows];
    std::int64_t count =
        slot.bounds.unsettled(rows.first, rows.rows, slot.labels.data() + rows.first, open);
    mine.shares[task].settled += rows.rows - count;
    // Reading scattered rows costs more, and looking at a row tightens its bounds.
    if (4 * count > 3 * rows.rows) {
      count = rows.rows;
      std::iota(open, open + count, 0);
    }
    for (std::int64_t first = 0; first < count; first += kTileRows) {
      const std::int64_t next = std::min(first + kTileRows, count);
      prefetch_listed(rows.first, open + next, std::min(kTileRows, count - next));
      label_listed(rows.first, open + first, next - first, task, mine);
    }
  }

  /// Fetches the rows of the next tile: the processor cannot foresee which.
  void prefetch_listed(std::int64_t first, const std::int32_t* rows, std::int64_t count) {
    constexpr std::int64_t kLine = 64 / sizeof(T);
    for (std::int64_t r = 0; r < count; ++r) {
      const T* row = x_.row(first + rows[r]);
      for (std::int64_t j = 0; j < x_.cols; j += kLine) __builtin_prefetch(row + j);
    }
  }

  /// Labels at most a tile of rows, given by their distances from `first`, and makes new bounds.
  void label_listed(std::int64_t first, const std::int32_t* rows, std::int64_t count,
                    std::size_t task, Worker& mine) {
    if constexpr (std::is_same_v<T, float>) {
      Slot& slot = *slots_[task];
      const TileRows<T> at(count, [&](std::int64_t r) { return x_.row(first + rows[r]); });
      AssignTile<T> tile(at, count, x_.cols, scale_.frame.magnitude_scale, mine.scratch);
      mine.limbs.begin();
      mine.shares[task].rechecked += tile.assign(candidates_[task]);
      alignas(64) std::int32_t labels[kTileRows];
      double weights[kTileRows];
      float upper[kTileRows], lower[kTileRows];
      // Where float32 could not decide, these meet, and the row is looked at again.
      leaves().tighten_bounds(tile.best(), tile.second(), certificate(x_.cols), upper, lower);
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t row = first + rows[r];
        const auto at_row = static_cast<std::size_t>(row);
        labels[r] = std::exchange(slot.labels[at_row], tile.labels()[r]);
        weights[r] = weights_.empty() ? 1 : weights_[at_row];
        slot.bounds.set(row, upper[r], lower[r]);
      }
      move(tile, count, weights_.empty() ? nullptr : weights, labels, task, mine);
    }
  }

  /// Moves the rows whose label is not the one found between the sums; returns whether there are.
  bool move(const AssignTile<T>& tile, std::int64_t rows, const double* weights,
            const std::int32_t* labels, std::size_t task, Worker& mine) {
    const std::uint64_t moved = changed_rows(labels, tile.labels(), rows);
    if (moved == 0) return false;
    Share& share = mine.shares[task];
    share.changed += std::popcount(moved);
    if (tasks_[task].sums != nullptr) {
      mine.limbs.move(scale_, tile.row_pointers(), weights, x_.cols, moved, labels, tile.labels(),
                      share.sums);
    }
    return true;
  }

  /// The bits of the rows whose label is not the one found.
  static std::uint64_t changed_rows(const std::int32_t* labels, const std::int32_t* found,
                                    std::int64_t rows) {
    if (rows == kTileRows) return leaves().differing(labels, found);
    std::uint64_t bits = 0;
    for (std::int64_t r = 0; r < std::min(rows, kTileRows); ++r) {
      bits |= std::uint64_t{labels[r] != found[r]} << r;
    }
    return bits;
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const RowScale scale_;
  std::span<LloydTask<T>> tasks_;
  std::vector<Candidates<T>> candidates_;
  std::vector<Slot*> slots_;  // of each task
  std::vector<Worker> workers_;
};

}  // namespace coterie::cpu
