#pragma once

// CUDA on the CPU: put this folder first on the include path and a C++ compiler reads .cu files.
// Only what the project's kernels use is here.
//
// Every CUDA thread is a fiber; blocks run one after the other. COTERIE_EMULATED_ORDER says in
// which order the threads of a block (and the blocks) take their turns: forward, reverse or
// shuffled. A kernel that needs a barrier or a warp operation which is not there gives wrong
// numbers in one of them; shared memory starts as rubbish in every block, device memory after every
// allocation. A barrier that not every thread reaches, or that threads reach at different places, a
// warp operation that a named lane misses, and a launch beyond the limits of a GPU are errors.
//
// What it cannot show:
// - races that only preemption exposes, `+=` where an atomic is needed above all: a fiber runs
// until
//   it waits. AddressSanitizer sees accesses out of bounds, nothing here sees data races.
// - the memory model: fences, lanes of a warp that run apart, values seen late.
// - concurrency: streams, copies and kernels are all done when the call returns.
// - limits of registers and of static shared memory, alignment faults, bank conflicts, any time.
// - what nvcc makes of the source: contraction, denormals, its own bugs.
// So a pass here is not a pass on a GPU.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulated/device_functions.hpp"
#include "emulated/host_functions.hpp"
