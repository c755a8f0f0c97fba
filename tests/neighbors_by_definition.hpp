#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/contract/neighbors.hpp"
#include "coterie/matrix.hpp"

namespace coterie::testing_support {

// What neighbour passes must answer, from the canonical keys of all pairs.

template <class T>
double pair_key(const PairMetric& metric, MatrixView<const T> x, std::int64_t i,
                MatrixView<const T> y, std::int64_t j) {
  return key(metric, x.row(i), y.row(j), x.cols);
}

/// Sums are in the widest arithmetic, rounded once.
template <class T>
std::vector<std::uint8_t> core_by_definition(MatrixView<const T> x, const PairMetric& metric,
                                             double key, std::span<const double> weights,
                                             double least) {
  std::vector<std::uint8_t> core;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    long double sum = 0;
    for (std::int64_t j = 0; j < x.rows; ++j) {
      if (pair_key(metric, x, i, x, j) > key) continue;
      sum += weights.empty() ? 1 : weights[static_cast<std::size_t>(j)];
    }
    core.push_back(static_cast<double>(sum) >= least);
  }
  return core;
}

template <class T>
std::vector<std::int32_t> roots_by_definition(MatrixView<const T> x, const PairMetric& metric,
                                              double key, std::span<const std::uint8_t> core) {
  const auto is_core = [&](std::int64_t i) { return core[static_cast<std::size_t>(i)] != 0; };
  std::vector<std::int32_t> roots(static_cast<std::size_t>(x.rows), -1);
  for (std::int64_t seed = 0; seed < x.rows; ++seed) {  // the smallest of its component
    if (!is_core(seed) || roots[static_cast<std::size_t>(seed)] >= 0) continue;
    std::vector<std::int64_t> reached = {seed};
    roots[static_cast<std::size_t>(seed)] = static_cast<std::int32_t>(seed);
    while (!reached.empty()) {
      const std::int64_t i = reached.back();
      reached.pop_back();
      for (std::int64_t j = 0; j < x.rows; ++j) {
        std::int32_t& root = roots[static_cast<std::size_t>(j)];
        if (root >= 0 || pair_key(metric, x, i, x, j) > key) continue;
        root = static_cast<std::int32_t>(seed);  // of a border row the first, which is the smallest
        if (is_core(j)) reached.push_back(j);
      }
    }
  }
  return roots;
}

struct ListedRows {
  std::vector<std::int64_t> rows;
  std::vector<double> keys;
  bool operator==(const ListedRows&) const = default;
};

/// without_itself: queries are the rows.
template <class T>
ListedRows nearest_by_definition(MatrixView<const T> x, MatrixView<const T> queries,
                                 const PairMetric& metric, std::int64_t k, bool without_itself) {
  ListedRows nearest;
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    std::vector<std::pair<double, std::int64_t>> all;
    for (std::int64_t j = 0; j < x.rows; ++j) {
      if (!without_itself || i != j) all.emplace_back(pair_key(metric, queries, i, x, j), j);
    }
    std::partial_sort(all.begin(), all.begin() + k, all.end());
    for (std::int64_t r = 0; r < k; ++r) {
      nearest.keys.push_back(all[static_cast<std::size_t>(r)].first);
      nearest.rows.push_back(all[static_cast<std::size_t>(r)].second);
    }
  }
  return nearest;
}

struct RowsInReach {
  std::vector<std::int64_t> starts = {0};
  ListedRows listed;
};

template <class T>
RowsInReach within_by_definition(MatrixView<const T> x, MatrixView<const T> queries,
                                 const PairMetric& metric, double key) {
  RowsInReach found;
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) {
      const double of_pair = pair_key(metric, queries, i, x, j);
      if (of_pair > key) continue;
      found.listed.rows.push_back(j);
      found.listed.keys.push_back(of_pair);
    }
    found.starts.push_back(static_cast<std::int64_t>(found.listed.rows.size()));
  }
  return found;
}

struct Donors {
  std::vector<std::int32_t> rows;
  std::vector<double> keys;
  bool operator==(const Donors&) const = default;
};

template <class T>
Donors donors_by_definition(MatrixView<const T> x, MatrixView<const T> queries,
                            std::span<const MissingCell> cells, std::int64_t k) {
  Donors donors;
  for (const MissingCell cell : cells) {
    std::vector<std::pair<double, std::int32_t>> all;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      double sum = 0, shared = 0;
      for (std::int64_t j = 0; j < x.cols; ++j) {
        const double t = static_cast<double>(queries(cell.query, j)) - static_cast<double>(x(i, j));
        if (std::isnan(t)) continue;
        sum += t * t;
        shared += 1;
      }
      if (shared == 0 || std::isnan(x(i, cell.col))) continue;
      all.emplace_back(sum / shared * static_cast<double>(x.cols), static_cast<std::int32_t>(i));
    }
    std::sort(all.begin(), all.end());
    all.resize(static_cast<std::size_t>(k), {std::numeric_limits<double>::infinity(), -1});
    for (const auto& [key, row] : all) {
      donors.rows.push_back(row);
      donors.keys.push_back(key);
    }
  }
  return donors;
}

}  // namespace coterie::testing_support
