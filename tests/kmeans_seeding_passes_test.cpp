// The CPU's passes of k-means++, which take seeds in late and skip what cannot matter, against
// passes that do what the contract says and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/contract/distance.hpp"
#include "cpu/kmeans_seeding.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

template <class T>
class PlainSeeding final : public SeedingPasses<T> {
 public:
  PlainSeeding(MatrixView<const T> x, std::span<const double> weights)
      : x_(x), weights_(weights), nearest_(static_cast<std::size_t>(x.rows), kNoSeed) {}

  double add(RowBlock block, std::span<const T> seed) override {
    double largest = 0;
    for (std::int64_t i = block.first; i < block.first + block.rows; ++i) {
      nearest(i) = std::min(nearest(i), squared_distance(x_.row(i), seed.data(), x_.cols));
      largest = std::max(largest, weight(i) * nearest(i));
    }
    return largest;
  }
  std::int64_t total(RowBlock block, double scale) override {
    std::int64_t sum = 0;
    for (std::int64_t i = block.first; i < block.first + block.rows; ++i) {
      sum += potential(i, nearest(i), scale);
    }
    return sum;
  }
  std::int64_t pick(RowBlock block, double scale, std::int64_t target) override {
    std::int64_t row = block.first;
    while ((target -= potential(row, nearest(row), scale)) >= 0) ++row;
    return row;
  }
  void potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                  std::span<std::int64_t> potentials) override {
    for (std::int64_t c = 0; c < candidates.rows; ++c) {
      for (std::int64_t i = block.first; i < block.first + block.rows; ++i) {
        const double distance = squared_distance(x_.row(i), candidates.row(c), x_.cols);
        potentials[static_cast<std::size_t>(c)] +=
            potential(i, std::min(nearest(i), distance), scale);
      }
    }
  }

 private:
  static constexpr double kNoSeed = std::numeric_limits<double>::infinity();

  double& nearest(std::int64_t row) { return nearest_[static_cast<std::size_t>(row)]; }
  double weight(std::int64_t row) const {
    return weights_.empty() ? 1.0 : weights_[static_cast<std::size_t>(row)];
  }
  std::int64_t potential(std::int64_t row, double distance, double scale) const {
    return to_integer(weight(row) * (distance == kNoSeed ? 1.0 : distance) * scale);
  }

  MatrixView<const T> x_;
  std::span<const double> weights_;
  std::vector<double> nearest_;
};

/// Random calls in any order, on whole data or on blocks, as the contract allows them.
template <class T>
void compare(MatrixView<const T> x, std::span<const double> weights,
             const std::vector<RowBlock>& blocks, std::uint64_t seed) {
  Context ctx;
  ctx.threads = 3;
  const auto fast = cpu::seeding_passes<T>(x, weights, ctx);
  PlainSeeding<T> plain(x, weights);
  std::uint32_t draws = 0;
  const auto draw = [&](std::int64_t below) {
    const DrawKey key{.seed = seed, .purpose = Purpose::Sample, .restart = 7, .round = draws++};
    return static_cast<std::int64_t>(random_unit(key) * static_cast<double>(below));
  };
  const int bits = limb_bits(x.rows);
  const auto row_of = [&](std::int64_t row) {
    return std::span<const T>(x.row(row), static_cast<std::size_t>(x.cols));
  };
  const auto scale_after = [&](std::int64_t row) {
    double largest = 0;
    for (const RowBlock block : blocks) {
      const double found = fast->add(block, row_of(row));
      EXPECT_EQ(found, plain.add(block, row_of(row)));
      largest = std::max(largest, found);
    }
    return limb_scale(largest, bits);
  };
  double scale = scale_after(draw(x.rows));
  for (int round = 0; round < 12 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(round);
    Matrix<T> candidates(1 + draw(11), x.cols);
    std::vector<std::int64_t> rows;
    for (std::int64_t c = 0; c < candidates.rows; ++c) {
      const RowBlock block =
          blocks[static_cast<std::size_t>(draw(static_cast<std::int64_t>(blocks.size())))];
      const std::int64_t total = plain.total(block, scale);
      ASSERT_EQ(fast->total(block, scale), total);
      const std::int64_t target = draw(total);
      rows.push_back(total > 0 ? plain.pick(block, scale, target) : block.first);
      if (total > 0) {
        ASSERT_EQ(fast->pick(block, scale, target), rows.back());
      }
      std::copy_n(x.row(rows.back()), x.cols, candidates.view().row(c));
    }
    const auto all = static_cast<const Matrix<T>&>(candidates).view();
    std::vector<std::int64_t> expected(static_cast<std::size_t>(all.rows), 0), found = expected;
    for (const RowBlock block : blocks) {
      if (draw(8) == 0) continue;  // a later add() knows these candidates on some blocks alone
      plain.potentials(block, scale, all, expected);
      fast->potentials(block, scale, all, found);
    }
    EXPECT_EQ(found, expected);
    // Mostly a candidate becomes the seed, sometimes another row.
    scale =
        scale_after(draw(4) == 0 ? draw(x.rows) : rows[static_cast<std::size_t>(draw(all.rows))]);
  }
}

template <class T>
void compare_shapes() {
  constexpr std::int64_t kRows = 3000;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < kRows; ++i) weights.push_back(static_cast<double>(i % 5) * 0.3);
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups,
                            Shape::Duplicates}) {
    SCOPED_TRACE(static_cast<int>(shape));
    for (const std::int64_t cols : {1, 5, 33}) {
      const auto x = make_rows<T>(kRows, cols, shape);
      compare<T>(x.view(), {}, {{0, kRows}}, 1);
      compare<T>(x.view(), weights, {{0, kRows}}, 2);
      compare<T>(x.view(), weights, {{0, 1}, {1, 1500}, {1501, 1499}}, 3);
    }
  }
}

TEST(SeedingPasses, Float32FollowsTheContract) { compare_shapes<float>(); }
TEST(SeedingPasses, Float64FollowsTheContract) { compare_shapes<double>(); }

TEST(SeedingPasses, MagnitudesThatFloat32CannotSquareFollowTheContract) {
  for (const float magnitude : {1e-30f, 1e-20f, 1e-12f, 1e17f, 1e19f, 1e30f}) {
    SCOPED_TRACE(magnitude);
    auto x = make_rows<float>(1500, 4);
    for (float& value : x.values) value *= magnitude;
    compare<float>(x.view(), {}, {{0, 1500}}, 4);
    for (std::int64_t i = 0; i < 700; ++i) x.view()(i, 1) /= magnitude;
    compare<float>(x.view(), {}, {{0, 1500}}, 5);
  }
}

TEST(SeedingPasses, ASeedOfOneBlockStaysOutOfTheOthers) {
  const auto x = make_rows<float>(400, 2);
  const Context ctx;
  const auto passes = cpu::seeding_passes<float>(x.view(), {}, ctx);
  PlainSeeding<float> plain(x.view(), {});
  const RowBlock first{0, 100}, second{100, 300};
  constexpr double kScale = 0x1p30;
  const MatrixView<const float> candidates{x.view().row(5), 3, 2, 2};
  const std::span<const float> seed(candidates.row(1), 2);
  for (const RowBlock block : {first, second}) {
    passes->add(block, {x.view().row(50), 2});
    plain.add(block, {x.view().row(50), 2});
  }
  std::vector<std::int64_t> potentials(3);
  passes->potentials(second, kScale, candidates, potentials);
  EXPECT_EQ(passes->add(second, seed), plain.add(second, seed));
  for (const RowBlock block : {first, second, first}) {
    EXPECT_EQ(passes->total(block, kScale), plain.total(block, kScale));
  }
}

TEST(SeedingPasses, BeforeTheFirstSeedDistancesAreOne) {
  const auto x = make_rows<float>(200, 2);
  const std::vector<double> weights(200, 0.5);
  const Context ctx;
  const auto passes = cpu::seeding_passes<float>(x.view(), weights, ctx);
  PlainSeeding<float> plain(x.view(), weights);
  const RowBlock all{0, 200};
  EXPECT_EQ(passes->total(all, 2), 200);
  EXPECT_EQ(passes->pick(all, 2, 73), 73);
  std::vector<std::int64_t> found(1, 0), expected(1, 0);
  const MatrixView<const float> candidate{x.view().row(3), 1, 2, 2};
  passes->potentials(all, 1024, candidate, found);
  plain.potentials(all, 1024, candidate, expected);
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace coterie
