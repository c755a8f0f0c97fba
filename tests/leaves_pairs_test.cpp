// The innermost loops over pairs of blocks against plain ones. COTERIE_SIMD picks the set; ctest
// runs this program once for each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/contract/block_tree.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/tiles.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

constexpr FilterForm kForms[] = {FilterForm::Squares, FilterForm::Sum, FilterForm::Largest};
constexpr std::int64_t kColumns[] = {1, 2, 3, 4, 15, 16, 17, 33, 100};

/// A block of `count` points in [0, 1) around an origin, and what it lacks.
class Block {
 public:
  Block(std::int64_t cols, std::int64_t count, float origin, std::uint64_t seed) : cols_(cols) {
    const auto rows =
        testing_support::make_rows<float>(kBlock, cols, testing_support::Shape::Blobs, seed);
    values_.resize(cols * kBlock);
    for (std::int64_t j = 0; j < cols; ++j) {
      for (std::int64_t r = 0; r < kBlock; ++r) {
        values_.data()[j * kBlock + r] =
            r < count ? origin + 0.1f * rows.view()(r, j) : std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  const float* data() const { return values_.data(); }
  float at(std::int64_t r, std::int64_t j) const { return values_.data()[j * kBlock + r]; }
  std::int64_t cols() const { return cols_; }

 private:
  std::int64_t cols_;
  AlignedBuffer<float> values_;
};

/// In float64, where it is all but exact.
double exact_value(const Block& a, std::int64_t q, const Block& b, std::int64_t p,
                   FilterForm form) {
  double value = 0;
  for (std::int64_t j = 0; j < a.cols(); ++j) {
    const double t = static_cast<double>(a.at(q, j)) - static_cast<double>(b.at(p, j));
    value = form == FilterForm::Squares ? value + t * t
            : form == FilterForm::Sum   ? value + std::abs(t)
                                        : std::max(value, std::abs(t));
  }
  return value;
}

struct Values {
  alignas(64) float of[kBlock * kBlock];
};

Values all_values(const Block& queries, const Block& points, FilterForm form) {
  Values values;
  std::vector<float> limits(kBlock, std::numeric_limits<float>::max());
  std::uint32_t below[kBlock];
  leaves().pair_values(queries.data(), points.data(), queries.cols(), form, ~0u, limits.data(),
                       below, values.of);
  return values;
}

TEST(PairLeaves, ValuesAreWithinTheirBound) {
  for (const FilterForm form : kForms) {
    for (const std::int64_t cols : kColumns) {
      const Block queries(cols, kBlock, 0, 1), points(cols, 30, 0.2f, 2);
      const Values values = all_values(queries, points, form);
      const double bound = static_cast<double>(cols + 3) * 0x1p-24;
      for (std::int64_t q = 0; q < kBlock; ++q) {
        for (std::int64_t p = 0; p < kBlock; ++p) {
          const float value = values.of[q * kBlock + p];
          if (p >= 30) {
            EXPECT_TRUE(std::isnan(value));
            continue;
          }
          const double exact = exact_value(queries, q, points, p, form);
          EXPECT_NEAR(value, exact, exact * bound) << cols << " columns";
        }
      }
    }
  }
}

/// Limits between which some pairs lie.
float middle_value(const Values& values, double share) {
  std::vector<float> sorted;
  for (const float value : values.of) {
    if (!std::isnan(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

TEST(PairLeaves, MarksTheWantedPairs) {
  for (const FilterForm form : kForms) {
    for (const std::int64_t cols : kColumns) {
      const Block queries(cols, kBlock, 0, 3), points(cols, 29, 0.1f, 4);
      const Values values = all_values(queries, points, form);
      for (const double share : {0.0, 0.01, 0.5, 1.0}) {
        const float sure = middle_value(values, share), reach = sure * 1.1f;
        for (const std::uint32_t wanted : {~0u, 0x80000001u, 0x00700ff0u, 1u << 13}) {
          std::uint32_t near[kBlock], unsure[kBlock];
          const std::uint32_t open = leaves().pairs_within(queries.data(), points.data(), cols,
                                                           form, wanted, sure, reach, near, unsure);
          for (int q = 0; q < kBlock; ++q) {
            if ((wanted >> q & 1) == 0) {
              EXPECT_EQ(open >> q & 1, 0u);
              continue;
            }
            std::uint32_t expected_near = 0, expected_unsure = 0;
            for (int p = 0; p < kBlock; ++p) {
              const float value = values.of[q * kBlock + p];
              expected_near |= static_cast<std::uint32_t>(value <= sure) << p;
              expected_unsure |= static_cast<std::uint32_t>(value > sure && value <= reach) << p;
            }
            ASSERT_EQ(near[q], expected_near) << cols << " columns, share " << share;
            ASSERT_EQ(unsure[q], expected_unsure);
            ASSERT_EQ(open >> q & 1, static_cast<std::uint32_t>(expected_unsure != 0));
          }
        }
      }
    }
  }
}

TEST(PairLeaves, KeepsEachQuerysLimit) {
  for (const FilterForm form : kForms) {
    for (const std::int64_t cols : kColumns) {
      const Block queries(cols, kBlock, 0, 5), points(cols, 32, 0, 6);
      const Values values = all_values(queries, points, form);
      float limits[kBlock];
      for (int q = 0; q < kBlock; ++q) limits[q] = middle_value(values, 0.03 * (q % 8));
      std::uint32_t below[kBlock];
      Values kept;
      const std::uint32_t any = leaves().pair_values(queries.data(), points.data(), cols, form,
                                                     0x0ffffff0u, limits, below, kept.of);
      for (int q = 4; q < 28; ++q) {
        std::uint32_t expected = 0;
        for (int p = 0; p < kBlock; ++p) {
          expected |= static_cast<std::uint32_t>(values.of[q * kBlock + p] <= limits[q]) << p;
        }
        ASSERT_EQ(below[q], expected);
        ASSERT_EQ(any >> q & 1, static_cast<std::uint32_t>(expected != 0));
        for (int p = 0; p < kBlock; ++p) {
          if ((expected >> p & 1) != 0) {
            ASSERT_EQ(kept.of[q * kBlock + p], values.of[q * kBlock + p]);
          }
        }
      }
    }
  }
}

/// A block of boxes, each around some of a block's points; the last ones around none.
struct Boxes {
  explicit Boxes(const Block& points) {
    low.resize(points.cols() * kBlock);
    high.resize(points.cols() * kBlock);
    for (std::int64_t j = 0; j < points.cols(); ++j) {
      for (std::int64_t c = 0; c < kBlock; ++c) {
        float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;
        for (const std::int64_t p : members(c)) {
          lowest = std::min(lowest, points.at(p, j));
          highest = std::max(highest, points.at(p, j));
        }
        low.data()[j * kBlock + c] = lowest;
        high.data()[j * kBlock + c] = highest;
      }
    }
  }
  static std::vector<std::int64_t> members(std::int64_t c) {
    if (c >= 27) return {};
    return {c, (c + 5) % 29};
  }
  AlignedBuffer<float> low, high;
};

/// Corners bound every pair's value as it is computed, not only up to roundings.
TEST(PairLeaves, BoxesBoundTheirPointsExactly) {
  for (const FilterForm form : kForms) {
    for (const std::int64_t cols : kColumns) {
      const Block queries(cols, kBlock, 0, 7), points(cols, 29, 0.3f, 8);
      const Values values = all_values(queries, points, form);
      const Boxes from(queries), to(points);
      const float sure = middle_value(values, 0.6), reach = middle_value(values, 0.3);
      for (std::int64_t b = 0; b < 27; ++b) {
        AlignedBuffer<float> bounds, farthest;
        std::uint32_t inside = 0;
        const float *low = from.low.data() + b, *high = from.high.data() + b;
        const std::uint32_t within = leaves().boxes_within(low, high, to.low.data(), to.high.data(),
                                                           cols, form, sure, reach, &inside);
        leaves().box_bounds(low, high, to.low.data(), to.high.data(), cols, form,
                            bounds.resize(kBlock), farthest.resize(kBlock));
        for (std::int64_t c = 0; c < kBlock; ++c) {
          float least = std::numeric_limits<float>::infinity(), most = 0;
          for (const std::int64_t q : Boxes::members(b)) {
            for (const std::int64_t p : Boxes::members(c)) {
              least = std::min(least, values.of[q * kBlock + p]);
              most = std::max(most, values.of[q * kBlock + p]);
            }
          }
          const float bound = bounds.data()[c];
          ASSERT_LE(bound, least);
          ASSERT_EQ(within >> c & 1, static_cast<std::uint32_t>(bound <= reach));
          ASSERT_GE(farthest.data()[c], most);
          ASSERT_EQ(inside >> c & 1, static_cast<std::uint32_t>(farthest.data()[c] <= sure));
          if (c >= 27) {
            ASSERT_EQ((within | inside) >> c & 1, 0u) << "nothing is in this box";
          }
        }
      }
    }
  }
}

TEST(PairLeaves, APointIsABox) {
  for (const FilterForm form : kForms) {
    const Block queries(3, kBlock, 0, 9), points(3, 30, 0, 10);
    const Values values = all_values(queries, points, form);
    const float limit = middle_value(values, 0.4);
    for (int q = 0; q < kBlock; ++q) {
      std::uint32_t inside = 0, expected = 0;
      const std::uint32_t within =
          leaves().boxes_within(queries.data() + q, queries.data() + q, points.data(),
                                points.data(), 3, form, limit, limit, &inside);
      for (int p = 0; p < kBlock; ++p) {
        expected |= static_cast<std::uint32_t>(values.of[q * kBlock + p] <= limit) << p;
      }
      ASSERT_EQ(within, expected);
      ASSERT_EQ(inside, expected);
    }
  }
}

}  // namespace
}  // namespace coterie::cpu
