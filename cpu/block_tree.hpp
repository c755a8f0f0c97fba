#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/contract/block_tree.hpp"
#include "core/contract/kmeans.hpp"
#include "core/contract/pair_filter.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// All rows, near ones together and equal ones ascending: along a Morton curve for up to three
/// columns, else by median splits. Ranges are those of x.
template <class T>
std::vector<std::int32_t> spatial_order(MatrixView<const T> x, const PairFilter& filter,
                                        const ColumnRange& range, const Context& ctx);

/// A BlockTree and its memory.
class OwnedTree {
 public:
  OwnedTree() = default;
  /// The points of some rows of x, in that order.
  template <class T>
  OwnedTree(MatrixView<const T> x, const PairFilter& filter, std::vector<std::int32_t> order,
            const Context& ctx);

  const BlockTree& view() const { return view_; }
  /// The rows, and no tree any more.
  std::vector<std::int32_t> release();

 private:
  void enclose_leaves(const Context& ctx);
  void enclose_boxes();
  void lay_out_boxes();

  BlockTree view_;
  std::vector<std::int32_t> order_;
  AlignedBuffer<float> points_, boxes_;
  std::vector<std::int32_t> first_;
  // Where the view's boxes are written.
  float* low_[BlockTree::kMostLevels] = {};
  float* high_[BlockTree::kMostLevels] = {};
  std::int32_t* first_of_[BlockTree::kMostLevels] = {};
};

}  // namespace coterie::cpu
