#include <pybind11/pybind11.h>

#include "bindings.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The engine: conversions and calls only. Use the coterie package.";
  coterie::python::bind_devices(m);  // first: the others' signatures name its types
  coterie::python::bind_threads(m);
  coterie::python::bind_dlpack(m);
  coterie::python::bind_distances(m);
  coterie::python::bind_kmeans(m);
  coterie::python::bind_measures(m);
  coterie::python::bind_pca(m);
  coterie::python::bind_neighbors(m);
  coterie::python::bind_dbscan(m);  // names the metrics of neighbors
  coterie::python::bind_knn_imputer(m);
}
