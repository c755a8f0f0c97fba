# The CUDA sources; nvcc compiles them for libcoterie_cuda, the C++ compiler for the CUDA-on-CPU layer.
set(COTERIE_CUDA_SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/cluster_passes.cu
    ${CMAKE_CURRENT_LIST_DIR}/distances.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_columns.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_inertia.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_lloyd.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_lloyd_tensor.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_parallel_seeding.cu
    ${CMAKE_CURRENT_LIST_DIR}/kmeans_seeding.cu
    ${CMAKE_CURRENT_LIST_DIR}/library.cu
    ${CMAKE_CURRENT_LIST_DIR}/pca_project.cu
    ${CMAKE_CURRENT_LIST_DIR}/pca_scatter.cu
    ${CMAKE_CURRENT_LIST_DIR}/silhouette.cu)
