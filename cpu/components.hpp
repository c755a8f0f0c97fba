#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/contract/block_tree.hpp"
#include "core/contract/union_find.hpp"
#include "cpu/block_visit.hpp"
#include "cpu/leaf_loop.hpp"
#include "cpu/pair_test.hpp"

namespace coterie::cpu {

/// The parents of a union-find that threads share.
class SharedParents {
 public:
  explicit SharedParents(std::int64_t count) : parents_(static_cast<std::size_t>(count)) {
    for (std::size_t i = 0; i < parents_.size(); ++i) parents_[i] = static_cast<std::int32_t>(i);
  }
  std::int32_t load(std::int32_t i) { return at(i).load(std::memory_order_relaxed); }
  void store(std::int32_t i, std::int32_t parent) {
    at(i).store(parent, std::memory_order_relaxed);
  }
  std::int32_t exchange(std::int32_t i, std::int32_t expected, std::int32_t parent) {
    at(i).compare_exchange_strong(expected, parent, std::memory_order_relaxed);
    return expected;
  }

 private:
  std::atomic_ref<std::int32_t> at(std::int32_t i) {
    return std::atomic_ref<std::int32_t>(parents_[static_cast<std::size_t>(i)]);
  }
  std::vector<std::int32_t> parents_;
};

/// One value for each box of each level; none for the points themselves.
template <class V>
std::vector<std::vector<V>> for_boxes(const BlockTree& tree, V value) {
  std::vector<std::vector<V>> values(1);
  for (int level = 1; level <= tree.levels; ++level) {
    values.emplace_back(static_cast<std::size_t>(tree.boxes(level)), value);
  }
  return values;
}

/// Makes components of the points of a tree: places in its order.
template <class T>
class Components {
 public:
  Components(const BlockTree& tree, const PairTest<T>& test)
      : tree_(tree), test_(test), parents_(tree.rows), one_(for_boxes<std::uint8_t>(tree, 0)) {}

  /// Unites within leaves, then within the blocks of each level. By then what is dense is one
  /// component already, which one look at a box tells.
  void unite_all(const Context& ctx) {
    LeafProgress progress{"connecting core rows", (tree_.levels + 1) * tree_.leaves};
    for_each_leaf(tree_, ctx, &progress, [&](std::int64_t leaf) { unite_within(leaf); });
    for (int level = 1; level <= tree_.levels; ++level) {
      mark_boxes(level);
      for_each_leaf(tree_, ctx, &progress, [&](std::int64_t leaf) { unite_beside(leaf, level); });
      mark_leaves(ctx);
    }
    mark_boxes(tree_.levels);
  }

  std::int32_t root(std::int64_t place) {
    return find_root(parents_, static_cast<std::int32_t>(place));
  }
  /// Whether a box is known to lie in one component.
  bool is_one(int level, std::int64_t box) {
    return mark(level, box).load(std::memory_order_relaxed) != 0;
  }

 private:
  std::atomic_ref<std::uint8_t> mark(int level, std::int64_t box) {
    return std::atomic_ref<std::uint8_t>(
        one_[static_cast<std::size_t>(level)][static_cast<std::size_t>(box)]);
  }
  void set_one(int level, std::int64_t box) {
    mark(level, box).store(1, std::memory_order_relaxed);
  }
  void unite_places(std::int64_t a, std::int64_t b) {
    unite(parents_, static_cast<std::int32_t>(a), static_cast<std::int32_t>(b));
  }
  /// Makes a box one component.
  void unite_box(int level, std::int64_t box) {
    if (is_one(level, box)) return;
    const std::int64_t first = first_in(level, box), count = count_in(tree_, level, box);
    for (std::int64_t i = 1; i < count; ++i) unite_places(first, first + i);
    set_one(level, box);
  }

  void unite_within(std::int64_t leaf) {
    const std::uint32_t members = members_of(tree_, leaf);
    const std::int64_t first = leaf * kBlock;
    const Search search = test_.search(tree_, leaf);
    std::uint32_t all = 0;
    const std::uint32_t queries = test_.queries_near(search, tree_.leaf(leaf), tree_, leaf, &all);
    if ((members & all) != 0) return unite_box(1, leaf);  // one is near all
    PairBits bits;
    test_.decide(search, tree_, leaf, tree_, leaf, members & queries, bits);
    for (std::uint32_t rest = members; rest != 0;) {
      const std::uint32_t group = reached(rest & (~rest + 1), bits);
      const int root = std::countr_zero(group);
      // Nobody else looks at this leaf yet.
      for_each_bit(group, [&](int p) {
        parents_.store(static_cast<std::int32_t>(first + p),
                       static_cast<std::int32_t>(first + root));
      });
      if (group == members) set_one(1, leaf);
      rest &= ~group;
    }
  }

  /// All that steps to near points reach from a group.
  static std::uint32_t reached(std::uint32_t group, const PairBits& bits) {
    for (std::uint32_t edge = group; edge != 0;) {
      std::uint32_t next = 0;
      for_each_bit(edge, [&](int p) { next |= bits.near[p]; });
      edge = next & ~group;
      group |= next;
    }
    return group;
  }

  void unite_beside(std::int64_t leaf, int level) {
    const std::int64_t first = leaf * kBlock;
    const auto take = [&](int box_level, std::int64_t box, bool inside) {
      const std::int64_t other = first_in(box_level, box);
      const bool both = is_one(1, leaf) && is_one(box_level, box);
      if (both && root(first) == root(other)) return true;
      if (!inside) return false;
      unite_box(1, leaf);  // through any point of the box
      unite_box(box_level, box);
      unite_places(first, other);
      return true;
    };
    const Search search = test_.search(tree_, leaf);
    visit_beside(tree_, leaf, level, true, search, take,
                 [&](std::int64_t other) { unite_leaves(search, leaf, other); });
  }

  void unite_leaves(const Search& search, std::int64_t leaf, std::int64_t other) {
    std::uint32_t all = 0;
    const std::uint32_t queries =
        members_of(tree_, leaf) & test_.queries_near(search, tree_.leaf(leaf), tree_, other, &all);
    if (queries == 0) return;
    PairBits bits;
    test_.decide(search, tree_, leaf, tree_, other, queries, bits);
    const std::int64_t first = leaf * kBlock, others = other * kBlock;
    const bool single = is_one(1, other);
    for_each_bit(queries, [&](int q) {
      if (single && bits.near[q] != 0) return unite_places(first + q, others);
      for_each_bit(bits.near[q], [&](int p) { unite_places(first + q, others + p); });
    });
  }

  void mark_leaves(const Context& ctx) {
    for_each_leaf(tree_, ctx, [&](std::int64_t leaf) {
      if (is_one(1, leaf)) return;
      const std::int64_t first = first_in(1, leaf), count = count_in(tree_, 1, leaf);
      bool one = true;
      for (std::int64_t i = 1; i < count && one; ++i) one = root(first + i) == root(first);
      if (one) set_one(1, leaf);
    });
  }

  /// Boxes all of whose members are one component, up to a level.
  void mark_boxes(int most) {
    for (int level = 2; level <= most; ++level) {
      const std::int64_t members = tree_.boxes(level - 1);
      for (std::int64_t box = 0; box < tree_.boxes(level); ++box) {
        const std::int64_t first = box * kBlock;
        const std::int32_t own = root(first_in(level, box));
        bool one = true;
        for (std::int64_t i = first; i < std::min(first + kBlock, members) && one; ++i) {
          one = is_one(level - 1, i) && root(first_in(level - 1, i)) == own;
        }
        if (one) set_one(level, box);
      }
    }
  }

  const BlockTree& tree_;
  const PairTest<T>& test_;
  SharedParents parents_;
  std::vector<std::vector<std::uint8_t>> one_;
};

}  // namespace coterie::cpu
