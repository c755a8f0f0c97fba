#include "cuda/upload.cuh"

namespace coterie::cuda {
namespace {

// Its copy takes some hundred microseconds, to page-lock it about a millisecond.
constexpr std::int64_t kChunkBytes = 4 << 20;

ParallelFor borrowed = nullptr;

}  // namespace

void borrow_threads(ParallelFor threads) { borrowed = threads; }

PinnedUpload& pinned_upload() {
  // Never destroyed: at the end of the process CUDA may be gone already.
  static PinnedUpload& upload = *new PinnedUpload(borrowed, kChunkBytes);
  return upload;
}

}  // namespace coterie::cuda
