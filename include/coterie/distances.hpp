#pragma once

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

enum class Metric {
  Euclidean,
  SquaredEuclidean,
  Cosine,     // 1 - the cosine of the angle, in [0, 2]; 1 to and from a row of zeros
  Manhattan,  // sum of the absolute differences
  Chebyshev,  // largest absolute difference
};

/// out(i, j) = distance of x's row i and y's row j, computed from differences (for Cosine: of the
/// rows divided by their lengths) in float64 and rounded once to T: the same bits for any number of
/// threads and instruction set. A row is exactly 0 from itself and from an equal row; only under
/// Cosine is a row of zeros 1 from another such row. Where y is x, the CPU computes half of out.
/// Throws std::invalid_argument when shapes disagree or a value is not finite.
/// Time O(x.rows * y.rows * cols); no memory beyond out but a few tiles for each thread and,
/// under Cosine, 16 bytes a row. An out aligned to 64 bytes, rows included, is written fastest.
template <class T>
void pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx = {});

extern template COTERIE_API void pairwise_distances(MatrixView<const float>,
                                                    MatrixView<const float>, Metric,
                                                    MatrixView<float>, const Context&);
extern template COTERIE_API void pairwise_distances(MatrixView<const double>,
                                                    MatrixView<const double>, Metric,
                                                    MatrixView<double>, const Context&);

}  // namespace coterie
