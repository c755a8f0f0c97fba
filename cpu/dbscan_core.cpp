#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "cpu/leaf_loop.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/pair_test.hpp"

namespace coterie::cpu {
namespace {

/// How many neighbours the queries of a leaf have.
class Counts {
 public:
  struct Shared {
    const BlockTree& tree;
    double least;
  };
  explicit Counts(const Shared& shared) : shared_(shared) {}

  /// To all queries that are not settled.
  void add_to_all(int level, std::int64_t box) { to_all_ += count_in(shared_.tree, level, box); }
  void add_box(int q, int level, std::int64_t box) {
    counts_[q] += count_in(shared_.tree, level, box);
  }
  void add(int q, std::int64_t, std::uint32_t points) { counts_[q] += std::popcount(points); }

  bool enough(int q) const { return static_cast<double>(to_all_ + counts_[q]) >= shared_.least; }
  bool settled(int q) const { return enough(q); }
  bool all_settled() const { return static_cast<double>(to_all_) >= shared_.least; }

 private:
  const Shared& shared_;
  std::int64_t to_all_ = 0;
  std::int64_t counts_[kBlock] = {};
};

/// The same with weights: their sums as integers.
class WeightSums {
 public:
  struct Shared {
    Shared(const BlockTree& of, std::span<const double> weights, double least_sum)
        : tree(of), least(least_sum), bits(limb_bits(of.rows)), sums(1) {
      double largest = 0;
      for (const double weight : weights) {
        largest = std::max(largest, std::abs(weight));
        growing = growing && weight >= 0;
      }
      scale = limb_scale(largest, bits);
      const double limb = std::ldexp(1.0, bits);
      for (std::int64_t i = 0; i < of.rows; ++i) {
        FixedSum sum;
        to_limbs(weights[static_cast<std::size_t>(of.order[i])], scale, limb, &sum.high, &sum.low);
        sums[0].push_back(sum);
      }
      for (int level = 1; level <= of.levels; ++level) add_level();
    }
    void add_level() {
      const std::vector<FixedSum>& members = sums.back();
      std::vector<FixedSum> boxes((members.size() + kBlock - 1) / kBlock);
      for (std::size_t i = 0; i < members.size(); ++i) boxes[i / kBlock] += members[i];
      sums.push_back(std::move(boxes));
    }

    const BlockTree& tree;
    double least;
    int bits;
    double scale = 1;
    bool growing = true;                      // no weight takes from a sum
    std::vector<std::vector<FixedSum>> sums;  // of each level's boxes
  };
  explicit WeightSums(const Shared& shared) : shared_(shared) {}

  void add_to_all(int level, std::int64_t box) { to_all_ += of(level, box); }
  void add_box(int q, int level, std::int64_t box) { sums_[q] += of(level, box); }
  void add(int q, std::int64_t leaf, std::uint32_t points) {
    for_each_bit(points, [&](int p) { add_box(q, 0, leaf * kBlock + p); });
  }

  bool enough(int q) const {
    FixedSum sum = to_all_;
    return enough(sum += sums_[q]);
  }
  bool settled(int q) const { return shared_.growing && enough(q); }
  bool all_settled() const { return shared_.growing && enough(to_all_); }

 private:
  const FixedSum& of(int level, std::int64_t box) const {
    return shared_.sums[static_cast<std::size_t>(level)][static_cast<std::size_t>(box)];
  }
  bool enough(const FixedSum& sum) const {
    return from_limbs(sum, shared_.bits, shared_.scale) >= shared_.least;
  }

  const Shared& shared_;
  FixedSum to_all_;
  FixedSum sums_[kBlock];
};

/// Counts the neighbours of a leaf's rows, the nearest leaves first, until all rows have enough.
template <class Neighbors, class T>
void find_core_in(const BlockTree& tree, std::int64_t leaf, const PairTest<T>& test,
                  const typename Neighbors::Shared& shared, std::span<std::uint8_t> core) {
  Neighbors neighbors(shared);
  const Search search = test.search(tree, leaf);
  const std::uint32_t members = members_of(tree, leaf);
  std::uint32_t open = members;
  const auto settle = [&](std::uint32_t queries) {
    for_each_bit(queries,
                 [&](int q) { open &= ~(static_cast<std::uint32_t>(neighbors.settled(q)) << q); });
  };
  const auto take = [&](int level, std::int64_t box, bool inside) {
    if (open == 0 || !inside) return open == 0;
    neighbors.add_to_all(level, box);
    if (neighbors.all_settled()) open = 0;
    return true;
  };
  const auto use_leaf = [&](std::int64_t other) {
    std::uint32_t all = 0;
    const std::uint32_t queries =
        open & test.queries_near(search, tree.leaf(leaf), tree, other, &all);
    for_each_bit(queries & all, [&](int q) { neighbors.add_box(q, 1, other); });
    PairBits bits;
    test.decide(search, tree, leaf, tree, other, queries & ~all, bits);
    for_each_bit(queries & ~all, [&](int q) { neighbors.add(q, other, bits.near[q]); });
    settle(queries);
  };
  visit_block(tree, 1, leaf / kBlock, std::uint32_t{1} << (leaf % kBlock), search, take, use_leaf);
  for (int level = 1; level <= tree.levels && open != 0; ++level) {
    visit_beside(tree, leaf, level, false, search, take, use_leaf);
  }
  for_each_bit(members, [&](int q) {
    core[static_cast<std::size_t>(tree.order[leaf * kBlock + q])] = neighbors.enough(q);
  });
}

template <class Neighbors, class T>
void find_all_core(const BlockTree& tree, const PairTest<T>& test,
                   const typename Neighbors::Shared& shared, std::span<std::uint8_t> core,
                   const Context& ctx) {
  LeafProgress progress{"finding core rows", tree.leaves};
  for_each_leaf(tree, ctx, &progress, [&](std::int64_t leaf) {
    find_core_in<Neighbors>(tree, leaf, test, shared, core);
  });
}

}  // namespace

template <class T>
void CpuNeighborPasses<T>::find_core(double key, std::span<const double> weights, double least,
                                     std::span<std::uint8_t> core, const Context& ctx) {
  const BlockTree& rows = tree(ctx);
  const PairTest<T> test(x_, filter_, key);
  if (weights.empty()) {
    find_all_core<Counts>(rows, test, {rows, least}, core, ctx);
  } else {
    find_all_core<WeightSums>(rows, test, {rows, weights, least}, core, ctx);
  }
}

template void CpuNeighborPasses<float>::find_core(double, std::span<const double>, double,
                                                  std::span<std::uint8_t>, const Context&);
template void CpuNeighborPasses<double>::find_core(double, std::span<const double>, double,
                                                   std::span<std::uint8_t>, const Context&);

}  // namespace coterie::cpu
