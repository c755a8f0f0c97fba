#include "core/kmeans_seeding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <unordered_set>
#include <utility>

#include "core/contract/random.hpp"

namespace coterie {
namespace {

/// k-means++ in progress.
template <class T>
class PlusPlus {
 public:
  PlusPlus(const KMeansSource<T>& source, const Frame& frame)
      : source_(source),
        bits_(frame.bits),
        passes_(source.passes.seeding()),
        largest_(source.weights.empty() ? 1.0 : *std::ranges::max_element(source.weights)) {}

  /// Picks the next seed among `trials` candidates and takes it in.
  std::int64_t next(DrawKey key, int trials) {
    // Scaled anew in each round: potentials shrink, and their bits should not.
    scale_ = limb_scale(largest_, bits_);
    totals_.clear();
    total_ = 0;
    source_.for_each_block([&](RowBlock block) {
      totals_.push_back(passes_->total(block, scale_));
      total_ += totals_.back();
    });
    std::vector<std::int64_t> candidates;
    for (int trial = 0; trial < trials && total_ > 0; ++trial) {
      key.trial = static_cast<std::uint8_t>(trial);
      candidates.push_back(pick(random_below(random_bits(key), total_)));
    }
    if (total_ == 0) candidates.push_back(first_unused());
    const std::int64_t seed = candidates[best_of(candidates)];
    take(seed);
    return seed;
  }

 private:
  std::int64_t pick(std::int64_t target) {
    std::int64_t row = -1;
    std::size_t index = 0;
    source_.for_each_block([&](RowBlock block) {
      const std::int64_t total = totals_[index++];
      if (row < 0 && target < total) row = passes_->pick(block, scale_, target);
      if (row < 0) target -= total;
    });
    return row;
  }

  /// Every row equals a seed: more seeds than distinct rows were asked for.
  std::int64_t first_unused() {
    while (used_.contains(unused_)) ++unused_;
    return unused_;
  }

  /// The candidate that leaves the least potential; the first of equals.
  std::size_t best_of(const std::vector<std::int64_t>& candidates) {
    if (candidates.size() == 1) return 0;
    Matrix<T> points(static_cast<std::int64_t>(candidates.size()), source_.cols);
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      source_.passes.copy_row(candidates[c], row_of(points, c));
    }
    std::vector<std::int64_t> potentials(candidates.size(), 0);
    source_.for_each_block([&](RowBlock block) {
      passes_->potentials(block, scale_, std::as_const(points).view(), potentials);
    });
    return static_cast<std::size_t>(std::ranges::min_element(potentials) - potentials.begin());
  }

  void take(std::int64_t seed) {
    used_.insert(seed);
    Matrix<T> point(1, source_.cols);
    source_.passes.copy_row(seed, row_of(point, 0));
    largest_ = 0;
    source_.for_each_block(
        [&](RowBlock block) { largest_ = std::max(largest_, passes_->add(block, point.values)); });
  }

  static std::span<T> row_of(Matrix<T>& points, std::size_t row) {
    const auto cols = static_cast<std::size_t>(points.cols);
    return std::span<T>(points.values).subspan(row * cols, cols);
  }

  const KMeansSource<T>& source_;
  int bits_;
  std::unique_ptr<SeedingPasses<T>> passes_;
  double largest_;  // weight * distance of any row
  double scale_ = 1;
  std::int64_t total_ = 0;
  std::vector<std::int64_t> totals_;  // by block
  std::unordered_set<std::int64_t> used_;
  std::int64_t unused_ = 0;  // every row before it is used
};

/// -ln(u) for u = bits / 2^64 in (0, 1], from + - * / alone, so that every machine gets the same
/// bits: u = m 2^e with m in [1/sqrt2, sqrt2), ln m = 2 artanh((m - 1) / (m + 1)).
double minus_log(std::uint64_t bits) {
  int exponent;
  double m = std::frexp((static_cast<double>(bits >> 11) + 1) * 0x1p-53, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double t = (m - 1) / (m + 1);
  double series = 0;
  for (int power = 23; power >= 1; power -= 2) series = series * t * t + 1.0 / power;
  return -(2 * t * series + exponent * 0.69314718055994531);
}

}  // namespace

int seeding_trials(std::int64_t clusters, const KMeansParams& params) {
  return params.trials > 0 ? params.trials
                           : 2 + static_cast<int>(std::log(static_cast<double>(clusters)));
}

template <class T>
std::vector<std::int64_t> plus_plus_rows(const KMeansSource<T>& source, const Frame& frame,
                                         std::int64_t clusters, int trials, std::uint32_t restart,
                                         std::uint64_t seed, const Context& ctx) {
  PlusPlus<T> seeds(source, frame);
  std::vector<std::int64_t> rows;
  for (std::int64_t round = 0; round < clusters; ++round) {
    const DrawKey key{.seed = seed,
                      .purpose = Purpose::Seeding,
                      .restart = restart,
                      .round = static_cast<std::uint32_t>(round)};
    rows.push_back(seeds.next(key, round == 0 ? 1 : trials));
    if (ctx.progress) ctx.progress({"seeding", round + 1, clusters});
  }
  return rows;
}

// Each row's exponential variate divided by its weight; the smallest win, which is drawing without
// replacement in proportion to the weights (Efraimidis & Spirakis 2006).
std::vector<std::int64_t> random_rows(std::int64_t rows, std::span<const double> weights,
                                      std::int64_t clusters, std::uint32_t restart,
                                      std::uint64_t seed) {
  using Keyed = std::pair<double, std::int64_t>;
  std::priority_queue<Keyed> smallest;
  for (std::int64_t row = 0; row < rows; ++row) {
    const double weight = weights.empty() ? 1.0 : weights[static_cast<std::size_t>(row)];
    const std::uint64_t bits = random_bits({.seed = seed,
                                            .purpose = Purpose::RandomRows,
                                            .restart = restart,
                                            .row = static_cast<std::uint64_t>(row)});
    const double key =
        weight > 0 ? minus_log(bits) / weight : std::numeric_limits<double>::infinity();
    smallest.emplace(key, row);
    if (static_cast<std::int64_t>(smallest.size()) > clusters) smallest.pop();
  }
  std::vector<std::int64_t> picked(smallest.size());
  for (auto i = picked.rbegin(); i != picked.rend(); ++i, smallest.pop()) {
    *i = smallest.top().second;
  }
  return picked;
}

template std::vector<std::int64_t> plus_plus_rows(const KMeansSource<float>&, const Frame&,
                                                  std::int64_t, int, std::uint32_t, std::uint64_t,
                                                  const Context&);
template std::vector<std::int64_t> plus_plus_rows(const KMeansSource<double>&, const Frame&,
                                                  std::int64_t, int, std::uint32_t, std::uint64_t,
                                                  const Context&);

}  // namespace coterie
