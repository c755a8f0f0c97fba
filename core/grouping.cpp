#include "core/grouping.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/checks.hpp"

namespace coterie {
namespace {

/// The numbers of the distinct labels, in the order of their values: looked up in a table where
/// labels lie close together, searched for where a table would outgrow them.
class Numbers {
 public:
  explicit Numbers(std::span<const std::int32_t> labels) {
    std::int32_t high = labels.front();
    low_ = high;
    for (const std::int32_t label : labels) {
      low_ = std::min(low_, label);
      high = std::max(high, label);
    }
    const auto width = static_cast<std::size_t>(std::int64_t{high} - low_ + 1);
    if (width <= labels.size() + kSmallTable) {
      fill_table(labels, width);
    } else {
      sort(labels);
    }
  }

  std::int64_t count() const { return count_; }

  std::int32_t of(std::int32_t label) const {
    if (!table_.empty()) return table_[static_cast<std::size_t>(std::int64_t{label} - low_)];
    const auto found = std::lower_bound(values_.begin(), values_.end(), label);
    return static_cast<std::int32_t>(found - values_.begin());
  }

 private:
  static constexpr std::size_t kSmallTable = 1 << 12;

  void fill_table(std::span<const std::int32_t> labels, std::size_t width) {
    table_.resize(width);
    for (const std::int32_t label : labels) {
      table_[static_cast<std::size_t>(std::int64_t{label} - low_)] = 1;
    }
    for (std::int32_t& entry : table_) {
      const bool used = entry != 0;
      entry = static_cast<std::int32_t>(count_);
      count_ += used ? 1 : 0;
    }
  }

  void sort(std::span<const std::int32_t> labels) {
    values_.assign(labels.begin(), labels.end());
    std::sort(values_.begin(), values_.end());
    values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
    count_ = static_cast<std::int64_t>(values_.size());
  }

  std::int32_t low_ = 0;
  std::int64_t count_ = 0;
  std::vector<std::int32_t> table_;   // number of low_, low_ + 1, ...
  std::vector<std::int32_t> values_;  // or the distinct labels
};

}  // namespace

Clusters number_clusters(std::span<const std::int32_t> labels, std::int64_t rows) {
  const auto count = static_cast<std::int64_t>(labels.size());
  require_argument(count == rows, "labels must have one value for each of x's ", rows,
                   " rows, got ", count);
  const Numbers numbers(labels);
  // The first sentence is scikit-learn's.
  require_argument(numbers.count() >= 2 && numbers.count() < rows, "Number of labels is ",
                   numbers.count(),
                   ". Valid values are 2 to n_samples - 1 (inclusive): labels must have 2 to ",
                   rows - 1, " distinct values for ", rows, " rows");
  Clusters found;
  found.cluster.reserve(labels.size());
  found.first.assign(static_cast<std::size_t>(numbers.count()) + 1, 0);
  for (const std::int32_t label : labels) {
    const std::int32_t cluster = numbers.of(label);
    found.cluster.push_back(cluster);
    ++found.first[static_cast<std::size_t>(cluster) + 1];
  }
  for (std::size_t c = 1; c < found.first.size(); ++c) found.first[c] += found.first[c - 1];
  return found;
}

Grouping group_rows(std::span<const std::int32_t> labels, std::int64_t rows) {
  Grouping groups{number_clusters(labels, rows), {}};
  groups.rows.resize(labels.size());
  auto next = groups.first;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto cluster = static_cast<std::size_t>(groups.cluster[static_cast<std::size_t>(i)]);
    groups.rows[static_cast<std::size_t>(next[cluster]++)] = i;
  }
  return groups;
}

}  // namespace coterie
