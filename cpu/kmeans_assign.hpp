#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
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
  alignas(64) float best[kTileRows], second[kTileRows];  // if asked for
};

/// The bits of a tile's first rows.
inline std::uint64_t first_bits(std::int64_t rows) { return ~std::uint64_t{0} >> (64 - rows); }

/// A tile of rows, filled once, for any number of models.
template <class T>
class AssignTile {
 public:
  AssignTile(const TileRows<T>& at, std::int64_t rows, std::int64_t cols, double magnitude_scale,
             TileScratch<T>& scratch)
      : at_(at),
        rows_(rows),
        cols_(cols),
        scratch_(scratch),
        tile_(scratch.tile.resize(cols * kTileRows)) {
    if constexpr (std::is_same_v<T, double>) {
      fill_tile(at_, cols, tile_);
    } else {
      leaves().tile_f32(at_.at, cols, static_cast<float>(magnitude_scale), tile_);
    }
  }

  /// Labels the tile's rows; returns how many needed the canonical distance beside the filter.
  std::int64_t assign(const Candidates<T>& candidates) {
    const auto count = static_cast<std::int64_t>(candidates.ids.size());
    if constexpr (std::is_same_v<T, double>) {
      out_of_range_ =
          leaves().nearest_f64(tile_, cols_, candidates.points.data(), count, scratch_.labels) &
          first_bits(rows_);
      return 0;
    } else {
      unsure_ =
          leaves().nearest_f32(tile_, cols_, candidates.points.data(), count, certificate(cols_),
                               scratch_.labels, scratch_.best, scratch_.second) &
          first_bits(rows_);
      return settle(candidates);
    }
  }

  const std::int32_t* labels() const { return scratch_.labels; }
  /// The bits of the rows at no finite distance from any centroid: a value is not finite, or too
  /// large for float64. Their label is 0.
  std::uint64_t out_of_range() const { return out_of_range_; }
  const T* const* row_pointers() const { return at_.at; }

  /// The scaled squared distances that float32 found to the nearest and the second nearest
  /// centroid.
  const float* best() const { return scratch_.best; }
  const float* second() const { return scratch_.second; }

 private:
  /// Gives the labels the models' numbers, and those that float32 left open canonically.
  std::int64_t settle(const Candidates<T>& candidates) {
    out_of_range_ = 0;
    if (static_cast<std::int64_t>(candidates.ids.size()) < candidates.centroids.rows) {
      for (std::int32_t& label : scratch_.labels) {
        label = candidates.ids[static_cast<std::size_t>(label)];
      }
    }
    for (std::uint64_t rest = unsure_; rest != 0; rest &= rest - 1) {
      const int r = std::countr_zero(rest);
      scratch_.labels[r] = canonical(r, candidates.centroids);
    }
    return std::popcount(unsure_);
  }

  std::int32_t canonical(int r, MatrixView<const T> centroids) {
    std::int32_t nearest = 0;
    double best = std::numeric_limits<double>::infinity();
    for (std::int64_t c = 0; c < centroids.rows; ++c) {
      const double distance = squared_distance(at_.at[r], centroids.row(c), cols_);
      if (distance < best) {
        best = distance;
        nearest = static_cast<std::int32_t>(c);
      }
    }
    if (!std::isfinite(best)) out_of_range_ |= std::uint64_t{1} << r;
    return nearest;
  }

  TileRows<T> at_;
  std::int64_t rows_;
  std::int64_t cols_;
  TileScratch<T>& scratch_;
  T* tile_;
  std::uint64_t unsure_ = 0;
  std::uint64_t out_of_range_ = 0;
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

}  // namespace coterie::cpu
