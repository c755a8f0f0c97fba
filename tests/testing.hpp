#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/random.hpp"
#include "coterie/context.hpp"
#include "coterie/devices.hpp"
#include "coterie/kmeans.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// So that googletest prints a name, not "4-byte object".
inline void PrintTo(Device device, std::ostream* out) {
  *out << (device == Device::Cuda ? "cuda" : device == Device::Cpu ? "cpu" : "auto");
}

namespace testing_support {

inline bool cuda_usable() { return devices()[1].usable; }

/// A suite that runs on each device. Without a GPU the CUDA cases are skipped, with the reason;
/// COTERIE_REQUIRE_CUDA=1 makes that a failure.
class DeviceTest : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (GetParam() != Device::Cuda || cuda_usable()) return;
    const char* required = std::getenv("COTERIE_REQUIRE_CUDA");
    if (required != nullptr && std::string(required) == "1") {
      FAIL() << "COTERIE_REQUIRE_CUDA=1, but " << devices()[1].detail;
    }
    GTEST_SKIP() << devices()[1].detail;
  }
};

inline std::string device_name(const ::testing::TestParamInfo<Device>& info) {
  return info.param == Device::Cuda ? "cuda" : "cpu";
}

/// How the values of a test's rows are laid out.
enum class Shape { Blobs, Integers, OffsetBlobs, TwoFarGroups, Duplicates };

/// Rows from the counter-based generator: four loose groups, small integers full of ties, the
/// groups at an offset of 1e5, two tight groups at +-1e4, or seven distinct rows repeated.
template <class T>
Matrix<T> make_rows(std::int64_t rows, std::int64_t cols, Shape shape = Shape::Blobs,
                    std::uint64_t seed = 1) {
  Matrix<T> x(rows, cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t source = shape == Shape::Duplicates ? i % 7 : i;
    for (std::int64_t j = 0; j < cols; ++j) {
      const double u = random_unit({.seed = seed,
                                    .purpose = Purpose::Sample,
                                    .round = static_cast<std::uint32_t>(j),
                                    .row = static_cast<std::uint64_t>(source)});
      const double group = static_cast<double>((source * 2654435761) >> 7 & 3);
      double value = 0;
      switch (shape) {
        case Shape::Blobs:
        case Shape::Duplicates:
          value = 3 * group * (j % 2 == 0 ? 1 : -1) + 2 * u;
          break;
        case Shape::OffsetBlobs:
          value = 1e5 + 3 * group + 2 * u;
          break;
        case Shape::Integers:
          value = static_cast<double>(static_cast<int>(5 * u));
          break;
        case Shape::TwoFarGroups:
          value = (source % 2 == 0 ? 1e4 : -1e4) + u;
          break;
      }
      x.view()(i, j) = static_cast<T>(value);
    }
  }
  return x;
}

/// Two fits are equal to the last bit.
template <class T>
void expect_same(const KMeansResult<T>& a, const KMeansResult<T>& b) {
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.centroids.values, b.centroids.values);
  EXPECT_EQ(a.inertia, b.inertia);
  EXPECT_EQ(a.iterations, b.iterations);
}

/// The definition: the canonical distance to every centroid, ties to the lowest index.
template <class T>
std::int32_t nearest_centroid(const T* row, MatrixView<const T> centroids) {
  std::int32_t nearest = 0;
  for (std::int64_t c = 1; c < centroids.rows; ++c) {
    if (squared_distance(row, centroids.row(c), centroids.cols) <
        squared_distance(row, centroids.row(nearest), centroids.cols)) {
      nearest = static_cast<std::int32_t>(c);
    }
  }
  return nearest;
}

}  // namespace testing_support
}  // namespace coterie
