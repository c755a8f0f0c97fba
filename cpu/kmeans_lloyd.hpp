#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "cpu/kmeans_assign.hpp"
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

/// One read of some rows for all tasks. Threads have their own shares, added up at the end: in
/// integers, so that it does not matter who did what.
template <class T>
class LloydPass {
 public:
  LloydPass(MatrixView<const T> x, std::span<const double> weights, const Frame& frame,
            std::span<LloydTask<T>> tasks, std::vector<std::int32_t*> labels, std::size_t workers)
      : x_(x),
        weights_(weights),
        scale_(frame, weights),
        tasks_(tasks),
        labels_(std::move(labels)),
        workers_(workers) {
    for (const LloydTask<T>& task : tasks) {
      candidates_.emplace_back(task.centroids, frame.magnitude_scale);
    }
  }

  /// Labels some rows on one thread.
  void run(RowBlock rows, std::size_t worker) {
    Worker& mine = workers_[worker];
    if (mine.shares.empty()) {
      for (const LloydTask<T>& task : tasks_) {
        mine.shares.push_back({task.sums ? LloydSums(task.centroids.rows, x_.cols) : LloydSums()});
      }
    }
    for_each_tile(rows, [&](RowBlock tile) { label(tile, mine); });
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
  }

 private:
  struct Share {
    LloydSums sums;
    FixedSum inertia = {};
    std::int64_t changed = 0;
    std::int64_t rechecked = 0;
  };
  struct Worker {
    TileScratch<T> scratch;
    TileLimbs<T> limbs;
    TileInertia<T> inertia;
    std::vector<Share> shares;  // of each task
  };

  void label(RowBlock rows, Worker& mine) {
    AssignTile<T> tile(x_, rows, static_cast<float>(scale_.frame.magnitude_scale), mine.scratch);
    mine.limbs.begin();
    mine.inertia.begin();
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      mine.shares[t].rechecked += tile.assign(candidates_[t]);
      keep(tile, rows, t, mine);
      if (tasks_[t].inertia_scale == 0) continue;
      const double* weights = weights_.empty() ? nullptr : weights_.data() + rows.first;
      mine.inertia.add(x_, rows, tile.labels(), weights, tasks_[t].centroids,
                       tasks_[t].inertia_scale, scale_.limb, mine.shares[t].inertia);
    }
  }

  /// Puts down the labels found, and moves the rows that changed between the sums.
  void keep(const AssignTile<T>& tile, RowBlock rows, std::size_t task, Worker& mine) {
    std::int32_t* labels = labels_[task] + rows.first;
    const std::uint64_t moved = changed_rows(labels, tile.labels(), rows.rows);
    if (moved == 0) return;
    Share& share = mine.shares[task];
    share.changed += std::popcount(moved);
    if (tasks_[task].sums != nullptr) {
      mine.limbs.move(scale_, tile.row_pointers(), rows.first, x_.cols, moved, labels,
                      tile.labels(), share.sums);
    }
    std::copy_n(tile.labels(), rows.rows, labels);
  }

  /// The bits of the rows whose label is not the one found.
  static std::uint64_t changed_rows(const std::int32_t* labels, const std::int32_t* found,
                                    std::int64_t rows) {
    if (rows == kTileRows) return leaves().differing(labels, found);
    std::uint64_t bits = 0;
    for (std::int64_t r = 0; r < rows; ++r) bits |= std::uint64_t{labels[r] != found[r]} << r;
    return bits;
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  const RowScale<T> scale_;
  std::span<LloydTask<T>> tasks_;
  std::vector<Candidates<T>> candidates_;
  std::vector<std::int32_t*> labels_;  // of each task
  std::vector<Worker> workers_;
};

}  // namespace coterie::cpu
