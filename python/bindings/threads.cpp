#include "coterie/threads.hpp"

#include <pybind11/pybind11.h>

#include "bindings.hpp"
#include "coterie/export.hpp"

// threadpoolctl looks libraries up by C symbols and calls these through ctypes.
extern "C" {
COTERIE_API int coterie_get_num_threads() { return coterie::num_threads(); }
COTERIE_API void coterie_set_num_threads(int threads) { coterie::set_num_threads(threads); }
}

namespace coterie::python {

void bind_threads(pybind11::module_& m) {
  m.def("num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads, pybind11::arg("threads"));
}

}  // namespace coterie::python
