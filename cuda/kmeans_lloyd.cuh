#pragma once

#include "core/contract/distance.hpp"
#include "cuda/kmeans.cuh"

namespace coterie::cuda {

/// Where a task's integer sums lie in one run of words, in shared or global memory.
struct SumsView {
  Word* words;
  std::int64_t clusters;
  std::int64_t cols;

  __host__ __device__ static std::int64_t size(std::int64_t clusters, std::int64_t cols) {
    return 2 + clusters * (2 * cols + 2);
  }
  __host__ __device__ Word* changed() const { return words; }
  __host__ __device__ Word* rechecked() const { return words + 1; }
  __host__ __device__ Word* high() const { return words + 2; }  // clusters x cols
  __host__ __device__ Word* low() const { return high() + clusters * cols; }
  __host__ __device__ Word* weight_high() const { return low() + clusters * cols; }
  __host__ __device__ Word* weight_low() const { return weight_high() + clusters; }
};

/// How far a model has come whose centroids the device moves.
struct ModelState {
  Standing standing = Standing::Goes;
  std::int64_t moves = 0;
  std::int64_t changed = 0;         // rows, in the last pass
  std::int64_t last_rechecked = 0;  // in the last pass
  std::int64_t rechecked = 0;       // in all passes
};

/// One model's share of a pass, on the device.
template <class T>
struct DeviceTask {
  const T* points;              // the distinct centroids, contiguous
  const std::int32_t* indices;  // their numbers in the model, ascending
  std::int32_t distinct;
  std::int32_t clusters;
  std::int32_t* labels;
  Word* sums;          // see SumsView
  bool follow_labels;  // whether sums move with the labels; else only `changed` and `rechecked`
  const ModelState* state;  // of the model; null: only the host moves its centroids

  /// Passes may be queued before it is known that the model has stopped.
  __device__ bool stopped() const { return state != nullptr && state->standing != Standing::Goes; }
};

/// How weighted rows become integers.
struct DeviceFrame {
  const double* shift;
  const double* scale;
  double limb;
  double weight_scale;
  int bits;  // of a limb
};

struct Nearest {
  double distance;
  std::int32_t point;
};

/// The canonically nearest of points first, first + step, ...; ties to the lowest.
template <class T>
__device__ Nearest nearest_point(const T* x, const T* points, std::int64_t stride,
                                 std::int64_t cols, std::int32_t count, std::int32_t first = 0,
                                 std::int32_t step = 1) {
  Nearest nearest = {HUGE_VAL, first};
  for (std::int32_t p = first; p < count; p += step) {
    const double distance = squared_distance(x, points + p * stride, cols);
    if (distance < nearest.distance) nearest = {distance, p};
  }
  return nearest;
}

/// Adds the limbs of one weighted value to a cluster's column, with the sign.
__device__ inline void move_value(const SumsView& sums, std::int64_t from, std::int64_t to,
                                  std::int64_t col, double value, double weight,
                                  const DeviceFrame& frame) {
  std::int64_t high, low;
  to_limbs(weight * (value - frame.shift[col]), frame.scale[col], frame.limb, &high, &low);
  atomic_add(&sums.high()[to * sums.cols + col], high);
  if (from >= 0) atomic_add(&sums.high()[from * sums.cols + col], -high);
  if (low == 0) return;  // nearly always for float32
  atomic_add(&sums.low()[to * sums.cols + col], low);
  if (from >= 0) atomic_add(&sums.low()[from * sums.cols + col], -low);
}

/// The same for the row's weight.
__device__ inline void move_weight(const SumsView& sums, std::int64_t from, std::int64_t to,
                                   double weight, const DeviceFrame& frame) {
  std::int64_t high, low;
  to_limbs(weight, frame.weight_scale, frame.limb, &high, &low);
  atomic_add(&sums.weight_high()[to], high);
  atomic_add(&sums.weight_low()[to], low);
  if (from < 0) return;
  atomic_add(&sums.weight_high()[from], -high);
  atomic_add(&sums.weight_low()[from], -low);
}

/// All values of a row, the lanes of a warp side by side. Atomics are enough where there are many
/// sums: only rows that changed come here, and a warp's 32 lie at different addresses.
template <class T>
__device__ void move_row(const SumsView& sums, const DeviceRows<T>& x, std::int64_t row,
                         std::int64_t from, std::int64_t to, const DeviceFrame& frame, int lane) {
  for (std::int64_t j = lane; j < x.cols; j += kWarp) {
    move_value(sums, from, to, j, static_cast<double>(x.row(row)[j]), x.weight(row), frame);
  }
}

}  // namespace coterie::cuda
