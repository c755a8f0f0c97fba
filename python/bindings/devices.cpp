#include "coterie/devices.hpp"

#include <pybind11/native_enum.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "bindings.hpp"
#include "coterie/context.hpp"

namespace coterie::python {

namespace py = pybind11;

void bind_devices(py::module_& m) {
  py::native_enum<Device>(m, "Device", "enum.Enum")
      .value("auto", Device::Auto)
      .value("cpu", Device::Cpu)
      .value("cuda", Device::Cuda)
      .finalize();
  py::register_exception<DeviceUnavailable>(m, "DeviceUnavailableError", PyExc_RuntimeError);

  py::class_<DeviceInfo>(m, "DeviceInfo")
      .def_readonly("kind", &DeviceInfo::kind)
      .def_readonly("usable", &DeviceInfo::usable)
      .def_readonly("detail", &DeviceInfo::detail)
      .def("__repr__", [](const DeviceInfo& info) {
        return info.kind + (info.usable ? " (usable): " : " (not usable): ") + info.detail;
      });
  m.def("devices", &devices);
  m.def("simd_level", &simd_level);
  m.def("version", &version);

  m.attr("compiler") = std::string(COTERIE_COMPILER);
  m.attr("built_with_cuda") = static_cast<bool>(COTERIE_BUILT_WITH_CUDA);
}

}  // namespace coterie::python
