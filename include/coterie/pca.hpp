#pragma once

#include <cstdint>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

struct PcaParams {
  std::int64_t components = 0;  // leading axes to find; 0: all min(rows, cols) of them
};

/// Principal axes of x, in float64 whatever T is.
struct Pca {
  std::vector<double> mean;                // cols
  std::vector<double> explained_variance;  // descending, >= 0; divisor rows - 1
  Matrix<double> components;               // axes x cols, orthonormal rows
  double total_variance = 0;               // sum of the column variances
};

/// Covariance route: one pass in float64 for the means and the d x d scatter, then a self-adjoint
/// eigenproblem. Each axis has its entry of largest magnitude positive (the first of equals). Same
/// bits for any number of threads; across instruction sets and devices variances agree to 1e-10 of
/// the largest.
/// Throws std::invalid_argument when rows < 2, components is not in [0, min(rows, cols)] or a value
/// is not finite.
/// Time O(rows * cols^2 + cols^3), memory O(cols^2) for each of a few slices of the rows.
template <class T>
Pca pca(MatrixView<const T> x, const PcaParams& params = {}, const Context& ctx = {});

/// (x - mean) projected on the given axes (axes x cols): out is x.rows x axes.rows. Summed in
/// float64; the same bits for any number of threads and on every instruction set.
/// Throws std::invalid_argument when a value of x is not finite; what out holds then is unsaid.
template <class T>
void pca_transform(MatrixView<const T> x, const std::vector<double>& mean,
                   MatrixView<const double> axes, MatrixView<T> out, const Context& ctx = {});

/// The way back: mean + x's coordinates along the axes, x.rows x axes.cols; guarantees and failures
/// are pca_transform's.
template <class T>
void pca_inverse_transform(MatrixView<const T> x, const std::vector<double>& mean,
                           MatrixView<const double> axes, MatrixView<T> out,
                           const Context& ctx = {});

extern template COTERIE_API Pca pca(MatrixView<const float>, const PcaParams&, const Context&);
extern template COTERIE_API Pca pca(MatrixView<const double>, const PcaParams&, const Context&);
extern template COTERIE_API void pca_transform(MatrixView<const float>, const std::vector<double>&,
                                               MatrixView<const double>, MatrixView<float>,
                                               const Context&);
extern template COTERIE_API void pca_transform(MatrixView<const double>, const std::vector<double>&,
                                               MatrixView<const double>, MatrixView<double>,
                                               const Context&);
extern template COTERIE_API void pca_inverse_transform(MatrixView<const float>,
                                                       const std::vector<double>&,
                                                       MatrixView<const double>, MatrixView<float>,
                                                       const Context&);
extern template COTERIE_API void pca_inverse_transform(MatrixView<const double>,
                                                       const std::vector<double>&,
                                                       MatrixView<const double>, MatrixView<double>,
                                                       const Context&);

}  // namespace coterie
