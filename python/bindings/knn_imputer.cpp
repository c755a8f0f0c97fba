#include "coterie/knn_imputer.hpp"

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

namespace {

template <class T>
void bind(py::module_& m) {
  m.def(
      "knn_impute",
      [](const Array<T>& x, const Array<T>& queries, std::int64_t neighbors, bool distance_weights,
         Array<T>& out, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x"), incomplete = as_rows(queries, "queries");
        const auto into = as_writable_rows(out, "out");
        run(device, progress, [&](const Context& context) {
          knn_impute<T>(rows, incomplete, {neighbors, distance_weights}, into, context);
          return true;
        });
      },
      py::arg("x").noconvert(), py::arg("queries").noconvert(), py::kw_only(), py::arg("neighbors"),
      py::arg("distance_weights"), py::arg("out").noconvert(), py::arg("device"),
      py::arg("progress") = py::none());
}

}  // namespace

void bind_knn_imputer(py::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace coterie::python
