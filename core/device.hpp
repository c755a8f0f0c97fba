#pragma once

#include <string>

#include "core/contract/device.hpp"

namespace coterie {

/// The table of the CPU or of the GPU. Throws DeviceUnavailable with what was looked for and why it
/// cannot be used.
const DeviceTable& device_table(Device device);

/// The GPU's table where Auto may take it: where the GPU is usable, and one has run the CUDA
/// sources of this build as they stand (cuda/verified.json). Null elsewhere.
const DeviceTable* automatic_gpu();

/// The entry on the GPU where there is one, else on the CPU.
template <class T, class F>
F choose_automatically(const DeviceTable* gpu, F DeviceFunctions<T>::*entry) {
  if (gpu != nullptr && gpu->functions<T>().*entry != nullptr) return gpu->functions<T>().*entry;
  return device_table(Device::Cpu).functions<T>().*entry;
}

/// The device for rows that lie in `memory`: Auto takes the GPU where they are on one.
Device device_for(Memory memory, const Context& ctx);

/// The algorithm's entry on the device that `ctx` asks for. Throws DeviceUnavailable where that
/// device does not have it yet.
template <class T, class F>
F choose(Memory memory, const Context& ctx, F DeviceFunctions<T>::*entry, const char* what) {
  const Device device = device_for(memory, ctx);
  if (device == Device::Auto) return choose_automatically<T>(automatic_gpu(), entry);
  if (const F found = device_table(device).functions<T>().*entry) return found;
  throw DeviceUnavailable(std::string(what) + " is not on the GPU yet; use device=\"cpu\"");
}

}  // namespace coterie
