#pragma once

#include <pybind11/pybind11.h>

namespace coterie::python {

void bind_dbscan(pybind11::module_& m);
void bind_devices(pybind11::module_& m);
void bind_distances(pybind11::module_& m);
void bind_dlpack(pybind11::module_& m);
void bind_kmeans(pybind11::module_& m);
void bind_knn_imputer(pybind11::module_& m);
void bind_measures(pybind11::module_& m);
void bind_neighbors(pybind11::module_& m);
void bind_pca(pybind11::module_& m);
void bind_threads(pybind11::module_& m);

}  // namespace coterie::python
