#include "coterie/neighbors.hpp"

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include <tuple>
#include <utility>

#include "arrays.hpp"
#include "bindings.hpp"
#include "calls.hpp"

namespace coterie::python {

/// Rows and the Python object that holds them. py::keep_alive will not do: pybind11 3 applies it to
/// overloads whose arguments did not match, too.
template <class T>
struct KeptRows {
  AnyArray<T> array;
  py::object owner;
};

}  // namespace coterie::python

template <class T>
struct pybind11::detail::type_caster<coterie::python::KeptRows<T>> {
  PYBIND11_TYPE_CASTER(coterie::python::KeptRows<T>,
                       make_caster<coterie::python::AnyArray<T>>::name);

  bool load(handle source, bool convert) {
    make_caster<coterie::python::AnyArray<T>> array;
    if (!array.load(source, convert)) return false;
    value = {cast_op<coterie::python::AnyArray<T>>(std::move(array)),
             reinterpret_borrow<object>(source)};
    return true;
  }
};

namespace coterie::python {

namespace {

/// A tree and the rows that it looks into.
template <class T>
struct Tree {
  py::object rows;
  NearestNeighbors<T> neighbors;
};

std::pair<py::array, py::array> as_arrays(NearestRows&& found) {
  return {to_numpy(std::move(found.distances)), to_numpy(std::move(found.rows))};
}

std::tuple<py::array, py::array, py::array> as_arrays(RowsWithin&& found) {
  return {to_numpy(std::move(found.starts)), to_numpy(std::move(found.rows)),
          to_numpy(std::move(found.distances))};
}

template <class T>
void bind_tree(py::module_& m, const char* name) {
  py::class_<Tree<T>>(m, name)
      .def(
          "nearest",
          [](const Tree<T>& tree, const AnyArray<T>& queries, std::int64_t k, Device device,
             const py::object& progress) {
            const auto rows = as_rows(queries, "queries");
            return as_arrays(run(device, stream_of(queries), progress, [&](const Context& context) {
              return tree.neighbors.nearest(rows, k, context);
            }));
          },
          py::arg("queries").noconvert(), py::kw_only(), py::arg("k"), py::arg("device"),
          py::arg("progress") = py::none())
      .def(
          "nearest_others",
          [](const Tree<T>& tree, std::int64_t k, Device device, const py::object& progress) {
            return as_arrays(run(device, progress, [&](const Context& context) {
              return tree.neighbors.nearest_others(k, context);
            }));
          },
          py::kw_only(), py::arg("k"), py::arg("device"), py::arg("progress") = py::none())
      .def(
          "within",
          [](const Tree<T>& tree, const AnyArray<T>& queries, double radius, Device device,
             const py::object& progress) {
            const auto rows = as_rows(queries, "queries");
            return as_arrays(run(device, stream_of(queries), progress, [&](const Context& context) {
              return tree.neighbors.within(rows, radius, context);
            }));
          },
          py::arg("queries").noconvert(), py::kw_only(), py::arg("radius"), py::arg("device"),
          py::arg("progress") = py::none())
      .def(
          "others_within",
          [](const Tree<T>& tree, double radius, Device device, const py::object& progress) {
            return as_arrays(run(device, progress, [&](const Context& context) {
              return tree.neighbors.others_within(radius, context);
            }));
          },
          py::kw_only(), py::arg("radius"), py::arg("device"), py::arg("progress") = py::none());
  m.def(
      "neighbor_tree",
      [](const KeptRows<T>& x, NeighborMetric metric, double p, Device device,
         const py::object& progress) {
        const auto rows = as_rows(x.array, "x");
        return Tree<T>{x.owner, run(device, stream_of(x.array), progress, [&](const Context& ctx) {
                         return NearestNeighbors<T>(rows, {metric, p}, ctx);
                       })};
      },
      py::arg("x").noconvert(), py::kw_only(), py::arg("metric"), py::arg("p"), py::arg("device"),
      py::arg("progress") = py::none());
}

}  // namespace

void bind_neighbors(py::module_& m) {
  py::native_enum<NeighborMetric>(m, "NeighborMetric", "enum.Enum")
      .value("euclidean", NeighborMetric::Euclidean)
      .value("manhattan", NeighborMetric::Manhattan)
      .value("chebyshev", NeighborMetric::Chebyshev)
      .value("minkowski", NeighborMetric::Minkowski)
      .value("cosine", NeighborMetric::Cosine)
      .value("haversine", NeighborMetric::Haversine)
      .finalize();
  bind_tree<float>(m, "NeighborTree32");
  bind_tree<double>(m, "NeighborTree64");
}

}  // namespace coterie::python
