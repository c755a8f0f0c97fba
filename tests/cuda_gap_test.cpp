// The gap statistic's references drawn on the GPU against those of the CPU, bit for bit, and the
// statistic of rows that lie there. On the CUDA-on-CPU layer in every order of threads.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "core/device.hpp"
#include "coterie/gap.hpp"
#include "cuda_test.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::normal_rows;
using Ks = std::vector<std::int64_t>;

class CudaGap : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaGap);

/// Sides of uneven ranges, one without width, along `axes` that are no more than numbers; 0: along
/// the columns.
SamplingBox some_box(std::int64_t cols, std::int64_t axes) {
  SamplingBox box;
  const std::int64_t sides = axes == 0 ? cols : axes;
  for (std::int64_t side = 0; side < sides; ++side) {
    const double low = 100.0 / static_cast<double>(side + 1) - 7;
    box.sides.low.push_back(low);
    box.sides.high.push_back(low + static_cast<double>(side % 4) * 1.37);
  }
  if (axes == 0) return box;
  box.axes = Matrix<double>(sides, cols);
  for (std::size_t i = 0; i < box.axes.values.size(); ++i) {
    box.axes.values[i] = std::sin(static_cast<double>(i + 1));
  }
  return box;
}

/// The rows of a reference, from wherever it lies.
template <class T>
std::vector<T> values_of(MatrixView<const T> reference) {
  std::vector<T> values(static_cast<std::size_t>(reference.rows * reference.cols));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(reference.rows));
  std::iota(rows.begin(), rows.end(), 0);
  if (reference.memory == Memory::Device) {
    device_table(Device::Cuda).functions<T>().copy_rows(reference, rows, values.data(), {});
  } else {
    std::copy_n(reference.data, values.size(), values.begin());
  }
  return values;
}

template <class T>
void compare_draws(std::int64_t rows, std::int64_t cols, std::int64_t axes) {
  SCOPED_TRACE(testing::Message() << rows << " x " << cols << ", " << axes << " axes");
  const Context ctx;
  const auto gpu = device_table(Device::Cuda).functions<T>().references(rows, cols, ctx);
  const auto cpu = device_table(Device::Cpu).functions<T>().references(rows, cols, ctx);
  EXPECT_EQ(gpu->room().memory, Memory::Device);
  const SamplingBox box = some_box(cols, axes);
  for (const int reference : {0, 1, 77}) {
    gpu->draw(box, 0x123456789abcdef, reference);
    cpu->draw(box, 0x123456789abcdef, reference);
    EXPECT_EQ(values_of<T>(gpu->room()), values_of<T>(cpu->room()));
  }
}

template <class T>
void compare_all_draws() {
  for (const std::int64_t rows : {1, 31, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 31, 33, 70}) {
      compare_draws<T>(rows, cols, 0);
      compare_draws<T>(rows, cols, cols);
      compare_draws<T>(rows, cols, 1);
    }
  }
  compare_draws<T>(50, 7, 70);
}

TEST_P(CudaGap, DrawsWhatTheCpuDrawsInFloat32) { compare_all_draws<float>(); }
TEST_P(CudaGap, DrawsWhatTheCpuDrawsInFloat64) { compare_all_draws<double>(); }

TEST_P(CudaGap, ADrawAfterAnotherBoxIsItsOwn) {
  const Context ctx;
  const auto gpu = device_table(Device::Cuda).functions<float>().references(40, 5, ctx);
  gpu->draw(some_box(5, 0), 1, 3);
  const auto first = values_of<float>(gpu->room());
  gpu->draw(some_box(5, 3), 1, 3);
  EXPECT_NE(values_of<float>(gpu->room()), first);
  gpu->draw(some_box(5, 0), 1, 3);
  EXPECT_EQ(values_of<float>(gpu->room()), first);
}

template <class T>
void expect_equal_gaps(const GapStatistic& found, const GapStatistic& expected) {
  EXPECT_EQ(found.gap, expected.gap);
  EXPECT_EQ(found.standard_error, expected.standard_error);
  EXPECT_EQ(found.log_dispersion, expected.log_dispersion);
  EXPECT_EQ(found.reference_log_dispersion, expected.reference_log_dispersion);
}

template <class T>
void compare_statistics() {
  const auto x = normal_rows<T>(300, 3, 1, 50);
  const GapParams params{.references = 3, .kmeans = {.restarts = 2, .seed = 4}};
  expect_equal_gaps<T>(gap_statistic<T>(x.view(), Ks{1, 2, 5}, params, Device::Cuda),
                       gap_statistic<T>(x.view(), Ks{1, 2, 5}, params, Device::Cpu));
}

TEST_P(CudaGap, StatisticEqualsTheCpus) {
  compare_statistics<float>();
  compare_statistics<double>();
}

TEST_P(CudaGap, OverPrincipalAxesAgreesWithTheCpu) {  // no more: axes differ in their last bits
  const auto x = normal_rows<double>(200, 4, 2, 50);
  const GapParams params{.references = 3, .box = ReferenceBox::PrincipalAxes};
  const auto found = gap_statistic<double>(x.view(), Ks{1, 3}, params, Device::Cuda);
  const auto expected = gap_statistic<double>(x.view(), Ks{1, 3}, params, Device::Cpu);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(found.gap[k], expected.gap[k], 1e-9);
    EXPECT_NEAR(found.standard_error[k], expected.standard_error[k], 1e-9);
  }
}

TEST_P(CudaGap, TakesRowsThatLieOnTheGpu) {
  const Context ctx;
  const auto gpu = device_table(Device::Cuda).functions<float>().references(200, 3, ctx);
  const auto cpu = device_table(Device::Cpu).functions<float>().references(200, 3, ctx);
  gpu->draw(some_box(3, 0), 5, 0);
  cpu->draw(some_box(3, 0), 5, 0);
  for (const ReferenceBox box : {ReferenceBox::Columns, ReferenceBox::PrincipalAxes}) {
    const GapParams params{.references = 2, .box = box};
    expect_equal_gaps<float>(gap_statistic<float>(gpu->room(), Ks{1, 2}, params),
                             gap_statistic<float>(cpu->room(), Ks{1, 2}, params, Device::Cuda));
  }
}

TEST_P(CudaGap, IsInterruptedAmongReferences) {
  const auto x = normal_rows<float>(50, 2, 1);
  Context ctx = Device::Cuda;
  int drawn = 0;
  ctx.progress = [&](const Progress& progress) { drawn = static_cast<int>(progress.step); };
  ctx.interrupted = [&] { return drawn == 2; };
  EXPECT_THROW(gap_statistic<float>(x.view(), Ks{2}, {.references = 9}, ctx), Interrupted);
  EXPECT_EQ(drawn, 2);
}

}  // namespace
}  // namespace coterie
