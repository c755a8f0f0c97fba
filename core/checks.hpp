#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>

#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Throws std::invalid_argument with the parts joined, such as
/// `"clusters must be in [1, ", rows, "], got ", clusters`, unless ok.
template <class... Parts>
void require_argument(bool ok, const Parts&... parts) {
  if (ok) return;
  std::ostringstream message;
  (message << ... << parts);
  throw std::invalid_argument(message.str());
}

/// Throws the one message for a value that is not finite.
[[noreturn]] void throw_not_finite(const char* name, double value, std::int64_t row,
                                   std::int64_t col);

/// At least one row and one column, a stride that reaches over the columns, and data.
template <class T>
void require_shape(MatrixView<const T> x, const char* name);

/// For what the host reads, wherever the call runs.
template <class T>
void require_on_host(MatrixView<const T> x, const char* name) {
  require_argument(x.memory == Memory::Host, name, " must lie in host memory");
}

/// Names the first row and column, in reading order, that is not finite. One pass, in parallel,
/// where x lies.
template <class T>
void require_finite(MatrixView<const T> x, const char* name, const Context& ctx);

void require_same_cols(std::int64_t x_cols, const char* x_name, std::int64_t y_cols,
                       const char* y_name);

extern template void require_shape(MatrixView<const float>, const char*);
extern template void require_shape(MatrixView<const double>, const char*);
extern template void require_finite(MatrixView<const float>, const char*, const Context&);
extern template void require_finite(MatrixView<const double>, const char*, const Context&);

}  // namespace coterie
