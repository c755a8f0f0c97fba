#include "cpu/eigen.hpp"

#include <Eigen/Eigenvalues>
#include <stdexcept>

namespace coterie::cpu {

Eigenpairs self_adjoint_eigenpairs(MatrixView<const double> symmetric) {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor, 0, Eigen::OuterStride<>> upper(
      symmetric.data, symmetric.rows, symmetric.cols, Eigen::OuterStride<>(symmetric.stride));
  // Eigen reads the lower triangle.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(upper.transpose());
  if (solver.info() != Eigen::Success) throw std::runtime_error("the eigensolver did not converge");

  const std::int64_t size = symmetric.rows;
  Eigenpairs pairs{std::vector<double>(static_cast<std::size_t>(size)), Matrix<double>(size, size)};
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t ascending = size - 1 - i;
    pairs.values[static_cast<std::size_t>(i)] = solver.eigenvalues()[ascending];
    for (std::int64_t j = 0; j < size; ++j) {
      pairs.vectors.view()(i, j) = solver.eigenvectors()(j, ascending);
    }
  }
  return pairs;
}

}  // namespace coterie::cpu
