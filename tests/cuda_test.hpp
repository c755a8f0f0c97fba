#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "testing.hpp"

namespace coterie::testing_support {

/// A suite of CUDA tests that runs in each order of the CUDA-on-CPU layer.
class CudaTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    setenv("COTERIE_EMULATED_ORDER", GetParam(), 1);
    if (cuda_usable()) return;
    const char* required = std::getenv("COTERIE_REQUIRE_CUDA");
    const std::string detail = devices()[1].detail;
    if (required != nullptr && std::string(required) == "1") {
      FAIL() << "COTERIE_REQUIRE_CUDA=1, but " << detail;
    }
    GTEST_SKIP() << "NOT TESTED: " << detail;
  }
  void TearDown() override { unsetenv("COTERIE_EMULATED_ORDER"); }
};

}  // namespace coterie::testing_support

#define CUDA_TEST_IN_EACH_ORDER(suite)                                                         \
  INSTANTIATE_TEST_SUITE_P(Orders, suite, ::testing::Values("forward", "reverse", "shuffled"), \
                           [](const auto& info) { return "cuda_" + std::string(info.param); })
