#include "cuda/rows.cuh"

namespace coterie::cuda {

template <class T>
void copy_rows(MatrixView<const T> x, std::span<const std::int64_t> rows, T* out,
               const Context& ctx) {
  const Stream stream;
  take_over(x.data, ctx, stream);
  const std::size_t bytes = static_cast<std::size_t>(x.cols) * sizeof(T);
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t run = 1;  // of rows that follow one another: one copy
    while (i + run < rows.size() && rows[i + run] == rows[i] + static_cast<std::int64_t>(run))
      ++run;
    check(cudaMemcpy2DAsync(out, bytes, x.row(rows[i]),
                            static_cast<std::size_t>(x.stride) * sizeof(T), bytes, run,
                            cudaMemcpyDefault, stream));
    out += static_cast<std::int64_t>(run) * x.cols;
    i += run;
  }
  stream.wait();
}

template void copy_rows(MatrixView<const float>, std::span<const std::int64_t>, float*,
                        const Context&);
template void copy_rows(MatrixView<const double>, std::span<const std::int64_t>, double*,
                        const Context&);

}  // namespace coterie::cuda
