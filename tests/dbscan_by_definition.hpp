#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "coterie/dbscan.hpp"

namespace coterie::testing_support {

using Near = std::vector<std::vector<std::int64_t>>;  // whom each row has within eps

/// Core rows, and clusters that grow from them in ascending order along their neighbours.
inline DbscanResult by_definition(const Near& near, double least,
                                  const std::vector<double>& weights = {}) {
  DbscanResult result{std::vector<std::int32_t>(near.size(), -1), {}};
  std::vector<bool> core(near.size());
  for (std::size_t i = 0; i < near.size(); ++i) {
    long double sum = 0;
    for (const std::int64_t j : near[i]) {
      sum += weights.empty() ? 1 : weights[static_cast<std::size_t>(j)];
    }
    core[i] = static_cast<double>(sum) >= least;
    if (core[i]) result.core_rows.push_back(static_cast<std::int64_t>(i));
  }
  for (const std::int64_t seed : result.core_rows) {
    if (result.labels[static_cast<std::size_t>(seed)] >= 0) continue;
    const auto label = static_cast<std::int32_t>(result.clusters++);
    std::vector<std::int64_t> reached{seed};
    while (!reached.empty()) {
      const auto i = static_cast<std::size_t>(reached.back());
      reached.pop_back();
      if (result.labels[i] >= 0) continue;
      result.labels[i] = label;
      if (core[i]) reached.insert(reached.end(), near[i].begin(), near[i].end());
    }
  }
  return result;
}

inline void expect_equal(const DbscanResult& found, const DbscanResult& expected) {
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(found.core_rows, expected.core_rows);
  EXPECT_EQ(found.clusters, expected.clusters);
}

template <class Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace coterie::testing_support
