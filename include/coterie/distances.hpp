#pragma once

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

enum class Metric { Euclidean, SquaredEuclidean };

/// out(i, j) = distance of x's row i and y's row j, computed from differences in float64 and
/// rounded once to T; a row's distance to an equal row is exactly 0.
/// Throws std::invalid_argument when shapes disagree or a value is not finite.
/// Time O(x.rows * y.rows * cols); no memory beyond out but a tile for each thread.
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
