#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "core/contract/distance.hpp"
#include "coterie/matrix.hpp"
#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {

/// For every row of a slot an upper bound of the distance to its own centroid and a lower bound of
/// that to any other, in the filter's scale (Hamerly, "Making k-means even faster", SDM 2010).
/// Where they do not meet, the label stands without a look at the row. Every step rounds outwards,
/// so the labels are those of a full pass.
class Bounds {
 public:
  /// Before a pass: bounds of all rows, from which nothing follows until the rows were looked at,
  /// or what `centroids` have moved since the last pass.
  void follow(MatrixView<const float> centroids, std::int64_t rows, double scale) {
    const auto clusters = static_cast<std::size_t>(centroids.rows);
    fresh_ = !ready();
    if (fresh_) {
      upper_.assign(static_cast<std::size_t>(rows), std::numeric_limits<float>::infinity());
      lower_.assign(static_cast<std::size_t>(rows), 0);
    }
    moves_.assign(clusters, 0);
    for (std::size_t c = 0; c < clusters && !last_.empty(); ++c) {
      const auto row = static_cast<std::int64_t>(c);
      const double squared =
          squared_distance(last_.data() + row * centroids.cols, centroids.row(row), centroids.cols);
      if (squared > 0) moves_[c] = static_cast<float>(std::sqrt(squared) * scale) * kUp + kLeast;
    }
    last_.clear();
    for (std::int64_t c = 0; c < centroids.rows; ++c) {
      last_.insert(last_.end(), centroids.row(c), centroids.row(c) + centroids.cols);
    }
    find_others_moves();
  }
  void forget() {
    upper_.clear();
    last_.clear();
  }
  bool ready() const { return !upper_.empty(); }
  /// Whether nothing follows from them yet.
  bool fresh() const { return fresh_; }

  /// Which of `count` rows from `first` on, whose labels are given, may have a new one.
  std::int64_t unsettled(std::int64_t first, std::int64_t count, const std::int32_t* labels,
                         std::int32_t* rows) {
    if (fresh_) {
      std::iota(rows, rows + count, 0);
      return count;
    }
    return leaves().loosen_bounds(labels, count, moves_.data(), others_moves_.data(),
                                  upper_.data() + first, lower_.data() + first, rows);
  }
  void set(std::int64_t row, float upper, float lower) {
    upper_[static_cast<std::size_t>(row)] = upper;
    lower_[static_cast<std::size_t>(row)] = lower;
  }

 private:
  static constexpr float kUp = 1 + 0x1p-20f;
  static constexpr float kLeast = 0x1p-100f;

  /// The longest way of any centroid but each.
  void find_others_moves() {
    const auto longest = std::max_element(moves_.begin(), moves_.end());
    float second = 0;
    for (auto move = moves_.begin(); move != moves_.end(); ++move) {
      if (move != longest) second = std::max(second, *move);
    }
    others_moves_.assign(moves_.size(), *longest);
    others_moves_[static_cast<std::size_t>(longest - moves_.begin())] = second;
  }

  bool fresh_ = false;                       // no row has been looked at
  std::vector<float> upper_, lower_;         // of each row
  std::vector<float> last_;                  // the last pass's centroids
  std::vector<float> moves_, others_moves_;  // of each centroid
};

}  // namespace coterie::cpu
