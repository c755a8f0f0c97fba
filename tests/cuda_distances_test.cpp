// Distance matrices from the GPU against the CPU's, bit for bit. On the CUDA-on-CPU layer in every
// order of threads; on a GPU the order changes nothing.
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/device.hpp"
#include "coterie/distances.hpp"
#include "cuda_test.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::make_rows;
using testing_support::normal_rows;
using testing_support::Rows;
using testing_support::Shape;

class CudaDistances : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaDistances);

constexpr Metric kMetrics[] = {Metric::Euclidean, Metric::SquaredEuclidean, Metric::Cosine,
                               Metric::Manhattan, Metric::Chebyshev};

/// Every byte, so that what lies between the rows of `out` counts too.
template <class T>
void compare(MatrixView<const T> x, MatrixView<const T> y, std::int64_t gap) {
  for (const Metric metric : kMetrics) {
    Rows<T> expected(x.rows, y.rows, gap), found(x.rows, y.rows, gap);
    pairwise_distances<T>(x, y, metric, expected.view(), Device::Cpu);
    pairwise_distances<T>(x, y, metric, found.view(), Device::Cuda);
    EXPECT_EQ(std::memcmp(found.values.data(), expected.values.data(),
                          expected.values.size() * sizeof(T)),
              0)
        << static_cast<int>(metric) << ": " << x.rows << " x " << y.rows << " x " << x.cols;
  }
}

template <class T>
void compare_sizes() {
  for (const std::int64_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33}) {
      const auto x = normal_rows<T>(rows, cols, 1, 0, 3);
      const auto y = normal_rows<T>(67, cols, 2, 0, 1);
      compare<T>(x.view(), y.view(), 2);
      if (rows < 1000) compare<T>(y.view(), x.view(), 0);
    }
    const auto x = normal_rows<T>(std::min<std::int64_t>(rows, 130), 16, 3, 1e5);
    compare<T>(x.view(), x.view(), 0);
  }
}

TEST_P(CudaDistances, EqualTheCpusAtAllSizes) {
  compare_sizes<float>();
  compare_sizes<double>();
}

template <class T>
void compare_shapes() {
  for (const Shape shape :
       {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Duplicates}) {
    const Matrix<T> x = make_rows<T>(100, 5, shape);
    compare<T>(x.view(), x.view(), 0);
  }
  const T huge = std::numeric_limits<T>::max() / 4, tiny = std::numeric_limits<T>::denorm_min();
  Rows<T> extreme(6, 2);
  extreme.values = {huge, -huge, tiny, 3 * tiny, 0, 0, 0, 0, huge, tiny, -1, 1};
  compare<T>(extreme.view(), extreme.view(), 0);
}

TEST_P(CudaDistances, EqualTheCpusForTiesOffsetsAndExtremes) {
  compare_shapes<float>();
  compare_shapes<double>();
}

TEST_P(CudaDistances, OfARowToItselfAreZero) {
  const auto x = normal_rows<float>(70, 3, 4, 1e6);
  for (const Metric metric : kMetrics) {
    Rows<float> out(70, 70);
    pairwise_distances<float>(x.view(), x.view(), metric, out.view(), Device::Cuda);
    for (std::int64_t i = 0; i < 70; ++i) EXPECT_EQ(out(i, i), 0);
  }
}

TEST_P(CudaDistances, KnowARowOfZerosByItsPlace) {
  Rows<double> x(5, 2);
  x.values = {0, 0, 0, 0, 2, 0, -3, 0, 0, 0};
  const MatrixView<const double> later{&x(1, 0), 4, 2, 2};
  compare<double>(x.view(), x.view(), 0);
  compare<double>(later, x.view(), 0);
  compare<double>(x.view(), later, 1);
  const Rows<double> copy = x;
  compare<double>(x.view(), copy.view(), 0);
}

TEST_P(CudaDistances, NameTheValueThatIsNotFinite) {
  const auto refusal = [](const Rows<double>& x, const Rows<double>& y) -> std::string {
    Rows<double> out(x.rows, y.rows);
    try {
      pairwise_distances<double>(x.view(), y.view(), Metric::Euclidean, out.view(), Device::Cuda);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "nothing";
  };
  auto x = normal_rows<double>(40, 3, 7, 0, 2), y = normal_rows<double>(5, 3, 8);
  EXPECT_EQ(refusal(x, y), "nothing");  // what lies between the rows is NaN
  y(4, 0) = -INFINITY;
  EXPECT_EQ(refusal(x, y), "y must be finite, got -infinity in row 4, column 0");
  x(39, 2) = NAN;
  x(38, 1) = INFINITY;
  EXPECT_EQ(refusal(x, y), "x must be finite, got infinity in row 38, column 1");
}

TEST_P(CudaDistances, ComeInChunksOfRowsBetweenWhichTheCallerMayStop) {
  const auto x = normal_rows<float>(150, 1, 5), y = normal_rows<float>(16500, 1, 6);
  Rows<float> expected(150, 16500), found(150, 16500);
  const auto distances = device_table(Device::Cuda).functions<float>().pairwise_distances;
  Context context = Device::Cuda;
  context.threads = 1;
  int asked = 0, most = 1000;
  context.interrupted = [&] { return ++asked > most; };
  const auto times_asked = [&](std::int64_t rows) {
    const MatrixView<float> out{found.values.data(), rows, 16500, 16500};
    asked = 0;
    distances({x.values.data(), rows, 1, 1}, y.view(), Metric::Manhattan, out, context);
    return asked;
  };
  const int while_copying = times_asked(64) - 1;  // rows at a time, as a chunk holds 2^20 values
  EXPECT_EQ(times_asked(150), while_copying + 3);
  pairwise_distances<float>(x.view(), y.view(), Metric::Manhattan, expected.view(), Device::Cpu);
  EXPECT_EQ(found.values, expected.values);
  most = while_copying + 2;
  EXPECT_THROW(times_asked(150), Interrupted);
}

}  // namespace
}  // namespace coterie
