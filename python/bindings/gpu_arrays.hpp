#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "coterie/matrix.hpp"

namespace coterie::python {

namespace py = pybind11;

/// Numbers of one dtype on a GPU: what an object's __cuda_array_interface__ says of them. The
/// object, an argument of the call, keeps them alive.
template <class T>
struct GpuArray {
  T* data = nullptr;
  bool read_only = false;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;     // bytes; empty: C order
  std::optional<std::uintptr_t> stream;  // on which it is filled; none: it is ready
};

inline constexpr std::uintptr_t kLegacyStream = 1;  // 0 names it too

/// Throws std::invalid_argument unless x is a matrix whose rows lie one after another in memory,
/// possibly with room between them.
template <class T>
MatrixView<T> view_of(const GpuArray<T>& x, const char* name) {
  constexpr std::int64_t kItem = sizeof(T);
  if (x.shape.size() != 2) {
    throw std::invalid_argument(std::string(name) + " must have 2 dimensions, got " +
                                std::to_string(x.shape.size()));
  }
  const std::int64_t rows = x.shape[0], cols = x.shape[1];
  if (x.strides.empty() || rows * cols == 0) return {x.data, rows, cols, cols, Memory::Device};
  const bool packed_row = cols <= 1 || x.strides[1] == kItem;
  const bool apart = rows <= 1 || (x.strides[0] >= cols * kItem && x.strides[0] % kItem == 0);
  if (!packed_row || !apart) {
    throw std::invalid_argument(std::string(name) + " must have contiguous rows");
  }
  return {x.data, rows, cols, rows <= 1 ? cols : x.strides[0] / kItem, Memory::Device};
}

template <class T>
GpuArray<T> read_interface(const py::dict& interface) {
  GpuArray<T> array;
  const py::tuple data = interface["data"];
  array.data = reinterpret_cast<T*>(data[0].cast<std::uintptr_t>());
  array.read_only = data[1].cast<bool>();
  array.shape = interface["shape"].cast<std::vector<std::int64_t>>();
  if (interface.contains("strides") && !interface["strides"].is_none()) {
    array.strides = interface["strides"].cast<std::vector<std::int64_t>>();
  }
  // Versions before 3 did not say it.
  const py::object stream =
      interface.contains("stream") ? py::object(interface["stream"]) : py::int_(kLegacyStream);
  if (!stream.is_none()) array.stream = std::max(stream.cast<std::uintptr_t>(), kLegacyStream);
  return array;
}

template <class T>
std::optional<std::uintptr_t> own_stream(const GpuArray<T>& x) {
  return x.stream;
}
template <class T>
std::optional<std::uintptr_t> own_stream(const std::variant<py::array_t<T, 0>, GpuArray<T>>& x) {
  const auto* on_gpu = std::get_if<GpuArray<T>>(&x);
  return on_gpu == nullptr ? std::nullopt : on_gpu->stream;
}

/// For Context::stream: where a call on these arrays has to queue up.
template <class... Arrays>
void* stream_of(const Arrays&... arrays) {
  std::optional<std::uintptr_t> stream;
  for (const std::optional<std::uintptr_t>& own : {own_stream(arrays)...}) {
    if (stream && own && *stream != *own) {
      throw std::invalid_argument("arrays on a GPU must come from one stream, got streams " +
                                  std::to_string(*stream) + " and " + std::to_string(*own) +
                                  ": make one stream current in all libraries");
    }
    if (own) stream = own;
  }
  return reinterpret_cast<void*>(stream.value_or(kLegacyStream));
}

}  // namespace coterie::python

/// Takes any object that has __cuda_array_interface__ with this dtype.
template <class T>
struct pybind11::detail::type_caster<coterie::python::GpuArray<T>> {
  PYBIND11_TYPE_CASTER(coterie::python::GpuArray<T>, const_name("CudaArray"));

  bool load(handle source, bool) {
    const object interface = getattr(source, "__cuda_array_interface__", none());
    if (!isinstance<dict>(interface)) return false;
    if (!dtype(interface["typestr"].cast<std::string>()).equal(dtype::of<T>())) return false;
    value = coterie::python::read_interface<T>(interface);
    return true;
  }
};
