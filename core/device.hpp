#pragma once

#include <string>

#include "core/contract/device.hpp"

namespace coterie {

/// The table of the device that `ctx` asks for. Auto takes a usable GPU, else the CPU.
/// Throws DeviceUnavailable with what was looked for and why it cannot be used.
const DeviceTable& device_table(Device device);

/// The algorithm's entry on the device that `ctx` asks for; Auto passes over a GPU without it.
template <class T, class F>
F choose(const Context& ctx, F DeviceFunctions<T>::* entry, const char* what) {
  const DeviceTable& table = device_table(ctx.device);
  if (const F found = table.functions<T>().*entry) return found;
  if (ctx.device == Device::Auto) return device_table(Device::Cpu).functions<T>().*entry;
  throw DeviceUnavailable(std::string(what) + " is not on the GPU yet; use device=\"cpu\"");
}

}  // namespace coterie
