#include "coterie/measures.hpp"

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"
#include "coterie/gap.hpp"

namespace coterie::python {

namespace {

using Labels = Array<std::int32_t>;

template <class T>
void bind_silhouette(py::module_& m) {
  m.def(
      "silhouette_samples",
      [](const AnyArray<T>& x, const Labels& labels, Metric metric, Device device,
         const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto of_rows = as_values(labels, "labels");
        return to_numpy(run(device, stream_of(x), progress, [&](const Context& context) {
          return silhouette_samples<T>(rows, of_rows, metric, context);
        }));
      },
      py::arg("x").noconvert(), py::arg("labels").noconvert(), py::kw_only(), py::arg("metric"),
      py::arg("device"), py::arg("progress") = py::none());
  m.def(
      "silhouette_sampled",
      [](const AnyArray<T>& x, const Labels& labels, std::int64_t sample_size, std::uint64_t seed,
         Metric metric, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto of_rows = as_values(labels, "labels");
        const auto estimate = run(device, stream_of(x), progress, [&](const Context& context) {
          return silhouette_sampled<T>(rows, of_rows, sample_size, seed, metric, context);
        });
        return std::pair(estimate.value, estimate.standard_error);
      },
      py::arg("x").noconvert(), py::arg("labels").noconvert(), py::kw_only(),
      py::arg("sample_size"), py::arg("seed"), py::arg("metric"), py::arg("device"),
      py::arg("progress") = py::none());
}

template <class T>
using Index = double (*)(MatrixView<const T>, std::span<const std::int32_t>, const Context&);

template <class T>
void bind_index(py::module_& m, const char* name, Index<T> index) {
  m.def(
      name,
      [index](const AnyArray<T>& x, const Labels& labels, Device device,
              const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto of_rows = as_values(labels, "labels");
        return run(device, stream_of(x), progress,
                   [&](const Context& context) { return index(rows, of_rows, context); });
      },
      py::arg("x").noconvert(), py::arg("labels").noconvert(), py::kw_only(), py::arg("device"),
      py::arg("progress") = py::none());
}

template <class T>
void bind_gap(py::module_& m) {
  m.def(
      "gap_statistic",
      [](const AnyArray<T>& x, const std::vector<std::int64_t>& clusters, int references,
         ReferenceBox box, int restarts, std::uint64_t seed, Device device,
         const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const GapParams params{
            .references = references, .box = box, .kmeans = {.restarts = restarts, .seed = seed}};
        auto gap = run(device, stream_of(x), progress, [&](const Context& context) {
          return gap_statistic<T>(rows, clusters, params, context);
        });
        return std::tuple(to_numpy(std::move(gap.gap)), to_numpy(std::move(gap.standard_error)),
                          to_numpy(std::move(gap.log_dispersion)),
                          to_numpy(std::move(gap.reference_log_dispersion)));
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("clusters"), py::arg("references"),
      py::arg("box"), py::arg("restarts"), py::arg("seed"), py::arg("device"),
      py::arg("progress") = py::none());
}

template <class T>
void bind(py::module_& m) {
  bind_silhouette<T>(m);
  bind_index<T>(m, "davies_bouldin", &davies_bouldin<T>);
  bind_index<T>(m, "calinski_harabasz", &calinski_harabasz<T>);
  bind_gap<T>(m);
}

}  // namespace

void bind_measures(py::module_& m) {
  py::native_enum<ReferenceBox>(m, "ReferenceBox", "enum.Enum")
      .value("features", ReferenceBox::Columns)
      .value("pca", ReferenceBox::PrincipalAxes)
      .finalize();
  bind<float>(m);
  bind<double>(m);
}

}  // namespace coterie::python
