#pragma once

// What cuda/mma.cuh says in PTX.

namespace cuda_on_cpu {

unsigned to_tf32(float value);
void multiply_add_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]);

}  // namespace cuda_on_cpu
