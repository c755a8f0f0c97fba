#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cuda/buffer.cuh"

namespace cuda_on_cpu_testing {

/// A suite that runs once for each order in which the layer gives threads their turns; on a GPU the
/// order changes nothing. Without one it is skipped, or fails where COTERIE_REQUIRE_CUDA=1.
class EachOrder : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    setenv("COTERIE_EMULATED_ORDER", GetParam(), 1);
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    if (status == cudaSuccess) return;
    const char* required = std::getenv("COTERIE_REQUIRE_CUDA");
    if (required != nullptr && std::string(required) == "1") {
      FAIL() << "COTERIE_REQUIRE_CUDA=1, but " << cudaGetErrorString(status);
    }
    GTEST_SKIP() << "NOT TESTED: " << cudaGetErrorString(status);
  }
  void TearDown() override { unsetenv("COTERIE_EMULATED_ORDER"); }
};

inline std::string order_name(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

/// A vector's values in device memory.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values)
      : memory_(static_cast<std::int64_t>(values.size()), nullptr) {
    coterie::cuda::upload(values.data(), memory_.size(), memory_.data(), nullptr);
  }
  explicit OnDevice(std::size_t size, T value = {}) : OnDevice(std::vector<T>(size, value)) {}

  T* data() const { return memory_.data(); }

  /// Waits for the kernels.
  std::vector<T> values() const {
    std::vector<T> values(static_cast<std::size_t>(memory_.size()));
    coterie::cuda::download(memory_.data(), memory_.size(), values.data(), nullptr);
    return values;
  }

 private:
  coterie::cuda::Buffer<T> memory_;
};

}  // namespace cuda_on_cpu_testing

#define CUDA_ON_CPU_IN_EACH_ORDER(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(Orders, suite, ::testing::Values("forward", "reverse", "shuffled"), \
                           ::cuda_on_cpu_testing::order_name)
