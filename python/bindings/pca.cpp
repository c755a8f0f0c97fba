#include "coterie/pca.hpp"

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

namespace {

struct Axes {
  py::array mean;
  py::array explained_variance;
  py::array components;
  double total_variance;
};

template <class T>
using Projector = void (*)(MatrixView<const T>, const std::vector<double>&,
                           MatrixView<const double>, MatrixView<T>, const Context&);

template <class T>
void bind_projection(py::module_& m, const char* name, Projector<T> projector) {
  m.def(
      name,
      [projector](const AnyArray<T>& x, const Array<double>& mean, const Array<double>& axes,
                  AnyArray<T>& out, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto middle = as_values(mean, "mean");
        const auto onto = as_rows(axes, "axes");
        const auto into = as_writable_rows(out, "out");
        run(device, stream_of(x, out), progress, [&](const Context& context) {
          projector(rows, {middle.begin(), middle.end()}, onto, into, context);
          return true;
        });
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("mean").noconvert(),
      py::arg("axes").noconvert(), py::arg("out").noconvert(), py::arg("device"),
      py::arg("progress") = py::none());
}

template <class T>
void bind(py::module_& m) {
  m.def(
      "pca",
      [](const AnyArray<T>& x, std::int64_t components, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        auto found = run(device, stream_of(x), progress, [&](const Context& context) {
          return pca<T>(rows, {.components = components}, context);
        });
        return Axes{to_numpy(std::move(found.mean)), to_numpy(std::move(found.explained_variance)),
                    to_numpy(std::move(found.components)), found.total_variance};
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("components"), py::arg("device"),
      py::arg("progress") = py::none());
  bind_projection<T>(m, "pca_transform", &pca_transform<T>);
  bind_projection<T>(m, "pca_inverse_transform", &pca_inverse_transform<T>);
}

}  // namespace

void bind_pca(py::module_& m) {
  py::class_<Axes>(m, "PrincipalAxes")
      .def_readonly("mean", &Axes::mean)
      .def_readonly("explained_variance", &Axes::explained_variance)
      .def_readonly("components", &Axes::components)
      .def_readonly("total_variance", &Axes::total_variance);
  bind<float>(m);
  bind<double>(m);
}

}  // namespace coterie::python
