#include <algorithm>
#include <cmath>
#include <limits>

#include "core/contract/distance.hpp"
#include "cuda/kmeans.cuh"

namespace coterie::cuda {
namespace {

/// sums: the two limbs.
template <class T>
__global__ void __launch_bounds__(kThreads)
    inertia_kernel(const __grid_constant__ DeviceRows<T> x, const std::int32_t* labels,
                   const T* centroids, double scale, double limb, Word* sums) {
  std::int64_t high = 0;
  std::int64_t low = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    const double distance = squared_distance(x.row(i), centroids + labels[i] * x.cols, x.cols);
    std::int64_t more_high, more_low;
    to_limbs(x.weight(i) * distance, scale, limb, &more_high, &more_low);
    high += more_high;
    low += more_low;
  }
  block_add(&sums[0], high);
  block_add(&sums[1], low);
}

/// A row and its distance.
struct Far {
  double distance;
  std::int64_t row;
};

/// Whether a comes before b: farther, or as far and a lower row.
__host__ __device__ bool farther(const Far& a, const Far& b) {
  return a.distance != b.distance ? a.distance > b.distance : a.row < b.row;
}

/// distances: to the own centroid, canonical; -1 for rows of no weight.
template <class T>
__global__ void __launch_bounds__(kThreads)
    own_distances_kernel(const __grid_constant__ DeviceRows<T> x, const std::int32_t* labels,
                         const T* centroids, double* distances) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    distances[i] =
        x.weight(i) > 0 ? squared_distance(x.row(i), centroids + labels[i] * x.cols, x.cols) : -1;
  }
}

/// The first in order among the rows that come after `last`, by block: one sweep for each row
/// found, which is cheap as few clusters are ever empty.
__global__ void __launch_bounds__(kThreads)
    next_farthest_kernel(const double* distances, std::int64_t rows, Far last, Far* found) {
  Far first = {-1, rows};  // after every row
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows; i += step) {
    const Far candidate = {distances[i], i};
    if (farther(last, candidate) && farther(candidate, first)) first = candidate;
  }
  COTERIE_SHARED(double, distance_of, kThreads);
  COTERIE_SHARED(std::int64_t, row_of, kThreads);
  distance_of[threadIdx.x] = first.distance;
  row_of[threadIdx.x] = first.row;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    const Far other = {distance_of[threadIdx.x + half], row_of[threadIdx.x + half]};
    if (!farther(other, first)) continue;
    first = other;
    distance_of[threadIdx.x] = first.distance;
    row_of[threadIdx.x] = first.row;
  }
  if (threadIdx.x == 0) found[blockIdx.x] = first;
}

}  // namespace

template <class T>
FixedSum inertia(const DeviceRows<T>& x, const std::int32_t* labels, MatrixView<const T> centroids,
                 double scale, int bits, cudaStream_t stream) {
  const Buffer<T> points = upload_matrix(centroids, stream);
  Buffer<Word> sums(2, stream);
  fill_zero(sums, stream);
  launch(inertia_kernel<T>, grid_for(x.rows, kThreads), kThreads, 0, stream, x, labels,
         points.data(), scale, std::ldexp(1.0, bits), sums.data());
  FixedSum sum;
  static_assert(sizeof sum == 2 * sizeof(Word));
  download(reinterpret_cast<const FixedSum*>(sums.data()), 1, &sum, stream);
  return sum;
}

template <class T>
std::vector<FarRow> farthest(const DeviceRows<T>& x, const std::int32_t* labels,
                             MatrixView<const T> centroids, std::int64_t count,
                             cudaStream_t stream) {
  const Buffer<T> points = upload_matrix(centroids, stream);
  const Buffer<double> distances(x.rows, stream);
  const unsigned blocks = grid_for(x.rows, kThreads);
  launch(own_distances_kernel<T>, blocks, kThreads, 0, stream, x, labels, points.data(),
         distances.data());
  const Buffer<Far> found(blocks, stream);
  std::vector<Far> by_block(blocks);
  std::vector<FarRow> rows;
  Far last = {std::numeric_limits<double>::infinity(), -1};
  while (static_cast<std::int64_t>(rows.size()) < std::min(count, x.rows)) {
    launch(next_farthest_kernel, blocks, kThreads, 0, stream, distances.data(), x.rows, last,
           found.data());
    download(found.data(), found.size(), by_block.data(), stream);
    last = *std::min_element(by_block.begin(), by_block.end(), farther);
    if (last.distance < 0) break;  // only rows of no weight are left
    rows.push_back({last.distance, last.row});
  }
  return rows;
}

template FixedSum inertia(const DeviceRows<float>&, const std::int32_t*, MatrixView<const float>,
                          double, int, cudaStream_t);
template FixedSum inertia(const DeviceRows<double>&, const std::int32_t*, MatrixView<const double>,
                          double, int, cudaStream_t);
template std::vector<FarRow> farthest(const DeviceRows<float>&, const std::int32_t*,
                                      MatrixView<const float>, std::int64_t, cudaStream_t);
template std::vector<FarRow> farthest(const DeviceRows<double>&, const std::int32_t*,
                                      MatrixView<const double>, std::int64_t, cudaStream_t);

}  // namespace coterie::cuda
