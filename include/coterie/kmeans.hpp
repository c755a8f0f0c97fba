#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

enum class Seeding {
  PlusPlus,    // greedy k-means++ (Arthur & Vassilvitskii 2007): reads x once for each cluster
  RandomRows,  // distinct rows, drawn in proportion to their weight
  Parallel     // k-means|| (Bahmani et al. 2012): six reads of x, O(rows * cols * 10 clusters)
};

struct KMeansParams {
  std::int64_t clusters = 8;
  Seeding seeding = Seeding::PlusPlus;
  int restarts = 1;  // the fit of least inertia wins; ties go to the earlier one
  int trials = 0;    // candidates of each k-means++ round; 0: 2 + floor(ln clusters)
  std::int64_t max_iterations = 300;
  double tolerance = 1e-4;  // on the summed squared shift, relative to the mean column variance
  std::uint64_t seed = 0;
  std::span<const double> weights = {};  // one per row, finite, >= 0; empty: every row counts once
};

template <class T>
struct KMeansResult {
  std::vector<std::int32_t> labels;  // nearest centroid of each row; ties to the lowest index
  Matrix<T> centroids;               // clusters x cols
  double inertia = 0;                // sum of weight * squared distance to the own centroid
  std::int64_t iterations = 0;
  std::int64_t occupied = 0;   // clusters that have a row: fewer than asked for if rows coincide
  std::int64_t rechecked = 0;  // labels that float32 could not decide and float64 did
  std::int64_t passes = 0;     // assignments of all rows, over all restarts and iterations
};

/// One model of a sweep: a k, and either its own starts (one restart from each) or none.
template <class T>
struct KMeansModel {
  std::int64_t clusters = 8;
  std::vector<MatrixView<const T>> starts = {};  // each clusters x cols
};

/// Lloyd's algorithm (1982). Labels, centroids, inertia and iterations are the same bits on every
/// device, instruction set and thread count. An empty cluster moves to the row farthest from its
/// own centroid. `params.clusters` is ignored where models say their own.
/// Throws std::invalid_argument when a value is not finite, clusters > rows, or sizes disagree.
/// Time O(iterations * rows * cols * clusters); memory 4 bytes a row and running model, 12 in
/// float32 where bounds pay (clusters * cols from 1024 on; Hamerly, SDM 2010), 8 bytes a row while
/// seeding (12 by k-means||), and 16 bytes a centroid's column for each thread and running model.
template <class T>
KMeansResult<T> kmeans(MatrixView<const T> x, const KMeansParams& params = {},
                       const Context& ctx = {});

/// Many models, each equal to its own kmeans() to the last bit; every iteration reads x once for
/// all models still running.
template <class T>
std::vector<KMeansResult<T>> kmeans_sweep(MatrixView<const T> x,
                                          std::span<const KMeansModel<T>> models,
                                          const KMeansParams& params = {}, const Context& ctx = {});

/// The rows that greedy k-means++ picks, in the order picked. Uses clusters, trials, seed, weights.
template <class T>
std::vector<std::int64_t> kmeans_plusplus(MatrixView<const T> x, const KMeansParams& params = {},
                                          const Context& ctx = {});

struct Assignment {
  std::vector<std::int32_t> labels;
  double inertia = 0;
};

/// Writes each row's nearest centroid by the canonical distance, ties to the lowest index. Reads x
/// once; O(rows * centroids * cols) time, no memory for each row. When a value of x is not finite
/// it throws std::invalid_argument, and labels hold anything. Where x lies on a GPU, labels may
/// too.
template <class T>
void predict(MatrixView<const T> x, MatrixView<const T> centroids, std::span<std::int32_t> labels,
             const Context& ctx = {});

/// The same with the inertia, for which x is read twice; weights as in KMeansParams.
template <class T>
Assignment assign(MatrixView<const T> x, MatrixView<const T> centroids,
                  std::span<const double> weights = {}, const Context& ctx = {});

extern template COTERIE_API KMeansResult<float> kmeans(MatrixView<const float>, const KMeansParams&,
                                                       const Context&);
extern template COTERIE_API KMeansResult<double> kmeans(MatrixView<const double>,
                                                        const KMeansParams&, const Context&);
extern template COTERIE_API std::vector<KMeansResult<float>> kmeans_sweep(
    MatrixView<const float>, std::span<const KMeansModel<float>>, const KMeansParams&,
    const Context&);
extern template COTERIE_API std::vector<KMeansResult<double>> kmeans_sweep(
    MatrixView<const double>, std::span<const KMeansModel<double>>, const KMeansParams&,
    const Context&);
extern template COTERIE_API std::vector<std::int64_t> kmeans_plusplus(MatrixView<const float>,
                                                                      const KMeansParams&,
                                                                      const Context&);
extern template COTERIE_API std::vector<std::int64_t> kmeans_plusplus(MatrixView<const double>,
                                                                      const KMeansParams&,
                                                                      const Context&);
extern template COTERIE_API Assignment assign(MatrixView<const float>, MatrixView<const float>,
                                              std::span<const double>, const Context&);
extern template COTERIE_API Assignment assign(MatrixView<const double>, MatrixView<const double>,
                                              std::span<const double>, const Context&);
extern template COTERIE_API void predict(MatrixView<const float>, MatrixView<const float>,
                                         std::span<std::int32_t>, const Context&);
extern template COTERIE_API void predict(MatrixView<const double>, MatrixView<const double>,
                                         std::span<std::int32_t>, const Context&);

}  // namespace coterie
