#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "core/contract/kmeans.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// What turns weighted rows into limbs, the same for a whole pass.
struct RowScale {
  explicit RowScale(const Frame& of)
      : frame(of), limb(std::ldexp(1.0, of.bits)), one(of_weight(1)) {}

  FixedSum of_weight(double weight) const {
    FixedSum limbs;
    to_limbs(weight, frame.weight_scale, limb, &limbs.high, &limbs.low);
    return limbs;
  }
  const Frame& frame;
  double limb;
  FixedSum one;  // of a row without a weight
};

/// The limbs of a tile's rows, made for the first model that needs a row and kept for the others.
template <class T>
class TileLimbs {
 public:
  /// Starts with the next tile.
  void begin() { known_ = with_low_ = 0; }

  /// Moves rows, given by their bits, from the sums of their old label, if they had one, to those
  /// of their new one. Weights are the tile's; null: all 1.
  void move(const RowScale& scale, const T* const* rows, const double* weights, std::int64_t cols,
            std::uint64_t moved, const std::int32_t* from, const std::int32_t* to,
            LloydSums& sums) {
    std::int64_t* high = high_.resize(cols * kTileRows);
    std::int64_t* low = low_.resize(cols * kTileRows);
    const std::uint64_t wanted = moved & ~known_;
    with_low_ |= limbs(rows, wanted, cols, weights, scale, high, low);
    known_ |= wanted;
    leaves().move_rows(moved, from, to, high, cols, sums.high.data());
    // Rare for float32: it takes a value a million times smaller than its column's range.
    leaves().move_rows(moved & with_low_, from, to, low, cols, sums.low.data());
    for (std::uint64_t rest = moved; rest != 0; rest &= rest - 1) {
      const int r = std::countr_zero(rest);
      const FixedSum weight = weights == nullptr ? scale.one : scale.of_weight(weights[r]);
      sums.weight[static_cast<std::size_t>(to[r])] += weight;
      if (from[r] < 0) continue;
      sums.weight[static_cast<std::size_t>(from[r])] += {-weight.high, -weight.low};
    }
  }

 private:
  static std::uint64_t limbs(const T* const* rows, std::uint64_t wanted, std::int64_t cols,
                             const double* weights, const RowScale& scale, std::int64_t* high,
                             std::int64_t* low) {
    const double* shift = scale.frame.shift.data();
    const double* factor = scale.frame.scale.data();
    if constexpr (std::is_same_v<T, double>) {
      return leaves().row_limbs_f64(rows, wanted, cols, weights, shift, factor, scale.limb, high,
                                    low);
    } else {
      return leaves().row_limbs_f32(rows, wanted, cols, weights, shift, factor, scale.limb, high,
                                    low);
    }
  }

  std::uint64_t known_ = 0;     // rows whose limbs are there
  std::uint64_t with_low_ = 0;  // those of them with a low limb other than 0
  AlignedBuffer<std::int64_t> high_, low_;
};

}  // namespace coterie::cpu
