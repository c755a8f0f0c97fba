// The way of rows to the device, and who waits for whom. The CUDA-on-CPU layer, which puts copies
// from page-locked memory off as long as CUDA may, and a GPU run these alike.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "cuda/rows.cuh"
#include "tests/cuda_on_cpu/cuda_on_cpu_test.hpp"

namespace coterie::cuda {
namespace {

constexpr std::int64_t kChunkBytes = 64;  // 16 floats

/// The threads of the host, played by one, last chunk first.
void backwards(const Context&, std::int64_t chunks,
               FunctionRef<void(std::int64_t chunk, int worker)> body) {
  while (chunks-- > 0) body(chunks, 0);
}

/// Numbers from 1, with `gap` values that are not finite after each row.
template <class T>
struct HostRows {
  std::int64_t rows, cols, stride;
  std::vector<T> values;

  HostRows(std::int64_t row_count, std::int64_t col_count, std::int64_t gap)
      : rows(row_count),
        cols(col_count),
        stride(col_count + gap),
        values(static_cast<std::size_t>(rows * stride), static_cast<T>(NAN)) {
    for (std::int64_t i = 0; i < rows * cols; ++i) at(i) = static_cast<T>(i + 1);
  }
  T& at(std::int64_t i) { return values[static_cast<std::size_t>(i / cols * stride + i % cols)]; }
  MatrixView<const T> view() const { return {values.data(), rows, cols, stride}; }
};

/// What arrives, if all of it is found to be finite.
template <class T>
std::optional<std::vector<T>> sent(PinnedUpload& upload, const HostRows<T>& x) {
  const Stream stream;
  const Buffer<T> there(x.rows * x.cols, stream);
  const bool finite = upload.copy(x.view(), there.data(), {}, stream);
  std::vector<T> arrived(static_cast<std::size_t>(x.rows * x.cols));
  download(there.data(), there.size(), arrived.data(), stream);
  return finite ? std::optional(arrived) : std::nullopt;
}

template <class T>
void send_all_sizes() {
  PinnedUpload upload(backwards, kChunkBytes);
  constexpr std::int64_t kValues = kChunkBytes / sizeof(T);
  for (const std::int64_t values : {std::int64_t{1}, kValues - 1, kValues, kValues + 1, 2 * kValues,
                                    4 * kValues, 4 * kValues + 1, 9 * kValues + 5}) {
    for (const std::int64_t gap : {0, 3}) {
      for (const auto& x : {HostRows<T>(values, 1, gap), HostRows<T>(1, values, gap),
                            HostRows<T>(values, 5, gap), HostRows<T>(3, values, gap)}) {
        SCOPED_TRACE(std::to_string(x.rows) + " x " + std::to_string(x.cols) + " + " +
                     std::to_string(gap));
        std::vector<T> expected(static_cast<std::size_t>(x.rows * x.cols));
        std::iota(expected.begin(), expected.end(), T{1});
        EXPECT_EQ(sent(upload, x), expected);
      }
    }
  }
}

class Upload : public cuda_on_cpu_testing::EachOrder {};
CUDA_ON_CPU_IN_EACH_ORDER(Upload);

TEST_P(Upload, EveryValueArrivesInItsPlace) {
  send_all_sizes<float>();
  send_all_sizes<double>();
}

TEST_P(Upload, RowsOfSeveralPiecesOfAChunkArrive) {
  PinnedUpload upload(backwards, 1 << 18);
  for (const std::int64_t gap : {0, 7}) {
    const HostRows<double> x(3011, 33, gap);
    std::vector<double> expected(static_cast<std::size_t>(x.rows * x.cols));
    std::iota(expected.begin(), expected.end(), 1.0);
    EXPECT_EQ(sent(upload, x), expected);
  }
}

TEST_P(Upload, EachValueThatIsNotFiniteIsFound) {
  PinnedUpload upload(backwards, kChunkBytes);
  for (const std::int64_t gap : {0, 2}) {
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      for (std::int64_t i = 0; i < 75; ++i) {
        HostRows<float> x(25, 3, gap);
        x.at(i) = bad;
        EXPECT_FALSE(sent(upload, x)) << i;
      }
    }
  }
}

TEST_P(Upload, LargestAndSmallestNumbersAreFinite) {
  PinnedUpload upload(backwards, kChunkBytes);
  HostRows<double> x(1, 5, 0);
  x.values = {1.7976931348623157e308, -1.7976931348623157e308, 5e-324, -0.0, 1};
  EXPECT_EQ(sent(upload, x), x.values);
}

TEST_P(Upload, StopsWhereTheCallerWants) {
  const auto stopped = [](const Context&, std::int64_t,
                          FunctionRef<void(std::int64_t, int)>) -> void { throw Interrupted(); };
  PinnedUpload upload(stopped, kChunkBytes);
  EXPECT_THROW(sent(upload, HostRows<float>(100, 1, 0)), Interrupted);
}

TEST_P(Upload, WorkComesAfterThatOfTheCallersStream) {
  constexpr std::int64_t kBytes = 1 << 20;
  void* source = nullptr;
  check(cudaMallocHost(&source, kBytes));
  const Stream producer;
  const Buffer<char> filled(kBytes, producer);
  for (const cudaStream_t caller : {cudaStream_t(producer), cudaStream_t{}}) {
    producer.wait();
    std::memset(source, caller == producer ? 1 : 2, kBytes);
    check(cudaMemcpyAsync(filled.data(), source, kBytes, cudaMemcpyHostToDevice, caller));
    Context ctx = Device::Cuda;
    ctx.stream = caller;
    const Stream stream;
    take_over(filled.data(), ctx, stream);
    std::vector<char> seen(kBytes);
    download(filled.data(), kBytes, seen.data(), stream);
    EXPECT_EQ(seen.front(), caller == producer ? 1 : 2);
    EXPECT_EQ(seen.back(), seen.front());
  }
  check(cudaFreeHost(source));
}

}  // namespace
}  // namespace coterie::cuda
