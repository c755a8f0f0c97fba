#pragma once

#include <cstdint>

namespace coterie::cpu {

/// Rows of one tile. A tile is stored column by column, so that a vector's lanes are rows and each
/// lane adds its columns in ascending order: the canonical order, whatever the vector's width.
inline constexpr std::int64_t kTileRows = 64;

/// Columns to which rows are padded where lanes are columns: a multiple of every vector's lanes.
inline constexpr std::int64_t kColumnPad = 8;

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
  /// The nearest point of each row, canonically, ties to the lowest.
  void (*nearest_f64)(const double* tile, std::int64_t cols, const double* points,
                      std::int64_t count, std::int32_t* nearest);
  /// The nearest point of each row in float32 and the two smallest squared distances; the second is
  /// infinite for a single point.
  void (*nearest_f32)(const float* tile, std::int64_t cols, const float* points, std::int64_t count,
                      std::int32_t* nearest, float* best, float* second);

  /// out[r] = canonical squared distance of row r of one tile and row r of the other.
  void (*tile_distances)(const double* a, const double* b, std::int64_t cols, double* out);

  /// nearest[r] = min(nearest[r], distances[r]); returns the largest weights[r] * nearest[r].
  /// Weights may be null: all 1.
  double (*fold_nearest)(const double* distances, const double* weights, std::int64_t count,
                         double* nearest);
  /// Sum of weights[r] * min(nearest[r], distances[r]) * scale, each rounded to an integer.
  std::int64_t (*potential)(const double* nearest, const double* distances, const double* weights,
                            std::int64_t count, double scale);

  /// Adds the limbs of values[0] to values[count - 1].
  void (*add_limbs)(const double* values, std::int64_t count, double scale, double limb,
                    std::int64_t* high, std::int64_t* low);
  /// Adds (sign = 1) or takes away (sign = -1) the limbs of weight * (x - shift) in every column.
  void (*add_row_f32)(const float* x, std::int64_t cols, double weight, const double* shift,
                      const double* scale, double limb, std::int64_t sign, std::int64_t* high,
                      std::int64_t* low);
  void (*add_row_f64)(const double* x, std::int64_t cols, double weight, const double* shift,
                      const double* scale, double limb, std::int64_t sign, std::int64_t* high,
                      std::int64_t* low);

  /// sums[r] += the distance of row r to each point, one point after the other.
  void (*add_distances)(const double* tile, std::int64_t cols, const double* points,
                        std::int64_t count, double* sums);
  /// Replaces values by their roots; aligned to 64 bytes, count a multiple of 8.
  void (*square_roots)(double* values, std::int64_t count);
  /// products(i, j) += sum over the rows of rows(r, i) * rows(r, j), for i in [first, last) and j
  /// from the start of i's pad on. Rows are aligned and lie stride apart; stride, cols, first and
  /// last are multiples of kColumnPad.
  void (*add_products)(const double* rows, std::int64_t count, std::int64_t stride,
                       std::int64_t cols, std::int64_t first, std::int64_t last, double* products);
  /// out[a * kTileRows + r] = sum over ascending columns of row r times axis a. Axes: count x cols.
  void (*project)(const double* tile, std::int64_t cols, const double* axes, std::int64_t count,
                  double* out);
};

/// The widest set that this processor has, or the one that COTERIE_SIMD names. Throws
/// std::invalid_argument when COTERIE_SIMD names none, or one that this processor lacks.
const Leaves& leaves();

}  // namespace coterie::cpu
