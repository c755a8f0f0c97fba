#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coterie/matrix.hpp"
#include "gpu_arrays.hpp"

namespace coterie::python {

namespace py = pybind11;

/// A NumPy array of exactly this dtype. Arguments of it are marked noconvert(), so that nothing is
/// copied unseen: the Python side converts once.
template <class T>
using Array = py::array_t<T, 0>;

/// Throws std::invalid_argument unless x is a matrix whose rows lie one after another in memory,
/// possibly with room between them.
template <class T>
void require_rows(const Array<T>& x, const char* name) {
  if (x.ndim() != 2) {
    throw std::invalid_argument(std::string(name) + " must have 2 dimensions, got " +
                                std::to_string(x.ndim()));
  }
  if (x.size() == 0) return;
  const auto item = static_cast<py::ssize_t>(sizeof(T));
  const bool packed_row = x.shape(1) <= 1 || x.strides(1) == item;
  const bool apart =
      x.shape(0) <= 1 || (x.strides(0) >= x.shape(1) * item && x.strides(0) % item == 0);
  const bool aligned = (x.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  if (!packed_row || !apart || !aligned) {
    throw std::invalid_argument(std::string(name) + " must have aligned, contiguous rows");
  }
}

template <class T>
std::int64_t row_stride(const Array<T>& x) {
  // NumPy leaves the strides of nothing and of a single row undefined.
  if (x.size() == 0 || x.shape(0) == 1) return x.shape(1);
  return x.strides(0) / static_cast<py::ssize_t>(sizeof(T));
}

template <class T>
MatrixView<const T> as_rows(const Array<T>& x, const char* name) {
  require_rows(x, name);
  return {x.data(), x.shape(0), x.shape(1), row_stride(x)};
}

template <class T>
MatrixView<T> as_writable_rows(Array<T>& x, const char* name) {
  require_rows(x, name);
  return {x.mutable_data(), x.shape(0), x.shape(1), row_stride(x)};
}

template <class T>
std::span<const T> as_values(const Array<T>& x, const char* name) {
  if (x.ndim() != 1 || (x.size() > 1 && x.strides(0) != static_cast<py::ssize_t>(sizeof(T)))) {
    throw std::invalid_argument(std::string(name) + " must be contiguous, with 1 dimension");
  }
  return {x.data(), static_cast<std::size_t>(x.size())};
}

/// The same where the rows may lie on a GPU.
template <class T>
using AnyArray = std::variant<Array<T>, GpuArray<T>>;

template <class T>
MatrixView<const T> as_rows(const AnyArray<T>& x, const char* name) {
  if (const auto* on_gpu = std::get_if<GpuArray<T>>(&x)) return view_of(*on_gpu, name);
  return as_rows(std::get<Array<T>>(x), name);
}

template <class T>
MatrixView<T> as_writable_rows(AnyArray<T>& x, const char* name) {
  if (auto* on_host = std::get_if<Array<T>>(&x)) return as_writable_rows(*on_host, name);
  const auto& on_gpu = std::get<GpuArray<T>>(x);
  if (on_gpu.read_only) throw std::invalid_argument(std::string(name) + " is read-only");
  return view_of(on_gpu, name);
}

/// Contiguous values to write, on either side.
template <class T>
std::span<T> as_writable_values(AnyArray<T>& x, const char* name) {
  if (auto* on_host = std::get_if<Array<T>>(&x)) {
    const auto values = as_values(*on_host, name);
    return {on_host->mutable_data(), values.size()};
  }
  const auto& on_gpu = std::get<GpuArray<T>>(x);
  if (on_gpu.shape.size() != 1 || !on_gpu.strides.empty() || on_gpu.read_only) {
    throw std::invalid_argument(std::string(name) +
                                " must be contiguous and writable, with 1 dimension");
  }
  return {on_gpu.data, static_cast<std::size_t>(on_gpu.shape[0])};
}

template <class T>
std::span<const T> as_values(const std::optional<Array<T>>& x, const char* name) {
  return x ? as_values(*x, name) : std::span<const T>();
}

/// Hands the vector's memory to NumPy.
template <class T>
py::array to_numpy(std::vector<T>&& values, std::vector<py::ssize_t> shape) {
  auto kept = std::make_unique<std::vector<T>>(std::move(values));
  const T* const data = kept->data();
  py::capsule owner(kept.get(), [](void* p) { delete static_cast<std::vector<T>*>(p); });
  static_cast<void>(kept.release());
  return py::array_t<T>(std::move(shape), data, owner);
}

template <class T>
py::array to_numpy(std::vector<T>&& values) {
  const auto size = static_cast<py::ssize_t>(values.size());
  return to_numpy(std::move(values), {size});
}

template <class T>
py::array to_numpy(Matrix<T>&& matrix) {
  return to_numpy(std::move(matrix.values), {matrix.rows, matrix.cols});
}

}  // namespace coterie::python
