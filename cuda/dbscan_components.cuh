#pragma once

#include "cuda/block_tree.cuh"
#include "cuda/dbscan_parents.cuh"

namespace coterie::cuda {

/// The least and the largest root of the rows in each box of a tree, by level.
struct BoxRoots {
  std::int32_t* low[BlockTree::kMostLevels];
  std::int32_t* high[BlockTree::kMostLevels];
};

/// The components of the rows of a tree, each alone at first. The tree outlives it.
class Components {
 public:
  Components(const BlockTree& tree, std::int64_t rows, cudaStream_t stream);

  Parents parents() const { return {parents_.data()}; }
  const BoxRoots& roots() const { return roots_; }

  /// Makes rows point at their roots, and finds those of the boxes.
  void look_up();

 private:
  const BlockTree& tree_;
  Buffer<std::int32_t> parents_;
  Buffer<std::int32_t> low_[BlockTree::kMostLevels], high_[BlockTree::kMostLevels];
  BoxRoots roots_ = {};
  cudaStream_t stream_;
};

}  // namespace coterie::cuda
