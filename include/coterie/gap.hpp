#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/kmeans.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Where the reference data sets are drawn uniformly.
enum class ReferenceBox {
  Columns,        // the range of each of x's columns
  PrincipalAxes,  // the range along each of x's principal axes: follows x's shape (rows >= 2)
};

struct GapParams {
  int references = 10;  // data sets
  ReferenceBox box = ReferenceBox::Columns;
  KMeansParams kmeans = {};
};

struct GapStatistic {
  std::vector<double> gap;                       // one per k
  std::vector<double> standard_error;            // s_k = sd * sqrt(1 + 1 / references)
  std::vector<double> log_dispersion;            // ln W_k of x
  std::vector<double> reference_log_dispersion;  // mean over the references
};

/// Gap statistic (Tibshirani, Walther & Hastie 2001) with W_k = the inertia of k-means.
/// References come from the counter-based generator, one data set of x's size at a time, drawn in
/// the memory of the device that fits them. A W_k of 0 counts as the least normal double, so that
/// logarithms stay finite. As exact as k-means; along principal axes, as the PCA.
template <class T>
GapStatistic gap_statistic(MatrixView<const T> x, std::span<const std::int64_t> clusters,
                           const GapParams& params = {}, const Context& ctx = {});

extern template COTERIE_API GapStatistic gap_statistic(MatrixView<const float>,
                                                       std::span<const std::int64_t>,
                                                       const GapParams&, const Context&);
extern template COTERIE_API GapStatistic gap_statistic(MatrixView<const double>,
                                                       std::span<const std::int64_t>,
                                                       const GapParams&, const Context&);

}  // namespace coterie
