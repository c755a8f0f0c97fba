#pragma once

#include <memory>
#include <span>

#include "core/contract/gap.hpp"
#include "core/contract/kmeans.hpp"
#include "core/contract/measures.hpp"
#include "core/contract/neighbors.hpp"
#include "core/contract/parallel_for.hpp"
#include "core/contract/pca.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// What a device offers for one element type. A null entry: not on this device yet.
template <class T>
struct DeviceFunctions {
  /// The rows and weights (empty: all 1) stay the caller's and outlive the passes.
  std::unique_ptr<KMeansPasses<T>> (*kmeans)(MatrixView<const T> x, std::span<const double> weights,
                                             const Context& ctx) = nullptr;
  PairwiseDistances<T> pairwise_distances = nullptr;
  MakeClusterPasses<T> clusters = nullptr;
  Silhouettes<T> silhouettes = nullptr;
  SquaredSilhouettes<T> squared_silhouettes = nullptr;
  /// Copies some rows of x, which lies in the device's own memory, to the host. Null for the CPU.
  void (*copy_rows)(MatrixView<const T> x, std::span<const std::int64_t> rows, T* out,
                    const Context& ctx) = nullptr;
  ScatterPass<T> scatter = nullptr;
  ProjectPass<T> project = nullptr;
  MakeReferencePass<T> references = nullptr;
  MakeNeighborPasses<T> neighbors = nullptr;
  FindDonors<T> donors = nullptr;
};

/// The table of a device. A loaded library hands one out through `coterie_device_table`.
struct DeviceTable {
  static constexpr int kAbi = 3;  // raised whenever a contract header changes

  int abi = kAbi;
  Device device = Device::Cpu;
  DeviceFunctions<float> f32;
  DeviceFunctions<double> f64;

  template <class T>
  const DeviceFunctions<T>& functions() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// What the library's one C entry point, which is lent the host's threads, returns.
struct DeviceLibrary {
  int abi = DeviceTable::kAbi;
  const DeviceTable* table = nullptr;  // null: no usable device
  const char* detail = "";             // the device's name, or why there is none; static storage
};
using DeviceLibraryEntry = const DeviceLibrary* (*)(ParallelFor host_threads);
inline constexpr const char* kDeviceLibraryEntry = "coterie_device_library";

}  // namespace coterie
