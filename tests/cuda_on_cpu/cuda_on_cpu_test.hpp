#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace cuda_on_cpu_testing {

/// A suite that runs once for each order in which the layer gives threads their turns.
class EachOrder : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { setenv("COTERIE_EMULATED_ORDER", GetParam(), 1); }
  void TearDown() override { unsetenv("COTERIE_EMULATED_ORDER"); }
};

inline std::string order_name(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace cuda_on_cpu_testing

#define CUDA_ON_CPU_IN_EACH_ORDER(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(Orders, suite, ::testing::Values("forward", "reverse", "shuffled"), \
                           ::cuda_on_cpu_testing::order_name)
