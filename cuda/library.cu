#include <string>

#include "core/contract/device.hpp"
#include "cuda/gap.cuh"
#include "cuda/kmeans_passes.cuh"
#include "cuda/knn_donors.cuh"
#include "cuda/measures.cuh"
#include "cuda/neighbor_passes.cuh"
#include "cuda/pca.cuh"
#include "cuda/runtime.cuh"

namespace coterie::cuda {
namespace {

__global__ void probe_kernel() {}

std::string compute_capability(const cudaDeviceProp& device) {
  return std::to_string(device.major) + "." + std::to_string(device.minor);
}

struct Found {
  bool usable = false;
  std::string detail;
};

std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// Why there is no device, in words: the runtime calls a missing driver an old one.
std::string absence(cudaError_t status) {
  int driver = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  if (driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorNoDevice) return "the NVIDIA driver finds no GPU";
  if (status == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver is too old: it is for CUDA " + cuda_version(driver) +
           ", this build needs one for CUDA " + cuda_version(CUDART_VERSION) + " or newer";
  }
  return std::string("no usable GPU: ") + cudaGetErrorString(status);
}

/// Looks for a GPU that this library has code for. No driver is not an error: it is the ordinary
/// case on a machine without a GPU.
Found find_device() {
  int count = 0;
  cudaDeviceProp device;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count == 0) status = cudaErrorNoDevice;
  if (status == cudaSuccess) status = cudaGetDeviceProperties(&device, 0);
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {false, absence(status)};
  }
  cudaFuncAttributes attributes;
  status = cudaFuncGetAttributes(&attributes, probe_kernel);
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {false, std::string(device.name) + " (compute capability " + compute_capability(device) +
                       ") cannot run this build: " + cudaGetErrorString(status)};
  }
  return {true,
          std::string(device.name) + " (compute capability " + compute_capability(device) + ")"};
}

template <class T>
void add_measures(DeviceFunctions<T>* functions) {
  functions->pairwise_distances = pairwise_distances<T>;
  functions->clusters = cluster_passes<T>;
  functions->silhouettes = silhouettes<T>;
  functions->squared_silhouettes = squared_silhouettes<T>;
}

template <class T>
void add_pca(DeviceFunctions<T>* functions) {
  functions->scatter = scatter<T>;
  functions->project = project<T>;
  functions->copy_rows = copy_rows<T>;
}

template <class T>
void add_neighbors(DeviceFunctions<T>* functions) {
  functions->neighbors = neighbor_passes<T>;
  functions->donors = find_donors<T>;
}

DeviceTable make_table() {
  DeviceTable table;
  table.device = Device::Cuda;
  table.f32.kmeans = kmeans_passes<float>;
  table.f64.kmeans = kmeans_passes<double>;
  table.f32.references = reference_pass<float>;
  table.f64.references = reference_pass<double>;
  add_measures(&table.f32);
  add_measures(&table.f64);
  add_pca(&table.f32);
  add_pca(&table.f64);
  add_neighbors(&table.f32);
  add_neighbors(&table.f64);
  return table;
}

}  // namespace
}  // namespace coterie::cuda

/// The library's one entry: see core/contract/device.hpp.
extern "C" __attribute__((visibility("default"))) const coterie::DeviceLibrary*
coterie_device_library(coterie::ParallelFor host_threads) {
  coterie::cuda::borrow_threads(host_threads);
  static const coterie::cuda::Found found = coterie::cuda::find_device();
  static const coterie::DeviceTable table = coterie::cuda::make_table();
  static const coterie::DeviceLibrary library = {
      coterie::DeviceTable::kAbi, found.usable ? &table : nullptr, found.detail.c_str()};
  return &library;
}
