#pragma once

#include <cstdint>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

struct KnnImputeParams {
  std::int64_t neighbors = 5;     // donors of a value, >= 1
  bool distance_weights = false;  // weigh donors by 1 / distance; else all alike
};

/// Fills what is missing (NaN) in `queries` from the nearest rows of `x` that have it
/// (Troyanskaya et al., "Missing value estimation methods for DNA microarrays", 2001), into `out`.
/// The distance of two rows is that of the columns which both have, scaled up by cols over their
/// number. A value whose row has nothing in common with any donor becomes the column's mean in x; a
/// column that x lacks altogether stays NaN. Equally near donors: the lower rows.
/// Time O(queries.rows * x.rows * cols); memory O(n) beyond out. Throws std::invalid_argument when
/// shapes disagree, neighbors < 1 or a value is infinite.
template <class T>
void knn_impute(MatrixView<const T> x, MatrixView<const T> queries, const KnnImputeParams& params,
                MatrixView<T> out, const Context& ctx = {});

extern template COTERIE_API void knn_impute(MatrixView<const float>, MatrixView<const float>,
                                            const KnnImputeParams&, MatrixView<float>,
                                            const Context&);
extern template COTERIE_API void knn_impute(MatrixView<const double>, MatrixView<const double>,
                                            const KnnImputeParams&, MatrixView<double>,
                                            const Context&);

}  // namespace coterie
