#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"
#include "cuda/reduce.cuh"
#include "cuda/rows.cuh"

namespace coterie::cuda {

/// `labels` are those of the rows of `x`; centroids are in host memory.
template <class T>
FixedSum inertia(const DeviceRows<T>& x, const std::int32_t* labels, MatrixView<const T> centroids,
                 double scale, int bits, cudaStream_t stream);

/// Rows are counted from the first of `x`.
template <class T>
std::vector<FarRow> farthest(const DeviceRows<T>& x, const std::int32_t* labels,
                             MatrixView<const T> centroids, std::int64_t count,
                             cudaStream_t stream);

/// `stream` outlives the passes, and so does the memory behind `x`.
template <class T>
std::unique_ptr<SeedingPasses<T>> seeding_passes(const DeviceRows<T>& x, cudaStream_t stream);
template <class T>
std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding_passes(const DeviceRows<T>& x,
                                                                  cudaStream_t stream);

}  // namespace coterie::cuda
