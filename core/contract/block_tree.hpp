#pragma once

#include <cstdint>

#include "core/contract/host_device.hpp"

namespace coterie {

/// Points of a leaf, and children of a node: a warp of the GPU, two vectors of AVX-512.
inline constexpr int kBlock = 32;

/// Rows put into blocks of kBlock that lie close together, and boxes around blocks of blocks.
/// Every block has one form: column j of member r is values[(block * cols + j) * kBlock + r].
/// Level 0 are the points. Level i + 1 has one box for each block of level i, in the same order,
/// and again kBlock of them to a block; the last level has one block. What a block lacks to be full
/// are points of NaN and boxes from infinity to minus infinity, which nothing is near to.
///
/// Points are what the float32 filter sees: the rows scaled (and, where PairFilter says so,
/// shifted, normalised or put on the unit sphere). Decisions that it leaves open are taken on rows.
struct BlockTree {
  static constexpr int kMostLevels = 7;  // 32^7 > 2^31 rows

  std::int64_t rows = 0;
  std::int64_t cols = 0;                // of the points
  std::int64_t leaves = 0;              // blocks of points
  int levels = 0;                       // of boxes
  const float* points = nullptr;        // leaves * cols * kBlock
  const std::int32_t* order = nullptr;  // row of each point; leaves * kBlock, -1 where missing
  const float* low[kMostLevels] = {};   // of the boxes of level i + 1
  const float* high[kMostLevels] = {};
  const std::int32_t* first[kMostLevels] = {};  // smallest row in each box

  COTERIE_HD const float* leaf(std::int64_t block) const { return points + block * cols * kBlock; }
  /// The corners of a box of a level from 1 on: column j lies j * kBlock further.
  COTERIE_HD const float* low_of(int level, std::int64_t box) const {
    return low[level - 1] + box / kBlock * cols * kBlock + box % kBlock;
  }
  COTERIE_HD const float* high_of(int level, std::int64_t box) const {
    return high[level - 1] + box / kBlock * cols * kBlock + box % kBlock;
  }
  /// Boxes of a level from 1 on.
  COTERIE_HD std::int64_t boxes(int level) const {
    std::int64_t count = leaves;
    for (int i = 1; i < level; ++i) count = (count + kBlock - 1) / kBlock;
    return count;
  }
};

/// What is computed of two points in float32, columns ascending: the sum of the squared
/// differences, the sum of the absolute ones or the largest one; each difference is rounded, and
/// each step once (a square and its addition perhaps together). Since roundings are monotone, the
/// same value of a point and the nearest corner of a box is at most that of any point in the box.
enum class FilterForm { Squares, Sum, Largest };

}  // namespace coterie
