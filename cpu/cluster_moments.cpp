#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/contract/distance.hpp"
#include "cpu/measures.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

/// Some of a cluster's rows, Grouping::rows[begin] to rows[end - 1]. Sums over pieces are merged in
/// their order, whichever thread made them.
struct Piece {
  std::int64_t cluster, begin, end;
};

constexpr std::int64_t kPieceRows = 4096;

std::vector<Piece> cut(const Grouping& groups) {
  std::vector<Piece> pieces;
  for (std::int64_t c = 0; c < groups.clusters(); ++c) {
    const std::int64_t end = groups.first[static_cast<std::size_t>(c) + 1];
    for (std::int64_t begin = groups.first[static_cast<std::size_t>(c)]; begin < end;
         begin += kPieceRows) {
      pieces.push_back({c, begin, std::min(begin + kPieceRows, end)});
    }
  }
  return pieces;
}

/// A cluster's first row: sums relative to it stay small where the data sit far from 0.
template <class T>
const T* anchor(MatrixView<const T> x, const Grouping& groups, std::int64_t cluster) {
  const std::int64_t first = groups.first[static_cast<std::size_t>(cluster)];
  return x.row(groups.rows[static_cast<std::size_t>(first)]);
}

template <class T>
Matrix<double> cluster_means(MatrixView<const T> x, const Grouping& groups,
                             const std::vector<Piece>& pieces, const Context& ctx) {
  Matrix<double> sums(static_cast<std::int64_t>(pieces.size()), x.cols);
  parallel_for(ctx, sums.rows, [&](std::int64_t p, int) {
    const Piece piece = pieces[static_cast<std::size_t>(p)];
    const T* origin = anchor(x, groups, piece.cluster);
    double* sum = sums.view().row(p);
    for (std::int64_t i = piece.begin; i < piece.end; ++i) {
      const T* row = x.row(groups.rows[static_cast<std::size_t>(i)]);
      for (std::int64_t j = 0; j < x.cols; ++j) {
        sum[j] += static_cast<double>(row[j]) - static_cast<double>(origin[j]);
      }
    }
  });
  Matrix<double> means(groups.clusters(), x.cols);
  for (std::int64_t p = 0; p < sums.rows; ++p) {
    double* mean = means.view().row(pieces[static_cast<std::size_t>(p)].cluster);
    for (std::int64_t j = 0; j < x.cols; ++j) mean[j] += sums.view()(p, j);
  }
  for (std::int64_t c = 0; c < means.rows; ++c) {
    const T* origin = anchor(x, groups, c);
    const auto size = static_cast<double>(groups.size(c));
    double* mean = means.view().row(c);
    for (std::int64_t j = 0; j < x.cols; ++j) {
      mean[j] = static_cast<double>(origin[j]) + mean[j] / size;
    }
  }
  return means;
}

}  // namespace

template <class T>
ClusterMoments cluster_moments(MatrixView<const T> x, const Grouping& groups, const Context& ctx) {
  const auto pieces = cut(groups);
  const auto clusters = static_cast<std::size_t>(groups.clusters());
  ClusterMoments moments{cluster_means(x, groups, pieces, ctx), std::vector<double>(clusters),
                         std::vector<double>(clusters)};
  const auto means = std::as_const(moments.means).view();
  std::vector<double> distance(pieces.size()), squared(pieces.size());
  parallel_for(ctx, static_cast<std::int64_t>(pieces.size()), [&](std::int64_t chunk, int) {
    const auto p = static_cast<std::size_t>(chunk);
    for (std::int64_t i = pieces[p].begin; i < pieces[p].end; ++i) {
      const T* row = x.row(groups.rows[static_cast<std::size_t>(i)]);
      const double square = squared_distance(row, means.row(pieces[p].cluster), x.cols);
      squared[p] += square;
      distance[p] += std::sqrt(square);
    }
  });
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    moments.distance[static_cast<std::size_t>(pieces[p].cluster)] += distance[p];
    moments.squared_distance[static_cast<std::size_t>(pieces[p].cluster)] += squared[p];
  }
  return moments;
}

template ClusterMoments cluster_moments(MatrixView<const float>, const Grouping&, const Context&);
template ClusterMoments cluster_moments(MatrixView<const double>, const Grouping&, const Context&);

}  // namespace coterie::cpu
