#pragma once

#include <string>

#include "core/contract/device.hpp"

namespace coterie {

/// The table of a device. Auto takes the CPU: the CUDA passes have not been verified on a GPU, so
/// only those who ask for them get them.
/// Throws DeviceUnavailable with what was looked for and why it cannot be used.
const DeviceTable& device_table(Device device);

/// The algorithm's entry on the device that `ctx` asks for. Throws DeviceUnavailable where that
/// device does not have it yet.
template <class T, class F>
F choose(const Context& ctx, F DeviceFunctions<T>::*entry, const char* what) {
  const DeviceTable& table = device_table(ctx.device);
  if (const F found = table.functions<T>().*entry) return found;
  throw DeviceUnavailable(std::string(what) + " is not on the GPU yet; use device=\"cpu\"");
}

}  // namespace coterie
