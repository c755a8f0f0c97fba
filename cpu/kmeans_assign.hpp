#pragma once

#include <cmath>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "core/contract/kmeans.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// A model's centroids as the leaves read them. In float32 they are scaled like the tile, and only
/// the first of equal centroids competes: the others could never win a row, yet would leave every
/// row near them undecided.
template <class T>
struct Candidates {
  Candidates(MatrixView<const T> all, double magnitude_scale) : centroids(all) {
    if constexpr (std::is_same_v<T, double>) {
      points = as_points(all);
      ids.resize(static_cast<std::size_t>(all.rows));
      std::iota(ids.begin(), ids.end(), 0);
    } else {
      ids = distinct_rows(all);
      const float scale = static_cast<float>(magnitude_scale);
      for (const std::int32_t id : ids) {
        const float* row = all.row(id);
        for (std::int64_t j = 0; j < all.cols; ++j) points.push_back(row[j] * scale);
      }
    }
  }

  /// The first of each group of equal rows, ascending.
  static std::vector<std::int32_t> distinct_rows(MatrixView<const T> rows);

  MatrixView<const T> centroids;
  std::vector<std::int32_t> ids;  // of the centroids that compete
  std::vector<T> points;          // ids.size() x cols
};

/// What a thread needs to assign a tile.
template <class T>
struct TileScratch {
  AlignedBuffer<T> tile;
  alignas(64) std::int32_t labels[kTileRows];
  alignas(64) float best[kTileRows];
  alignas(64) float second[kTileRows];
};

/// A tile of rows, filled once, for any number of models.
template <class T>
class AssignTile {
 public:
  AssignTile(MatrixView<const T> x, RowBlock rows, double magnitude_scale, TileScratch<T>& scratch)
      : x_(x), rows_(rows), scratch_(scratch), tile_(scratch.tile.resize(x.cols * kTileRows)) {
    if constexpr (std::is_same_v<T, double>) {
      fill_tile(x, rows, tile_);
    } else {
      leaves().tile_f32(TileRows<T>(x, rows).at, x.cols, static_cast<float>(magnitude_scale),
                        tile_);
    }
  }

  /// Labels the tile's rows; returns how many needed the canonical distance beside the filter.
  std::int64_t assign(const Candidates<T>& candidates) {
    const auto count = static_cast<std::int64_t>(candidates.ids.size());
    if constexpr (std::is_same_v<T, double>) {
      leaves().nearest_f64(tile_, x_.cols, candidates.points.data(), count, scratch_.labels);
      return 0;
    } else {
      leaves().nearest_f32(tile_, x_.cols, candidates.points.data(), count, scratch_.labels,
                           scratch_.best, scratch_.second);
      return settle(candidates);
    }
  }

  const std::int32_t* labels() const { return scratch_.labels; }

 private:
  /// Each float32 squared distance is off by a factor of at most 1 +- (cols + 3) 2^-24 (the rounded
  /// difference twice, the rounded square, up to cols additions), and by far less than 2^-100 of
  /// the scaled magnitude where it underflows. So when the second is larger than the best by more
  /// than both errors, no other centroid can be nearer canonically either. Overflow gives infinity
  /// or NaN, which never passes.
  std::int64_t settle(const Candidates<T>& candidates) {
    const float* best = scratch_.best;
    const float* second = scratch_.second;
    std::int32_t* labels = scratch_.labels;
    if (candidates.ids.size() == 1) return 0;  // label 0 is the only one
    const float relative =
        static_cast<float>(2.03 * static_cast<double>(x_.cols + 6) * 0x1p-24 * (1 + 0x1p-8));
    std::int32_t unsure[kTileRows];
    std::int32_t any = 0;
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      unsure[r] = second[r] - best[r] > relative * second[r] + 0x1p-100f ? 0 : 1;
      any |= unsure[r];
    }
    if (static_cast<std::int64_t>(candidates.ids.size()) < candidates.centroids.rows) {
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        labels[r] = candidates.ids[static_cast<std::size_t>(labels[r])];
      }
    }
    return any == 0 ? 0 : recheck(candidates.centroids, unsure);
  }

  /// Labels the rows that the filter could not decide; returns how many.
  std::int64_t recheck(MatrixView<const T> centroids, const std::int32_t* unsure) {
    std::int64_t rechecked = 0;
    for (std::int64_t r = 0; r < rows_.rows; ++r) {
      if (unsure[r] == 0) continue;
      scratch_.labels[r] = canonical(rows_.first + r, centroids);
      ++rechecked;
    }
    return rechecked;
  }

  std::int32_t canonical(std::int64_t row, MatrixView<const T> centroids) const {
    std::int32_t nearest = 0;
    double best = squared_distance(x_.row(row), centroids.row(0), x_.cols);
    for (std::int64_t c = 1; c < centroids.rows; ++c) {
      const double distance = squared_distance(x_.row(row), centroids.row(c), x_.cols);
      if (distance < best) {
        best = distance;
        nearest = static_cast<std::int32_t>(c);
      }
    }
    return nearest;
  }

  MatrixView<const T> x_;
  RowBlock rows_;
  TileScratch<T>& scratch_;
  T* tile_;
};

template <class T>
std::vector<std::int32_t> Candidates<T>::distinct_rows(MatrixView<const T> rows) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), 0);
  const auto compare = [&](std::int32_t a, std::int32_t b) {
    return std::lexicographical_compare_three_way(rows.row(a), rows.row(a) + rows.cols, rows.row(b),
                                                  rows.row(b) + rows.cols);
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const auto order_of_rows = compare(a, b);
    return order_of_rows != 0 ? order_of_rows < 0 : a < b;
  });
  const auto end = std::unique(order.begin(), order.end(),
                               [&](std::int32_t a, std::int32_t b) { return compare(a, b) == 0; });
  order.erase(end, order.end());
  std::sort(order.begin(), order.end());
  return order;
}

/// The limbs of weight * (x - shift), added to or taken from a cluster's sums.
inline void add_row(const float* x, std::int64_t cols, double weight, const Frame& frame,
                    double limb, std::int64_t sign, std::int64_t* high, std::int64_t* low) {
  leaves().add_row_f32(x, cols, weight, frame.shift.data(), frame.scale.data(), limb, sign, high,
                       low);
}
inline void add_row(const double* x, std::int64_t cols, double weight, const Frame& frame,
                    double limb, std::int64_t sign, std::int64_t* high, std::int64_t* low) {
  leaves().add_row_f64(x, cols, weight, frame.shift.data(), frame.scale.data(), limb, sign, high,
                       low);
}

}  // namespace coterie::cpu
