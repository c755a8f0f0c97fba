#define COTERIE_VECTOR_BYTES 16
#define COTERIE_LEAVES_NAME "baseline"
#define COTERIE_LEAVES_FUNCTION baseline_leaves
#include "cpu/simd/leaves.inl"
