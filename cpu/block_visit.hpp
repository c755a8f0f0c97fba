#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/contract/block_tree.hpp"
#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {

/// Calls use(bit) for each set bit, lowest first.
template <class Use>
inline void for_each_bit(std::uint32_t bits, const Use& use) {
  for (; bits != 0; bits &= bits - 1) use(std::countr_zero(bits));
}

inline constexpr std::uint32_t kAllMembers = ~std::uint32_t{0};

/// The members of a leaf that are points.
inline std::uint32_t members_of(const BlockTree& tree, std::int64_t leaf) {
  const std::int64_t count = tree.rows - leaf * kBlock;
  return count >= kBlock ? kAllMembers : (std::uint32_t{1} << count) - 1;
}
/// The places in the tree's order that a box of a level from 0 on holds.
inline std::int64_t first_in(int level, std::int64_t box) { return box << (5 * level); }
inline std::int64_t count_in(const BlockTree& tree, int level, std::int64_t box) {
  static_assert(kBlock == 1 << 5);
  return std::min(first_in(level, box + 1), tree.rows) - first_in(level, box);
}

/// The largest magnitude of a leaf's points.
inline double largest_in(const BlockTree& tree, std::int64_t leaf) {
  const float* low = tree.low_of(1, leaf);
  const float* high = tree.high_of(1, leaf);
  float largest = 0;
  for (std::int64_t j = 0; j < tree.cols * kBlock; j += kBlock) {
    largest = std::max({largest, -low[j], high[j]});
  }
  return static_cast<double>(largest);
}

/// A box, its columns kBlock apart (a box of a tree, or a point), and how near points must come.
struct Search {
  const float* low;
  const float* high;
  FilterForm form;
  float sure;
  float reach;
};

/// Walks the boxes of a block of a level from 1 on, those whose bits are set in `among`, that may
/// have points within reach of the search's box. take(level, box, inside) says whether it has done
/// all there is to do in a box; inside: all its points are surely near all of the search's box.
/// What it leaves is walked down to the leaves: use_leaf(leaf).
template <class Take, class UseLeaf>
void visit_block(const BlockTree& tree, int level, std::int64_t block, std::uint32_t among,
                 const Search& search, const Take& take, const UseLeaf& use_leaf) {
  std::uint32_t inside = 0;
  const std::int64_t first = block * kBlock;
  const std::uint32_t within =
      among & leaves().boxes_within(search.low, search.high, tree.low_of(level, first),
                                    tree.high_of(level, first), tree.cols, search.form, search.sure,
                                    search.reach, &inside);
  for_each_bit(within, [&](int child) {
    const std::int64_t box = first + child;
    if (take(level, box, (inside >> child & 1) != 0)) return;
    if (level == 1) {
      use_leaf(box);
    } else {
      visit_block(tree, level - 1, box, kAllMembers, search, take, use_leaf);
    }
  });
}

/// The whole tree.
template <class Take, class UseLeaf>
void visit_tree(const BlockTree& tree, const Search& search, const Take& take,
                const UseLeaf& use_leaf) {
  if (tree.levels > 0) visit_block(tree, tree.levels, 0, kAllMembers, search, take, use_leaf);
}

/// The part of the tree that shares a block of a level with a leaf, but no block of the level
/// below: after the leaf, or on both sides. Going up the levels, near leaves come early.
template <class Take, class UseLeaf>
void visit_beside(const BlockTree& tree, std::int64_t leaf, int level, bool only_after,
                  const Search& search, const Take& take, const UseLeaf& use_leaf) {
  const std::int64_t box = leaf >> (5 * (level - 1));
  const std::uint32_t own = std::uint32_t{1} << (box % kBlock);
  const std::uint32_t after = ~(own | (own - 1));
  visit_block(tree, level, box / kBlock, only_after ? after : ~own, search, take, use_leaf);
}

}  // namespace coterie::cpu
