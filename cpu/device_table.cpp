#include "cpu/device_table.hpp"

#include "cpu/gap.hpp"
#include "cpu/kmeans.hpp"
#include "cpu/knn_donors.hpp"
#include "cpu/measures.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/pca.hpp"

namespace coterie::cpu {
namespace {

template <class T>
DeviceFunctions<T> functions() {
  return {.kmeans = kmeans_passes<T>,
          .pairwise_distances = pairwise_distances<T>,
          .clusters = cluster_passes<T>,
          .silhouettes = silhouettes<T>,
          .squared_silhouettes = squared_silhouettes<T>,
          .scatter = scatter<T>,
          .project = project<T>,
          .references = reference_pass<T>,
          .neighbors = neighbor_passes<T>,
          .donors = find_donors<T>};
}

}  // namespace

const DeviceTable& device_table() {
  static const DeviceTable table{
      .device = Device::Cpu, .f32 = functions<float>(), .f64 = functions<double>()};
  return table;
}

}  // namespace coterie::cpu
