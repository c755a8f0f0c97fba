#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/distances.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Silhouette of each row (Rousseeuw 1987); 0 for a cluster of one row. Labels are any int32; there
/// must be 2 to rows - 1 distinct ones. Euclidean: exact over all pairs, O(rows^2 * cols) time;
/// squared Euclidean: closed form, O(rows * clusters * cols). 20 bytes of memory a row, float64
/// sums, the same bits for any number of threads and instruction set.
/// Throws std::invalid_argument for another metric, bad labels, sizes or values that are not
/// finite.
template <class T>
std::vector<double> silhouette_samples(MatrixView<const T> x, std::span<const std::int32_t> labels,
                                       Metric metric = Metric::Euclidean, const Context& ctx = {});

struct Estimate {
  double value = 0;
  double standard_error = 0;
};

/// Mean silhouette from `sample_size` rows drawn without replacement, stratified by cluster, each
/// against all rows; the standard error has the finite-population correction. All rows when
/// sample_size >= rows (error 0).
template <class T>
Estimate silhouette_sampled(MatrixView<const T> x, std::span<const std::int32_t> labels,
                            std::int64_t sample_size, std::uint64_t seed = 0,
                            Metric metric = Metric::Euclidean, const Context& ctx = {});

/// Davies & Bouldin (1979); lower is better. O(rows * cols + clusters^2 * cols) time, 4 bytes of
/// memory a row; means and spreads from integer sums, the same bits on any device. Throws
/// std::invalid_argument as above, and where sums of squared distances would overflow float64.
template <class T>
double davies_bouldin(MatrixView<const T> x, std::span<const std::int32_t> labels,
                      const Context& ctx = {});

/// Calinski & Harabasz (1974), the variance ratio; higher is better. Cost and errors as above.
template <class T>
double calinski_harabasz(MatrixView<const T> x, std::span<const std::int32_t> labels,
                         const Context& ctx = {});

extern template COTERIE_API std::vector<double> silhouette_samples(MatrixView<const float>,
                                                                   std::span<const std::int32_t>,
                                                                   Metric, const Context&);
extern template COTERIE_API Estimate silhouette_sampled(MatrixView<const float>,
                                                        std::span<const std::int32_t>, std::int64_t,
                                                        std::uint64_t, Metric, const Context&);
extern template COTERIE_API double davies_bouldin(MatrixView<const float>,
                                                  std::span<const std::int32_t>, const Context&);
extern template COTERIE_API double calinski_harabasz(MatrixView<const float>,
                                                     std::span<const std::int32_t>, const Context&);
extern template COTERIE_API std::vector<double> silhouette_samples(MatrixView<const double>,
                                                                   std::span<const std::int32_t>,
                                                                   Metric, const Context&);
extern template COTERIE_API Estimate silhouette_sampled(MatrixView<const double>,
                                                        std::span<const std::int32_t>, std::int64_t,
                                                        std::uint64_t, Metric, const Context&);
extern template COTERIE_API double davies_bouldin(MatrixView<const double>,
                                                  std::span<const std::int32_t>, const Context&);
extern template COTERIE_API double calinski_harabasz(MatrixView<const double>,
                                                     std::span<const std::int32_t>, const Context&);

}  // namespace coterie
