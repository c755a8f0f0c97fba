#include "core/stratified_sample.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

#include "core/checks.hpp"
#include "core/contract/random.hpp"

namespace coterie {

std::vector<std::int64_t> allocate_sample(const Grouping& groups, std::int64_t sample_size) {
  const std::int64_t clusters = groups.clusters();
  require_argument(sample_size >= clusters, "sample_size must be at least 1 for each of the ",
                   clusters, " clusters, got ", sample_size);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(clusters));
  for (std::int64_t least = 2; least >= 1; --least) {
    for (std::int64_t c = 0; c < clusters; ++c) {
      sizes[static_cast<std::size_t>(c)] = std::min(least, groups.size(c));
    }
    if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) <= sample_size) break;
  }

  // Each further row goes where rows are most under-represented (Sainte-Laguë's highest averages);
  // the lower cluster of equals.
  using Claim = std::pair<double, std::int64_t>;  // average, -cluster
  std::priority_queue<Claim> claims;
  const auto claim = [&](std::int64_t c) {
    const std::int64_t drawn = sizes[static_cast<std::size_t>(c)];
    if (drawn == groups.size(c)) return;
    claims.emplace(static_cast<double>(groups.size(c)) / (static_cast<double>(drawn) + 0.5), -c);
  };
  for (std::int64_t c = 0; c < clusters; ++c) claim(c);
  std::int64_t left = sample_size - std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  for (; left > 0; --left) {
    const std::int64_t c = -claims.top().second;
    claims.pop();
    ++sizes[static_cast<std::size_t>(c)];
    claim(c);
  }
  return sizes;
}

std::vector<std::int64_t> draw_sample(const Grouping& groups,
                                      const std::vector<std::int64_t>& sizes, std::uint64_t seed) {
  std::vector<std::int64_t> sample;
  std::vector<std::pair<std::uint64_t, std::int64_t>> keyed;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    keyed.clear();
    for (std::int64_t i = groups.first[c]; i < groups.first[c + 1]; ++i) {
      const std::int64_t row = groups.rows[static_cast<std::size_t>(i)];
      const DrawKey key{
          .seed = seed, .purpose = Purpose::Sample, .row = static_cast<std::uint64_t>(row)};
      keyed.emplace_back(random_bits(key), row);
    }
    std::nth_element(keyed.begin(), keyed.begin() + (sizes[c] - 1), keyed.end());
    const auto drawn = static_cast<std::ptrdiff_t>(sample.size());
    for (std::int64_t i = 0; i < sizes[c]; ++i) {
      sample.push_back(keyed[static_cast<std::size_t>(i)].second);
    }
    std::sort(sample.begin() + drawn, sample.end());
  }
  return sample;
}

}  // namespace coterie
