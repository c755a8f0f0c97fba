#pragma once

// What a kernel is written with. A C++ compiler need not know which functions are kernels.
#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)

struct uint3 {
  unsigned x, y, z;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned along = 1, unsigned down = 1, unsigned deep = 1)
      : x(along), y(down), z(deep) {}
};

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
