#include "cuda/rows.cuh"

namespace coterie::cuda {

template <class T>
void copy_rows(MatrixView<const T> x, std::span<const std::int64_t> rows, T* out,
               const Context& ctx) {
  const Stream stream;
  take_over(x.data, ctx, stream);
  const std::size_t bytes = static_cast<std::size_t>(x.cols) * sizeof(T);
  for (const std::int64_t row : rows) {
    check(cudaMemcpyAsync(out, x.row(row), bytes, cudaMemcpyDefault, stream));
    out += x.cols;
  }
  stream.wait();
}

template void copy_rows(MatrixView<const float>, std::span<const std::int64_t>, float*,
                        const Context&);
template void copy_rows(MatrixView<const double>, std::span<const std::int64_t>, double*,
                        const Context&);

}  // namespace coterie::cuda
