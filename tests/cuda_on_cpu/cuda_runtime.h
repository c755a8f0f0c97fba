#pragma once

// CUDA on the CPU: put this folder first on the include path and a C++ compiler reads .cu files.
// Only what the project's kernels use is here.
//
// Every CUDA thread is a fiber; blocks run one after the other. COTERIE_EMULATED_ORDER says in
// which order the threads of a block (and the blocks) take their turns: forward, reverse or
// shuffled. A kernel that needs a barrier or a warp operation which is not there gives wrong
// numbers in one of them; shared memory starts as rubbish in every block, device memory after every
// allocation. A barrier that not every thread reaches, or that threads reach at different places, a
// warp operation that a named lane misses, and a launch beyond the limits of a GPU are errors. An
// asynchronous copy is done at once (reverse), when it is waited for (forward) or by chance.
//
// Built with ThreadSanitizer (preset tsan) every CUDA thread is a thread to it: a missing barrier
// or an access without an atomic is a data race with its line, also where no order of turns shows
// it. Barriers and warp operations order what they order on a GPU, blocks are ordered by nothing
// (each against the next one: a race of blocks further apart may be missed). Built with
// AddressSanitizer (preset asan) an access outside the arrays in device memory and in shared memory
// is an error.
//
// What it cannot show:
// - without ThreadSanitizer, races that only preemption exposes, `+=` where an atomic is needed
//   above all: a fiber runs until it waits.
// - the memory model: fences, lanes of a warp that run apart, values seen late, what an atomic
//   orders besides itself.
// - concurrency: kernels and copies are all done when the call returns, but for copies from
//   page-locked memory, which are put off until they are waited for. Blocks of a grid run one after
//   the other, so one that waits for another never ends.
// - accesses outside one part of dynamic shared memory that stay inside the whole of it.
// - the arithmetic of tensor cores beyond what NVIDIA promises: here sums go by ascending column
//   and are cut off, not rounded.
// - limits of registers and of static shared memory, alignment faults, bank conflicts, any time.
// - what nvcc makes of the source: contraction, denormals, its own bugs.
// So a pass here is not a pass on a GPU.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulated/device_functions.hpp"
#include "emulated/host_functions.hpp"
#include "emulated/tensor_cores.hpp"
