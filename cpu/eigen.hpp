#pragma once

#include <vector>

#include "coterie/matrix.hpp"

namespace coterie::cpu {

struct Eigenpairs {
  std::vector<double> values;  // descending
  Matrix<double> vectors;      // a row for each value, orthonormal
};

/// Of a symmetric matrix, whose upper triangle is read. Runs on the host for every device.
Eigenpairs self_adjoint_eigenpairs(MatrixView<const double> symmetric);

}  // namespace coterie::cpu
