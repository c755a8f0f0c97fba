#define COTERIE_VECTOR_BYTES 32
#define COTERIE_LEAVES_NAME "avx2"
#define COTERIE_LEAVES_FUNCTION avx2_leaves
#include "cpu/simd/leaves.inl"
