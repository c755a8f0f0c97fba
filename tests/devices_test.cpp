// Which device a call gets, and what is said where the GPU cannot be used. The CUDA library is
// looked for once in a process, so each case has one of its own.
#include "coterie/devices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/device.hpp"
#include "coterie/distances.hpp"
#include "coterie/kmeans.hpp"

namespace coterie {
namespace {

using Environment = std::vector<std::pair<const char*, const char*>>;

/// Prints what devices() says of the GPU, and what a call that asks for it says.
[[noreturn]] void ask_for_the_gpu(const Environment& environment) {
  for (const auto& [name, value] : environment) setenv(name, value, 1);
  const DeviceInfo cuda = devices()[1];
  std::fprintf(stderr, "%s %s: %s\n", cuda.kind.c_str(), cuda.usable ? "usable" : "not usable",
               cuda.detail.c_str());
  const std::vector<float> x{0, 1, 5, 6};
  try {
    kmeans<float>({x.data(), 4, 1, 1}, {.clusters = 2}, Device::Cuda);
    std::fprintf(stderr, "call: done\n");
  } catch (const DeviceUnavailable& error) {
    std::fprintf(stderr, "call: %s\n", error.what());
  }
  std::exit(0);
}

/// devices() and a call give the same reason.
void expect_reason(const Environment& environment, const std::string& reason) {
  EXPECT_EXIT(ask_for_the_gpu(environment), testing::ExitedWithCode(0),
              "cuda not usable: " + reason + ".*\ncall: device \"cuda\" is not usable: " + reason);
}

TEST(DevicesDeathTest, LibraryThatIsNotThereIsNamed) {
  expect_reason({{"COTERIE_CUDA_LIBRARY", "/no/where.so"}}, "no CUDA library: /no/where.so");
}

TEST(DevicesDeathTest, LibraryThatIsSomethingElseIsNamed) {
  expect_reason({{"COTERIE_CUDA_LIBRARY", "libm.so.6"}}, "libm.so.6 is no CUDA library of coterie");
  expect_reason({{"COTERIE_CUDA_LIBRARY", COTERIE_OTHER_CUDA_LIBRARY}},
                COTERIE_OTHER_CUDA_LIBRARY " names no device");
}

TEST(DevicesDeathTest, LibraryOfAnotherBuildIsRefused) {
  expect_reason(
      {{"COTERIE_CUDA_LIBRARY", COTERIE_OTHER_CUDA_LIBRARY}, {"COTERIE_OTHER_LIBRARY", "older"}},
      COTERIE_OTHER_CUDA_LIBRARY " has ABI " + std::to_string(DeviceTable::kAbi - 1) +
          ", this build needs " + std::to_string(DeviceTable::kAbi));
}

TEST(DevicesDeathTest, MissingDriverMissingGpuOldDriverAndOldGpuHaveEachTheirSentence) {
  const auto expect_on_layer = [](const char* name, const char* value, const char* reason) {
    expect_reason({{"COTERIE_CUDA_LIBRARY", COTERIE_CUDA_ON_CPU}, {name, value}}, reason);
  };
  expect_on_layer("COTERIE_EMULATED_DRIVER", "0", "no NVIDIA driver is installed");
  expect_on_layer("COTERIE_EMULATED_DEVICES", "0", "the NVIDIA driver finds no GPU");
  expect_on_layer("COTERIE_EMULATED_DRIVER", "12020",
                  "the NVIDIA driver is too old: it is for CUDA 12.2, this build needs one for "
                  "CUDA 13.0 or newer");
  expect_on_layer("COTERIE_EMULATED_CODE", "0",
                  "CUDA emulated on the CPU for tests, not a GPU .compute capability 9.0. cannot "
                  "run this build: invalid device function");
}

/// What the call throws, as it says it.
template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Devices, RowsOnAGpuAreNotReadByTheHost) {
  const std::vector<float> values{0, 1, 5, 6};
  std::vector<float> distances(16);
  std::vector<std::int32_t> labels(4);
  const MatrixView<const float> here{values.data(), 4, 1, 1};
  const MatrixView<const float> there{values.data(), 4, 1, 1, Memory::Device};
  const MatrixView<float> out{distances.data(), 4, 4, 4};
  EXPECT_EQ(refusal([&] { kmeans<float>(there, {.clusters = 2}, Device::Cpu); }),
            "x lies on a GPU, so device must be \"auto\" or \"cuda\", got \"cpu\": copy x to the "
            "host first");
  EXPECT_EQ(refusal([&] { predict<float>(here, there, labels); }),
            "centroids must lie in host memory");
  const MatrixView<float> out_there{distances.data(), 4, 4, 4, Memory::Device};
  EXPECT_EQ(refusal([&] { pairwise_distances<float>(here, here, Metric::Euclidean, out_there); }),
            "out must lie in host memory, as x does");
  EXPECT_EQ(refusal([&] { pairwise_distances<float>(here, there, Metric::Euclidean, out); }),
            "x must lie on the GPU where y does");
}

TEST(DevicesDeathTest, UsableGpuIsNamedAndTaken) {
  EXPECT_EXIT(ask_for_the_gpu({{"COTERIE_CUDA_LIBRARY", COTERIE_CUDA_ON_CPU}}),
              testing::ExitedWithCode(0),
              "cuda usable: CUDA emulated on the CPU for tests.*compute capability 9.0.*\n"
              "call: done");
}

TEST(Devices, AutoTakesTheGpuWhereItMayAndTheGpuHasTheAlgorithm) {
  const auto entry = &DeviceFunctions<float>::kmeans;
  const auto on_cpu = device_table(Device::Cpu).f32.kmeans;
  DeviceTable gpu;
  EXPECT_EQ(choose_automatically<float>(nullptr, entry), on_cpu);
  EXPECT_EQ(choose_automatically<float>(&gpu, entry), on_cpu);
  gpu.f32.kmeans = [](MatrixView<const float>, std::span<const double>, const Context&) {
    return std::unique_ptr<KMeansPasses<float>>();
  };
  EXPECT_EQ(choose_automatically<float>(&gpu, entry), gpu.f32.kmeans);
}

}  // namespace
}  // namespace coterie
