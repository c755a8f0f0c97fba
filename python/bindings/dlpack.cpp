// Arrays that show themselves by DLPack alone (github.com/dmlc/dlpack), read in the first layout,
// which a producer gives who is not asked for another.
#include <cstdint>
#include <stdexcept>
#include <string>

#include "bindings.hpp"

namespace coterie::python {

namespace py = pybind11;

namespace {

struct DlpackArray {
  void* data;
  std::int32_t device_type, device;
  std::int32_t dimensions;
  std::uint8_t kind, bits;
  std::uint16_t lanes;
  std::int64_t* shape;
  std::int64_t* strides;  // elements; null: C order
  std::uint64_t byte_offset;
};

struct ManagedArray {
  DlpackArray array;
  void* owner;
  void (*give_back)(ManagedArray*);
};

/// NumPy's name of an element type.
std::string type_name(const DlpackArray& array) {
  constexpr const char* kKinds = "iuf??cb";  // by DLPack's number; a ? is unknown to NumPy
  constexpr std::uint8_t kBool = 6;
  const char kind = array.kind <= kBool ? kKinds[array.kind] : '?';
  if (kind == '?' || array.lanes != 1 || array.bits % 8 != 0) {
    throw std::invalid_argument("X has elements that NumPy does not know (DLPack's type " +
                                std::to_string(array.kind) + " of " + std::to_string(array.bits) +
                                " bits): convert it to float32 or float64");
  }
  return (array.bits == 8 ? "|" : "<") + std::string(1, kind) + std::to_string(array.bits / 8);
}

/// A producer's array, which is kept until this goes.
class ImportedArray {
 public:
  explicit ImportedArray(py::capsule capsule) {
    constexpr const char* kFresh = "dltensor";
    if (!PyCapsule_IsValid(capsule.ptr(), kFresh)) {
      throw std::invalid_argument("X.__dlpack__() must give a capsule \"dltensor\", not used yet");
    }
    managed_ = capsule.get_pointer<ManagedArray>();
    capsule.set_name("used_dltensor");  // so that the capsule no longer gives the array back
  }
  ~ImportedArray() {
    if (managed_->give_back != nullptr) managed_->give_back(managed_);
  }
  ImportedArray(const ImportedArray&) = delete;
  ImportedArray& operator=(const ImportedArray&) = delete;

  py::dict interface() const {
    const DlpackArray& array = managed_->array;
    const std::string type = type_name(array);
    py::tuple shape(array.dimensions), strides(array.dimensions);
    for (std::int32_t i = 0; i < array.dimensions; ++i) {
      shape[static_cast<std::size_t>(i)] = array.shape[i];
      if (array.strides == nullptr) continue;
      strides[static_cast<std::size_t>(i)] = array.strides[i] * (array.bits / 8);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(array.data) + array.byte_offset;
    py::dict interface;
    interface["shape"] = shape;
    interface["typestr"] = type;
    interface["data"] = py::make_tuple(address, true);
    interface["strides"] = array.strides == nullptr ? py::object(py::none()) : py::object(strides);
    interface["version"] = 3;
    return interface;
  }

 private:
  ManagedArray* managed_;
};

}  // namespace

void bind_dlpack(py::module_& m) {
  py::class_<ImportedArray>(m, "DlpackArray")
      .def(py::init<py::capsule>(), py::arg("capsule"))
      .def_property_readonly("interface", &ImportedArray::interface);
}

}  // namespace coterie::python
