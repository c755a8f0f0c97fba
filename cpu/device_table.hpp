#pragma once

#include "core/contract/device.hpp"

namespace coterie::cpu {

/// Every algorithm's passes on the CPU; no entry is null.
const DeviceTable& device_table();

}  // namespace coterie::cpu
