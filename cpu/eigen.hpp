#pragma once

#include <vector>

#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie::cpu {

struct Eigenpairs {
  std::vector<double> values;  // descending
  Matrix<double> vectors;      // a row for each value, orthonormal
};

/// The `count` largest of a symmetric matrix, whose upper triangle is read. Runs on the host for
/// every device; the same bits for any number of threads.
Eigenpairs leading_eigenpairs(MatrixView<const double> symmetric, std::int64_t count,
                              const Context& ctx);

}  // namespace coterie::cpu
