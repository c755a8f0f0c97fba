#include "coterie/dbscan.hpp"

#include <pybind11/stl.h>

#include <memory>

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

namespace {

using Weights = std::optional<Array<double>>;

/// Labels and core rows.
std::pair<py::array, py::array> as_arrays(DbscanResult&& found) {
  return {to_numpy(std::move(found.labels)), to_numpy(std::move(found.core_rows))};
}

template <class T>
void bind_predictor(py::module_& m, const char* name) {
  using Predictor = DbscanPredictor<T>;
  py::class_<Predictor>(m, name).def(
      "predict",
      [](const Predictor& predictor, const Array<T>& queries, Device device,
         const py::object& progress) {
        const auto rows = as_rows(queries, "queries");
        return to_numpy(run(device, progress, [&](const Context& context) {
          return predictor.predict(rows, context);
        }));
      },
      py::arg("queries").noconvert(), py::kw_only(), py::arg("device"),
      py::arg("progress") = py::none());
  m.def(
      "dbscan_predictor",
      [](const Array<T>& core, const Array<std::int32_t>& labels, double eps, NeighborMetric metric,
         double p, Device device, const py::object& progress) {
        const auto rows = as_rows(core, "core");
        const auto of_rows = as_values(labels, "labels");
        const DbscanParams params{.eps = eps, .neighbors = {metric, p}};
        return run(device, progress, [&](const Context& context) {
          return std::make_unique<Predictor>(rows, of_rows, params, context);
        });
      },
      py::arg("core").noconvert(), py::arg("labels").noconvert(), py::kw_only(), py::arg("eps"),
      py::arg("metric"), py::arg("p"), py::arg("device"), py::arg("progress") = py::none());
}

template <class T>
void bind(py::module_& m) {
  m.def(
      "dbscan",
      [](const AnyArray<T>& x, const Weights& weights, double eps, std::int64_t min_samples,
         NeighborMetric metric, double p, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto of_rows = as_values(weights, "weights");
        const DbscanParams params{eps, min_samples, {metric, p}};
        return as_arrays(run(device, stream_of(x), progress, [&](const Context& context) {
          return dbscan<T>(rows, of_rows, params, context);
        }));
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("weights").noconvert(), py::arg("eps"),
      py::arg("min_samples"), py::arg("metric"), py::arg("p"), py::arg("device"),
      py::arg("progress") = py::none());
  m.def(
      "dbscan_precomputed",
      [](const Array<T>& distances, const Weights& weights, double eps, std::int64_t min_samples,
         const py::object& progress) {
        const auto square = as_rows(distances, "distances");
        const auto of_rows = as_values(weights, "weights");
        return as_arrays(run(Device::Cpu, progress, [&](const Context& context) {
          return dbscan_precomputed<T>(square, of_rows, {eps, min_samples}, context);
        }));
      },
      py::arg("distances").noconvert(), py::kw_only(), py::arg("weights").noconvert(),
      py::arg("eps"), py::arg("min_samples"), py::arg("progress") = py::none());
}

}  // namespace

void bind_dbscan(py::module_& m) {
  bind<float>(m);
  bind<double>(m);
  bind_predictor<float>(m, "DbscanPredictor32");
  bind_predictor<double>(m, "DbscanPredictor64");
  m.def(
      "dbscan_graph",
      [](const Array<std::int64_t>& starts, const Array<std::int64_t>& columns,
         const Array<double>& distances, const Weights& weights, double eps,
         std::int64_t min_samples, const py::object& progress) {
        const DistanceGraph graph{as_values(starts, "starts"), as_values(columns, "columns"),
                                  as_values(distances, "distances")};
        const auto of_rows = as_values(weights, "weights");
        return as_arrays(run(Device::Cpu, progress, [&](const Context& context) {
          return dbscan_precomputed(graph, of_rows, {eps, min_samples}, context);
        }));
      },
      py::arg("starts").noconvert(), py::arg("columns").noconvert(),
      py::arg("distances").noconvert(), py::kw_only(), py::arg("weights").noconvert(),
      py::arg("eps"), py::arg("min_samples"), py::arg("progress") = py::none());
}

}  // namespace coterie::python
