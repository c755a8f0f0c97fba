#include "cpu/eigen.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Tridiagonal = Eigen::Tridiagonalization<Eigen::MatrixXd>;

constexpr std::int64_t kBlockVectors = 32;  // found together: they stay in the cache
constexpr std::int64_t kSweepsPerValue = 30;

/// Turns rows `row` and `row + 1` by the angle with this cosine and sine.
struct Rotation {
  std::int64_t row;
  double cosine, sine;
};

/// Implicit QR iteration with Wilkinson's shift (Golub and Van Loan, Matrix Computations, 8.3) on a
/// symmetric tridiagonal matrix of entries up to 1. The rotations are kept, not multiplied
/// together: that would take O(size^3), and replaying them takes O(size^2) for each vector.
class TridiagonalQr {
 public:
  TridiagonalQr(std::vector<double> diagonal, std::vector<double> beside)
      : diagonal_(std::move(diagonal)), beside_(std::move(beside)) {
    std::int64_t sweeps = kSweepsPerValue * static_cast<std::int64_t>(diagonal_.size());
    for (std::size_t last = diagonal_.size() - 1; last > 0;) {
      std::size_t first = last;
      while (first > 0 && !negligible(first - 1)) --first;
      if (first == last) {
        --last;
        continue;
      }
      if (sweeps-- == 0) throw std::runtime_error("the eigensolver did not converge");
      sweep(first, last);
    }
  }

  /// In no order.
  const std::vector<double>& values() const { return diagonal_; }

  /// Makes each column, which holds a 1 in the row of its value, the vector of that value.
  void turn(RowMajor& columns) const {
    const std::int64_t count = columns.cols();
    for (auto rotation = rotations_.rbegin(); rotation != rotations_.rend(); ++rotation) {
      double* __restrict upper = columns.data() + rotation->row * count;
      double* __restrict lower = upper + count;
      for (std::int64_t j = 0; j < count; ++j) {
        const double above = upper[j];
        upper[j] = rotation->cosine * above - rotation->sine * lower[j];
        lower[j] = rotation->sine * above + rotation->cosine * lower[j];
      }
    }
  }

 private:
  /// Whether the matrix falls in two after row i.
  bool negligible(std::size_t i) const {
    constexpr double kPrecision = std::numeric_limits<double>::epsilon();
    const double neighbours = std::abs(diagonal_[i]) + std::abs(diagonal_[i + 1]);
    return std::abs(beside_[i]) <= std::max(kPrecision * neighbours, kPrecision * kPrecision);
  }

  double shift(std::size_t last) const {
    const double half = (diagonal_[last - 1] - diagonal_[last]) / 2;
    const double b = beside_[last - 1];
    const double root = std::sqrt(half * half + b * b);
    return diagonal_[last] - b * b / (half + (half < 0 ? -root : root));
  }

  /// One step on the rows from first to last: rotations chase what sticks out down and away.
  void sweep(std::size_t first, std::size_t last) {
    constexpr double kNothing = 1e-150;  // whose square is not a number to divide by
    double x = diagonal_[first] - shift(last);
    double z = beside_[first];
    for (std::size_t k = first; k < last && std::abs(z) > kNothing; ++k) {
      const double length = std::sqrt(x * x + z * z);
      const double c = x / length, s = z / length;
      rotations_.push_back({static_cast<std::int64_t>(k), c, s});
      if (k > first) beside_[k - 1] = length;
      const double a = diagonal_[k], b = beside_[k], d = diagonal_[k + 1];
      const double p = c * a + s * b, q = c * b + s * d;
      diagonal_[k] = c * p + s * q;
      diagonal_[k + 1] = c * (c * d - s * b) - s * (c * b - s * a);
      beside_[k] = x = c * q - s * p;
      if (k + 1 == last) return;
      z = s * beside_[k + 1];
      beside_[k + 1] *= c;
    }
  }

  std::vector<double> diagonal_, beside_;
  std::vector<Rotation> rotations_;
};

/// Where the `count` largest values lie, the largest first.
std::vector<std::int64_t> largest(const std::vector<double>& values, std::int64_t count) {
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

}  // namespace

Eigenpairs leading_eigenpairs(MatrixView<const double> symmetric, std::int64_t count,
                              const Context& ctx) {
  const std::int64_t size = symmetric.rows;
  const Eigen::Map<const RowMajor, 0, Eigen::OuterStride<>> upper(
      symmetric.data, size, size, Eigen::OuterStride<>(symmetric.stride));
  Eigen::MatrixXd scaled = upper.transpose().triangularView<Eigen::Lower>();
  const double scale = scaled.cwiseAbs().maxCoeff();
  if (scale > 0) scaled /= scale;
  const Tridiagonal tridiagonal(scaled);  // reads the lower triangle
  const Eigen::VectorXd diagonal = tridiagonal.diagonal(), beside = tridiagonal.subDiagonal();
  const TridiagonalQr qr({diagonal.begin(), diagonal.end()}, {beside.begin(), beside.end()});

  const auto places = largest(qr.values(), count);
  Eigenpairs pairs{std::vector<double>(static_cast<std::size_t>(count)),
                   Matrix<double>(count, size)};
  for (std::size_t i = 0; i < places.size(); ++i) {
    pairs.values[i] = scale * qr.values()[static_cast<std::size_t>(places[i])];
  }
  const std::int64_t blocks = (count + kBlockVectors - 1) / kBlockVectors;
  parallel_for(ctx, blocks, [&](std::int64_t block, int) {
    const std::int64_t first = block * kBlockVectors;
    RowMajor vectors = RowMajor::Zero(size, std::min(kBlockVectors, count - first));
    for (std::int64_t v = 0; v < vectors.cols(); ++v) {
      vectors(places[static_cast<std::size_t>(first + v)], v) = 1;
    }
    qr.turn(vectors);
    tridiagonal.matrixQ().applyThisOnTheLeft(vectors);
    Eigen::Map<RowMajor>(pairs.vectors.view().row(first), vectors.cols(), size) =
        vectors.transpose();
  });
  return pairs;
}

}  // namespace coterie::cpu
