#include "coterie/distances.hpp"

#include <pybind11/native_enum.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

namespace {

template <class T>
void bind(py::module_& m) {
  m.def(
      "pairwise_distances",
      [](const AnyArray<T>& x, const AnyArray<T>& y, Metric metric, AnyArray<T>& out, Device device,
         const py::object& progress) {
        const auto left = as_rows(x, "x"), right = as_rows(y, "y");
        const auto into = as_writable_rows(out, "out");
        run(device, stream_of(x, y, out), progress, [&](const Context& context) {
          pairwise_distances<T>(left, right, metric, into, context);
          return true;
        });
      },
      py::arg("x").noconvert(), py::arg("y").noconvert(), py::kw_only(), py::arg("metric"),
      py::arg("out").noconvert(), py::arg("device"), py::arg("progress") = py::none());
}

}  // namespace

void bind_distances(py::module_& m) {
  py::native_enum<Metric>(m, "Metric", "enum.Enum")
      .value("euclidean", Metric::Euclidean)
      .value("sqeuclidean", Metric::SquaredEuclidean)
      .value("cosine", Metric::Cosine)
      .value("manhattan", Metric::Manhattan)
      .value("chebyshev", Metric::Chebyshev)
      .finalize();
  bind<float>(m);
  bind<double>(m);
}

}  // namespace coterie::python
