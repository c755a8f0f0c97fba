#pragma once

#include <cstdint>

#include "core/contract/block_tree.hpp"
#include "coterie/distances.hpp"

namespace coterie::cpu {

/// Rows of one tile. A tile is stored column by column, so that a vector's lanes are rows and each
/// lane adds its columns in ascending order: the canonical order, whatever the vector's width.
inline constexpr std::int64_t kTileRows = 64;

/// Columns to which rows are padded where lanes are columns: a multiple of every vector's lanes.
inline constexpr std::int64_t kColumnPad = 8;

/// What makes a column's values and their squares integers.
struct ColumnScale {
  double shift;
  double scale;
  double square_scale;
};

/// The innermost loops, compiled once for each instruction set. Tiles are cols x kTileRows, aligned
/// to 64 bytes, filled from kTileRows rows wherever these lie. Points are count x cols.
struct Leaves {
  const char* name;

  void (*tile_f32)(const float* const* rows, std::int64_t cols, float scale, float* tile);
  void (*tile_f32_as_f64)(const float* const* rows, std::int64_t cols, double* tile);
  void (*tile_f64)(const double* const* rows, std::int64_t cols, double* tile);

  /// out[p * kTileRows + r] = canonical squared distance of row r and point p.
  void (*squared_distances)(const double* tile, std::int64_t cols, const double* points,
                            std::int64_t count, double* out);
  /// The nearest point of each row, canonically, ties to the lowest; the bits of the rows at no
  /// finite distance from any.
  std::uint64_t (*nearest_f64)(const double* tile, std::int64_t cols, const double* points,
                               std::int64_t count, std::int32_t* nearest);
  /// The nearest point of each row in float32; the bits of the rows whose second nearest is not
  /// farther by more than `relative` of its squared distance and 2^-100. And the two smallest
  /// squared distances; the second of a lone point is float32's largest value.
  std::uint64_t (*nearest_f32)(const float* tile, std::int64_t cols, const float* points,
                               std::int64_t count, float relative, std::int32_t* nearest,
                               float* best, float* second);
  /// The bits of the rows of two tiles' labels that differ.
  std::uint64_t (*differing)(const std::int32_t* a, const std::int32_t* b);

  /// out[r] = canonical squared distance of row r of one tile and row r of the other.
  void (*tile_distances)(const double* a, const double* b, std::int64_t cols, double* out);

  /// A float32 tile in float64.
  void (*widen_tile)(const float* tile, std::int64_t cols, double* out);
  /// Sum of weights[r] * nearest[r] * scale, each rounded to an integer, and the largest product of
  /// the two. An infinite nearest[r] counts as 1, and weights may be null: all 1.
  std::int64_t (*potential)(const double* nearest, const double* weights, std::int64_t count,
                            double scale, double* largest);
  /// The filter of a k-means++ round: returns the bits of the rows of which float32 cannot tell
  /// that no point is nearer than their nearest seed, nearest[r] away; slack: 1 + twice the
  /// relative error of a distance in float32. largest: of the weights[r] * nearest[r] of the other
  /// rows; weights may be null.
  std::uint64_t (*maybe_closer_f32)(const float* tile, std::int64_t cols, const float* points,
                                    std::int64_t count, const double* nearest,
                                    const double* weights, double slack, double* largest);
  /// The nearest in float32 of the points, or -1 where nearest[r], the canonical squared distance
  /// of what is nearest otherwise, is less; the bits of the rows of which float32 cannot tell,
  /// `relative` as for nearest_f32.
  std::uint64_t (*closest_f32)(const float* tile, std::int64_t cols, const float* points,
                               std::int64_t count, float relative, const double* nearest,
                               std::int32_t* closest);
  /// The rest of the round for one tile, from squared_distances(): takes the first `seeds` points
  /// into nearest[], adds to savings[c] what the potential would fall by if the c-th of the other
  /// points became a seed, and widens largest[c] to the weights[r] * nearest[r] that would be left.
  void (*fold_seeds)(const double* distances, std::int64_t count, std::int64_t seeds,
                     double* nearest, const double* weights, double scale, std::int64_t* savings,
                     double* largest);

  /// Adds the limbs of values[0] to values[count - 1].
  void (*add_limbs)(const double* values, std::int64_t count, double scale, double limb,
                    std::int64_t* high, std::int64_t* low);
  /// Adds the limbs of a column's shifted values and of their squares: sums are those of the value,
  /// high and low, and of the square.
  void (*add_spread)(const double* column, std::int64_t count, const ColumnScale& scale,
                     double limb, std::int64_t* sums);
  /// The limbs of weights[r] * (x - shift) of the wanted rows, at high + r * cols and low + r *
  /// cols; returns the rows that have a low limb other than 0. Weights may be null: all 1.
  std::uint64_t (*row_limbs_f32)(const float* const* rows, std::uint64_t wanted, std::int64_t cols,
                                 const double* weights, const double* shift, const double* scale,
                                 double limb, std::int64_t* high, std::int64_t* low);
  std::uint64_t (*row_limbs_f64)(const double* const* rows, std::uint64_t wanted, std::int64_t cols,
                                 const double* weights, const double* shift, const double* scale,
                                 double limb, std::int64_t* high, std::int64_t* low);
  /// Takes the limbs of the moved rows from the sums of cluster from[r], if not negative, and adds
  /// them to those of to[r].
  void (*move_rows)(std::uint64_t moved, const std::int32_t* from, const std::int32_t* to,
                    const std::int64_t* limbs, std::int64_t cols, std::int64_t* sums);
  /// After centroids have moved: widens each row's bounds by what its own and the other centroids
  /// may have come and gone, and returns how many rows may have a new label, and which.
  std::int64_t (*loosen_bounds)(const std::int32_t* labels, std::int64_t count, const float* moves,
                                const float* others_moves, float* upper, float* lower,
                                std::int32_t* unsettled);
  /// A tile's bounds from squared distances that are off by less than `relative` and 2^-100.
  void (*tighten_bounds)(const float* best, const float* second, float relative, float* upper,
                         float* lower);

  /// sums[r] += the distance of row r to each point, one point after the other.
  void (*add_distances)(const double* tile, std::int64_t cols, const double* points,
                        std::int64_t count, double* sums);
  /// Replaces values by their roots; aligned to 64 bytes, count a multiple of 8.
  void (*square_roots)(double* values, std::int64_t count);
  /// out[p * kTileRows + r] = the metric's distance of row r and point p, computed in float64 and
  /// rounded once. Under Cosine the rows and points have length 1.
  void (*distances_f32)(const double* tile, std::int64_t cols, const double* points,
                        std::int64_t count, Metric metric, float* out);
  void (*distances_f64)(const double* tile, std::int64_t cols, const double* points,
                        std::int64_t count, Metric metric, double* out);
  /// turned[r * kTileRows + p] = block[p * kTileRows + r], both kTileRows x kTileRows and aligned.
  void (*turn_f32)(const float* block, float* turned);
  void (*turn_f64)(const double* block, double* turned);
  /// Writes `count` rows of kTileRows values into rows that lie `stride` apart, around the caches
  /// where the set can. Each row is aligned to 64 bytes.
  void (*stream_block_f32)(const float* block, std::int64_t count, float* out, std::int64_t stride);
  void (*stream_block_f64)(const double* block, std::int64_t count, double* out,
                           std::int64_t stride);
  /// rows(r, j) = x(r, j) - shift[j], and sums[j] += their sum, for count rows that lie x_stride
  /// and stride apart.
  void (*shift_rows_f32)(const float* x, std::int64_t x_stride, std::int64_t count,
                         std::int64_t cols, const double* shift, double* rows, std::int64_t stride,
                         double* sums);
  void (*shift_rows_f64)(const double* x, std::int64_t x_stride, std::int64_t count,
                         std::int64_t cols, const double* shift, double* rows, std::int64_t stride,
                         double* sums);
  /// products(i, j) += sum over the rows of rows(r, i) * rows(r, j), for i in [first, last) and j
  /// from the start of i's pad on. Rows are aligned and lie stride apart; stride, cols, first and
  /// last are multiples of kColumnPad.
  void (*add_products)(const double* rows, std::int64_t count, std::int64_t stride,
                       std::int64_t cols, std::int64_t first, std::int64_t last, double* products);
  /// out[a * kTileRows + r] = sum over ascending columns of (row r - mean) times axis a; returns
  /// whether all of these are finite. Axes: count x cols.
  bool (*project)(const double* tile, const double* mean, std::int64_t cols, const double* axes,
                  std::int64_t count, double* out);

  /// Replaces what is missing (NaN) by 0; present: 0 there, else 1. Aligned, count a multiple of 8.
  void (*split_missing)(double* tile, std::int64_t count, double* present);
  /// From a tile split so: sums[r] = canonical squared distance of row r and a query over the
  /// columns that both have, shared[r] = their number. The query has the `count` columns cols[].
  void (*shared_distances)(const double* tile, const double* present, const std::int32_t* cols,
                           const double* query, std::int64_t count, double* sums, double* shared);
  /// The bits of the rows that have the column, whose sum is at most limit for each shared column.
  /// present: the column of the tile above. An infinite limit passes all that share a column.
  std::uint64_t (*maybe_donors)(const double* sums, const double* shared, const double* present,
                                double limit);

  /// Boxes lie as in a BlockTree, `low` and `high` are one member of a block, points are boxes of
  /// no extent. The bits of the block's boxes that have a point whose value (FilterForm) to one in
  /// the box from low to high may be at most `reach`; inside: those all of whose points have a
  /// value of at most `sure` to all.
  std::uint32_t (*boxes_within)(const float* low, const float* high, const float* block_low,
                                const float* block_high, std::int64_t cols, FilterForm form,
                                float sure, float reach, std::uint32_t* inside);
  /// The smallest and largest values that a point of each box of the block may have to one in the
  /// box from low to high. Aligned to 64 bytes.
  void (*box_bounds)(const float* low, const float* high, const float* block_low,
                     const float* block_high, std::int64_t cols, FilterForm form, float* nearest,
                     float* farthest);
  /// For each of the block of queries whose bit is set in wanted: near[q] = the bits of the block
  /// of points of a value of at most `sure`, unsure[q] = of those above it and at most `reach`.
  /// Returns the queries that have any unsure.
  std::uint32_t (*pairs_within)(const float* queries, const float* points, std::int64_t cols,
                                FilterForm form, std::uint32_t wanted, float sure, float reach,
                                std::uint32_t* near, std::uint32_t* unsure);
  /// For the same: values[q * kBlock + p] = the value of query q and point p, and below[q] = the
  /// bits of those of at most limits[q]. Returns the queries that have any below; the values of
  /// the others may be missing. values is aligned to 64 bytes.
  std::uint32_t (*pair_values)(const float* queries, const float* points, std::int64_t cols,
                               FilterForm form, std::uint32_t wanted, const float* limits,
                               std::uint32_t* below, float* values);
  /// The bits of the block of queries of which the box from low to high may have a point of a value
  /// of at most limits[q]. limits is aligned to 64 bytes.
  std::uint32_t (*queries_near_box)(const float* low, const float* high, const float* queries,
                                    std::int64_t cols, FilterForm form, const float* limits);
  /// Of values from 0 on, one that at least k are at most, and no more than `most` of them unless
  /// more are equal to it. Writes up to a vector of values behind them, which are aligned.
  float (*about_kth)(float* values, std::int64_t count, std::int64_t k, std::int64_t most);
};

/// The widest set that this processor has, or the one that COTERIE_SIMD names. Throws
/// std::invalid_argument when COTERIE_SIMD names none, or one that this processor lacks.
const Leaves& leaves();

}  // namespace coterie::cpu
