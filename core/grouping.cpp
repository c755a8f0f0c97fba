#include "core/grouping.hpp"

#include <algorithm>
#include <vector>

#include "core/checks.hpp"

namespace coterie {

Grouping group_rows(std::span<const std::int32_t> labels, std::int64_t rows) {
  const auto count = static_cast<std::int64_t>(labels.size());
  require_argument(count == rows, "labels must have one value for each of x's ", rows,
                   " rows, got ", count);
  std::vector<std::int32_t> values(labels.begin(), labels.end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  // The first sentence is scikit-learn's.
  require_argument(values.size() >= 2 && values.size() < labels.size(), "Number of labels is ",
                   values.size(),
                   ". Valid values are 2 to n_samples - 1 (inclusive): labels must have 2 to ",
                   rows - 1, " distinct values for ", rows, " rows");

  Grouping groups;
  groups.cluster.reserve(labels.size());
  groups.first.assign(values.size() + 1, 0);
  for (const std::int32_t label : labels) {
    const auto cluster = std::lower_bound(values.begin(), values.end(), label) - values.begin();
    groups.cluster.push_back(static_cast<std::int32_t>(cluster));
    ++groups.first[static_cast<std::size_t>(cluster) + 1];
  }
  for (std::size_t c = 1; c < groups.first.size(); ++c) groups.first[c] += groups.first[c - 1];

  groups.rows.resize(labels.size());
  auto next = groups.first;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto cluster = static_cast<std::size_t>(groups.cluster[static_cast<std::size_t>(i)]);
    groups.rows[static_cast<std::size_t>(next[cluster]++)] = i;
  }
  return groups;
}

}  // namespace coterie
