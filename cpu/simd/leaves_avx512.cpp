#define COTERIE_VECTOR_BYTES 64
#define COTERIE_LEAVES_NAME "avx512"
#define COTERIE_LEAVES_FUNCTION avx512_leaves
#include "cpu/simd/leaves.inl"
