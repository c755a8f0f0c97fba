#include "cpu/device_table.hpp"

#include "cpu/kmeans.hpp"
#include "cpu/measures.hpp"
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
          .project = project<T>};
}

}  // namespace

const DeviceTable& device_table() {
  static const DeviceTable table{
      .device = Device::Cpu, .f32 = functions<float>(), .f64 = functions<double>()};
  return table;
}

}  // namespace coterie::cpu
