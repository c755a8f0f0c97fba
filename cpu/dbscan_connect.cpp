#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "cpu/components.hpp"
#include "cpu/leaf_loop.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/pair_test.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();

/// The smallest row of each core row's component, and the smallest of those in each box.
class Labels {
 public:
  template <class T>
  Labels(const BlockTree& tree, Components<T>& components, const Context& ctx)
      : labels_(static_cast<std::size_t>(tree.rows)), least_(for_boxes<std::int32_t>(tree, kNone)) {
    std::vector<std::int32_t> smallest(labels_.size(), kNone);
    for_each_leaf(tree, ctx, [&](std::int64_t leaf) {
      for_members(tree, leaf, [&](std::size_t place) {
        const auto root =
            static_cast<std::size_t>(components.root(static_cast<std::int64_t>(place)));
        lower(smallest[root], tree.order[place]);
      });
    });
    for_each_leaf(tree, ctx, [&](std::int64_t leaf) {
      std::int32_t& least = least_[1][static_cast<std::size_t>(leaf)];
      for_members(tree, leaf, [&](std::size_t place) {
        const auto root =
            static_cast<std::size_t>(components.root(static_cast<std::int64_t>(place)));
        labels_[place] = smallest[root];
        least = std::min(least, labels_[place]);
      });
    });
    for (std::size_t level = 2; level < least_.size(); ++level) {
      const std::vector<std::int32_t>& members = least_[level - 1];
      for (std::size_t i = 0; i < members.size(); ++i) {
        std::int32_t& least = least_[level][i / kBlock];
        least = std::min(least, members[i]);
      }
    }
  }

  std::int32_t of(std::int64_t place) const { return labels_[static_cast<std::size_t>(place)]; }
  std::int32_t least(int level, std::int64_t box) const {
    return least_[static_cast<std::size_t>(level)][static_cast<std::size_t>(box)];
  }

 private:
  template <class Use>
  static void for_members(const BlockTree& tree, std::int64_t leaf, const Use& use) {
    const std::int64_t end = std::min((leaf + 1) * kBlock, tree.rows);
    for (std::int64_t i = leaf * kBlock; i < end; ++i) use(static_cast<std::size_t>(i));
  }
  static void lower(std::int32_t& target, std::int32_t row) {
    const std::atomic_ref<std::int32_t> smallest(target);
    std::int32_t seen = smallest.load(std::memory_order_relaxed);
    while (row < seen && !smallest.compare_exchange_weak(seen, row, std::memory_order_relaxed)) {
    }
  }

  std::vector<std::int32_t> labels_;  // of each place in the tree's order
  std::vector<std::vector<std::int32_t>> least_;
};

/// The smallest label that each row of a leaf of another tree reaches.
template <class T>
class Border {
 public:
  Border(const BlockTree& rows, std::int64_t leaf, const BlockTree& core, const Labels& labels,
         const PairTest<T>& test)
      : rows_(rows),
        leaf_(leaf),
        core_(core),
        labels_(labels),
        test_(test),
        search_(test.search(rows, leaf)) {
    std::fill_n(best_, kBlock, kNone);
  }

  void find(std::span<std::int32_t> roots) {
    const auto take = [&](int level, std::int64_t box, bool inside) {
      const std::int32_t least = labels_.least(level, box);
      const std::uint32_t open = above(least);
      if (inside) for_each_bit(open, [&](int q) { best_[q] = least; });
      return inside || open == 0;
    };
    visit_tree(core_, search_, take, [&](std::int64_t other) { look(other); });
    for_each_bit(members_of(rows_, leaf_), [&](int q) {
      roots[static_cast<std::size_t>(rows_.order[leaf_ * kBlock + q])] =
          best_[q] == kNone ? -1 : best_[q];
    });
  }

 private:
  /// The queries to which a label would be news.
  std::uint32_t above(std::int32_t label) const {
    std::uint32_t queries = 0;
    for (int q = 0; q < kBlock; ++q) {
      queries |= static_cast<std::uint32_t>(label < best_[q]) << q;
    }
    return queries & members_of(rows_, leaf_);
  }

  void look(std::int64_t other) {
    const std::int32_t least = labels_.least(1, other);
    const float* points = rows_.leaf(leaf_);
    std::uint32_t all = 0;
    const std::uint32_t queries =
        above(least) & test_.queries_near(search_, points, core_, other, &all);
    for_each_bit(queries & all, [&](int q) { best_[q] = least; });
    if ((queries & ~all) == 0) return;
    PairBits bits;
    test_.decide(search_, rows_, leaf_, core_, other, queries & ~all, bits);
    for_each_bit(queries & ~all, [&](int q) {
      for_each_bit(bits.near[q],
                   [&](int p) { best_[q] = std::min(best_[q], labels_.of(other * kBlock + p)); });
    });
  }

  const BlockTree& rows_;
  std::int64_t leaf_;
  const BlockTree& core_;
  const Labels& labels_;
  const PairTest<T>& test_;
  Search search_;
  std::int32_t best_[kBlock];
};

/// The rows whose flag is as wanted, in the order given.
std::vector<std::int32_t> chosen(std::span<const std::int32_t> order,
                                 std::span<const std::uint8_t> core, bool wanted) {
  std::vector<std::int32_t> rows;
  const auto counted = [&](std::int32_t row) {
    return (core[static_cast<std::size_t>(row)] != 0) == wanted;
  };
  rows.reserve(static_cast<std::size_t>(std::count_if(order.begin(), order.end(), counted)));
  std::copy_if(order.begin(), order.end(), std::back_inserter(rows), counted);
  return rows;
}

}  // namespace

template <class T>
void CpuNeighborPasses<T>::connect(double key, std::span<const std::uint8_t> core,
                                   std::span<std::int32_t> roots, const Context& ctx) {
  // The two trees take the place of the one for all rows.
  if (order_.empty()) order_ = tree_.release();
  const PairTest<T> test(x_, filter_, key);
  const OwnedTree core_tree(x_, filter_, chosen(order_, core, true), ctx);
  const BlockTree& cores = core_tree.view();
  Components<T> components(cores, test);
  components.unite_all(ctx);
  const Labels labels(cores, components, ctx);
  for_each_leaf(cores, ctx, [&](std::int64_t leaf) {
    const std::int64_t end = std::min((leaf + 1) * kBlock, cores.rows);
    for (std::int64_t i = leaf * kBlock; i < end; ++i) {
      roots[static_cast<std::size_t>(cores.order[i])] = labels.of(i);
    }
  });
  const OwnedTree other_tree(x_, filter_, chosen(order_, core, false), ctx);
  const BlockTree& others = other_tree.view();
  LeafProgress progress{"joining border rows", others.leaves};
  for_each_leaf(others, ctx, &progress, [&](std::int64_t leaf) {
    Border<T>(others, leaf, cores, labels, test).find(roots);
  });
}

template void CpuNeighborPasses<float>::connect(double, std::span<const std::uint8_t>,
                                                std::span<std::int32_t>, const Context&);
template void CpuNeighborPasses<double>::connect(double, std::span<const std::uint8_t>,
                                                 std::span<std::int32_t>, const Context&);

}  // namespace coterie::cpu
