#include "coterie/kmeans.hpp"

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

namespace {

using Weights = std::optional<Array<double>>;

/// A k and the arrays that its restarts begin with.
template <class T>
using Start = std::pair<std::int64_t, std::vector<Array<T>>>;

struct Fit {
  py::array labels;
  py::array centroids;
  double inertia;
  std::int64_t iterations;
  std::int64_t occupied;
  std::int64_t rechecked;
  std::int64_t passes;
};

template <class T>
std::vector<KMeansModel<T>> as_models(const std::vector<Start<T>>& starts) {
  std::vector<KMeansModel<T>> models;
  for (const auto& [clusters, centroids] : starts) {
    auto& model = models.emplace_back();
    model.clusters = clusters;
    for (const auto& array : centroids) model.starts.push_back(as_rows(array, "start"));
  }
  return models;
}

template <class T>
std::vector<Fit> to_fits(std::vector<KMeansResult<T>>&& results) {
  std::vector<Fit> fits;
  for (auto& result : results) {
    fits.push_back({to_numpy(std::move(result.labels)), to_numpy(std::move(result.centroids)),
                    result.inertia, result.iterations, result.occupied, result.rechecked,
                    result.passes});
  }
  return fits;
}

template <class T>
void bind_sweep(py::module_& m) {
  m.def(
      "kmeans_sweep",
      [](const AnyArray<T>& x, const std::vector<Start<T>>& models, Seeding seeding, int restarts,
         std::int64_t max_iterations, double tolerance, std::uint64_t seed, const Weights& weights,
         Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const auto sweep = as_models(models);
        const KMeansParams params{.seeding = seeding,
                                  .restarts = restarts,
                                  .max_iterations = max_iterations,
                                  .tolerance = tolerance,
                                  .seed = seed,
                                  .weights = as_values(weights, "weights")};
        return to_fits(run(device, stream_of(x), progress, [&](const Context& context) {
          return kmeans_sweep<T>(rows, sweep, params, context);
        }));
      },
      py::arg("x").noconvert(), py::arg("models").noconvert(), py::kw_only(), py::arg("seeding"),
      py::arg("restarts"), py::arg("max_iterations"), py::arg("tolerance"), py::arg("seed"),
      py::arg("weights").noconvert(), py::arg("device"), py::arg("progress") = py::none());
}

template <class T>
void bind_plusplus(py::module_& m) {
  m.def(
      "kmeans_plusplus",
      [](const AnyArray<T>& x, std::int64_t clusters, int trials, std::uint64_t seed,
         const Weights& weights, Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x");
        const KMeansParams params{.clusters = clusters,
                                  .trials = trials,
                                  .seed = seed,
                                  .weights = as_values(weights, "weights")};
        return to_numpy(run(device, stream_of(x), progress, [&](const Context& context) {
          return kmeans_plusplus<T>(rows, params, context);
        }));
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("clusters"), py::arg("trials"),
      py::arg("seed"), py::arg("weights").noconvert(), py::arg("device"),
      py::arg("progress") = py::none());
}

template <class T>
void bind_predict(py::module_& m) {
  m.def(
      "predict",
      [](const AnyArray<T>& x, const Array<T>& centroids, AnyArray<std::int32_t>& labels,
         Device device, const py::object& progress) {
        const auto rows = as_rows(x, "x"), centres = as_rows(centroids, "centroids");
        const auto out = as_writable_values(labels, "labels");
        if (std::holds_alternative<GpuArray<std::int32_t>>(labels) &&
            rows.memory != Memory::Device) {
          throw std::invalid_argument("labels must lie in host memory, where x does");
        }
        run(device, stream_of(x, labels), progress, [&](const Context& context) {
          predict<T>(rows, centres, out, context);
          return true;
        });
      },
      py::arg("x").noconvert(), py::arg("centroids").noconvert(), py::arg("labels").noconvert(),
      py::kw_only(), py::arg("device"), py::arg("progress") = py::none());
}

template <class T>
void bind_assign(py::module_& m) {
  m.def(
      "assign",
      [](const AnyArray<T>& x, const Array<T>& centroids, const Weights& weights, Device device,
         const py::object& progress) {
        const auto rows = as_rows(x, "x"), centres = as_rows(centroids, "centroids");
        const auto of_rows = as_values(weights, "weights");
        auto result = run(device, stream_of(x), progress, [&](const Context& context) {
          return assign<T>(rows, centres, of_rows, context);
        });
        return std::pair(to_numpy(std::move(result.labels)), result.inertia);
      },
      py::arg("x").noconvert(), py::arg("centroids").noconvert(), py::kw_only(),
      py::arg("weights").noconvert(), py::arg("device"), py::arg("progress") = py::none());
}

}  // namespace

void bind_kmeans(py::module_& m) {
  py::native_enum<Seeding>(m, "Seeding", "enum.Enum")
      .value("plus_plus", Seeding::PlusPlus)
      .value("random_rows", Seeding::RandomRows)
      .value("parallel", Seeding::Parallel)
      .finalize();
  py::class_<Fit>(m, "KMeansFit")
      .def_readonly("labels", &Fit::labels)
      .def_readonly("centroids", &Fit::centroids)
      .def_readonly("inertia", &Fit::inertia)
      .def_readonly("iterations", &Fit::iterations)
      .def_readonly("occupied", &Fit::occupied)
      .def_readonly("rechecked", &Fit::rechecked)
      .def_readonly("passes", &Fit::passes);
  bind_sweep<float>(m);
  bind_sweep<double>(m);
  bind_plusplus<float>(m);
  bind_plusplus<double>(m);
  bind_predict<float>(m);
  bind_predict<double>(m);
  bind_assign<float>(m);
  bind_assign<double>(m);
}

}  // namespace coterie::python
