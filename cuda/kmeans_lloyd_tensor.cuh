#pragma once

#include "cuda/kmeans_lloyd.cuh"

// Labels by tensor cores, for float32 rows with many columns or many centroids. Rows and centroids
// are scaled by a power of two and moved by a point amid the centroids, so that little cancels in
// |c|^2 - 2 x c; a proven bound says which rows that settles.

namespace coterie::cuda {

inline constexpr int kTilePoints = 64;    // centroids that a warp compares its rows with at a time
inline constexpr int kChunkCols = 16;     // columns added up before they join a row's sum
inline constexpr int kWarpRows = 32;      // rows of a warp
inline constexpr int kSplitProducts = 3;  // operands in two parts; else 1: rounded once

inline constexpr double kFloat32Unit = 0x1p-24;

/// Bounds the error of a computed product x c, as a multiple of |x| |c|, where x and c are rows and
/// centroids after exact scaling and moving.
/// Operands: moving rounds each number by 2^-24. One product rounds both to 11 bits, by 2^-11 each:
/// with the moves less than 2^-10 + 2^-21 of |x_j c_j|. Three products, x c ~ xh ch + xh cl + xl ch
/// where l = the rest, rounded to 11 bits: they lack xl cl and what the rest's rounding left, 2^-22
/// each, with the moves less than 4 * 2^-22. Summed over j, Cauchy and Schwarz give |x| |c|.
/// Sums: a product of two operands is exact. Tensor cores add eight of them and the sum so far in
/// an order of their own, each step cut off: at most as two steps of four, in which five numbers
/// and the result each lose less than 2^-23 of the sum of magnitudes, 12 * 2^-23 of it for eight
/// columns. A chunk has 16, and its small products come first, while the sum is small: 25 * 2^-23.
/// A row's sum takes in cols / 16 chunks, each rounded: 2^-24 of the magnitudes so far.
/// The last factor is for products of errors, as long as there are fewer than 2^19 columns.
COTERIE_HD inline double product_error(std::int64_t padded_cols, int products) {
  const double operands = products == kSplitProducts ? 0x1p-20 : 0x1p-10 + 0x1p-21;
  const double chunks = static_cast<double>(padded_cols / kChunkCols);
  return (operands + 25 * 0x1p-23 + chunks * kFloat32Unit) * (1 + 0x1p-7);
}

/// What turns a product into a lower bound of |c|^2 - 2 x c.
struct alignas(8) PointBound {
  float norm;   // |c|^2, lowered
  float slope;  // times the row's length: by how much the product may be wrong
};

/// `square` is |c|^2 within 2^-25. Out of range the norm is -infinity: such a centroid is the best
/// of every row, which is_certain() then refuses.
COTERIE_HD inline PointBound point_bound(double square, double error) {
  if (!(square < 0x1p40)) return {-HUGE_VALF, 0};
  return {static_cast<float>(square * (1 - 8 * kFloat32Unit)),
          static_cast<float>(2 * (error + 4 * kFloat32Unit) * (1 + 0x1p-8) * sqrt(square))};
}

/// A lower bound of s = |c|^2 - 2 x c, which is smaller by at most 2 w - 2^-22 |c|^2, where
/// w = 2^-21 |c|^2 + slope * length. Three roundings stand between: of the norm, and of either
/// line here, of magnitudes up to |c|^2 + 2 |x| |c|. They and the product's error are less than
/// 2^-22 |c|^2 + slope * length; the first is half of what the norm was lowered by.
COTERIE_HD inline float lower_bound_of(const PointBound& point, float length, float product) {
  const float base = fmaf(-point.slope, length, point.norm);
  return fmaf(-2, product, base);
}

/// Whether the point with the lowest bound is the canonically nearest, `second` being the next
/// lowest. Its own s is at most best + 2 w - 2^-22 |c|^2 and every other is at least `second`. The
/// distances s + |x|^2 then differ by more than 2^-22 |c|^2 + 2 `canonical` |x|^2, which is more
/// than float64 rounds off both: (cols + 2) 2^-53 of each, and the nearer is at most 2 |x|^2 + 2
/// |c|^2. `canonical` is (cols + 8) 2^-51. Lengths below 2^20 keep all sums finite, and what
/// underflows is less than (cols + 8) 2^-101 then, half of `floor`. NaN fails.
COTERIE_HD inline bool is_certain(float best, float second, const PointBound& nearest, float length,
                                  float canonical, float floor) {
  const float width =
      2 * (9 * static_cast<float>(kFloat32Unit) * nearest.norm + nearest.slope * length);
  return best > -HUGE_VALF && length < 0x1p20f &&
         second - best > width + 2 * canonical * (length * length) + floor;
}

/// Which rows are done, and where the others are noted.
class TensorLloyd {
 public:
  explicit TensorLloyd(cudaStream_t stream) : stream_(stream) {}

  /// Whether the device has such tensor cores and memory enough for rows that long.
  static bool takes(std::int64_t cols);

  /// A point amid the centroids, scaled: the median of some of them in each column, so that a few
  /// far ones do not matter. Any point gives the same labels; from far away more rows are
  /// rechecked.
  static std::vector<float> center_of(MatrixView<const float> centroids, float scale);

  /// Labels the rows that it can and moves them between the sums. Returns the rows left, in device
  /// memory: as many as the task's sums then count as rechecked. `center` is in device memory.
  const std::int64_t* run(const DeviceRows<float>& x, const DeviceFrame& frame,
                          const DeviceTask<float>& task, const float* center,
                          float magnitude_scale);

  /// How many products the next pass takes.
  int products() const { return products_; }
  /// Takes three products or one for the next pass, after `left` of the rows were left by one that
  /// took `products`. One costs a third, but its bound is some 256 times as wide, and so is the
  /// share of the rows left, each of which costs many times more.
  void adapt(int products, std::int64_t rows, std::int64_t left);

 private:
  cudaStream_t stream_;
  int products_ = kSplitProducts;
  Buffer<float> tiles_;        // centroids, moved and scaled, as the kernel reads them
  Buffer<PointBound> bounds_;  // of each
  Buffer<std::int64_t> open_;  // the rows left
};

}  // namespace coterie::cuda
