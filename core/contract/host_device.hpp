#pragma once

/// Marks a scalar rule that the CPU and the GPU must share to the last bit.
#if defined(__CUDACC__)
#define COTERIE_HD __host__ __device__
#else
#define COTERIE_HD
#endif
