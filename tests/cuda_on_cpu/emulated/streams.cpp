#include "emulated/streams.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "emulated/block.hpp"
#include "emulated/host_functions.hpp"

struct cuda_on_cpu_stream {
  struct Copy {
    void* to;
    const void* from;
    std::size_t bytes;
  };
  std::deque<Copy> put_off;
  std::uint64_t made = 0;  // copies

  void catch_up(std::uint64_t count) {
    for (; made < count && !put_off.empty(); ++made) {
      std::memcpy(put_off.front().to, put_off.front().from, put_off.front().bytes);
      put_off.pop_front();
    }
  }
};

struct cuda_on_cpu_event {
  cuda_on_cpu_stream* stream = nullptr;  // null: never recorded
  std::uint64_t copies = 0;              // of the stream, before the event
};

namespace cuda_on_cpu {
namespace {

constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

struct Streams {
  std::mutex mutex;
  cuda_on_cpu_stream legacy, per_thread;
  std::set<cuda_on_cpu_stream*> made = {&legacy, &per_thread};
  std::map<const char*, std::size_t> pinned;

  /// What a handle means: 0 and 1 are the legacy default stream, 2 that of the thread.
  cuda_on_cpu_stream* find(cuda_on_cpu_stream* handle) {
    const auto number = reinterpret_cast<std::uintptr_t>(handle);
    if (number <= 1) return &legacy;
    if (number == 2) return &per_thread;
    return made.contains(handle) ? handle : nullptr;
  }
  /// Makes the copies before an event.
  void reach(const cuda_on_cpu_event& event) {
    if (made.contains(event.stream)) event.stream->catch_up(event.copies);
  }
};

Streams& streams() {
  static Streams the_ones;
  return the_ones;
}

}  // namespace

bool stream_exists(cuda_on_cpu_stream* stream) {
  const std::lock_guard lock(streams().mutex);
  return streams().find(stream) != nullptr;
}

bool is_pinned(const void* memory) {
  const std::lock_guard lock(streams().mutex);
  const auto* at = static_cast<const char*>(memory);
  auto after = streams().pinned.upper_bound(at);
  if (after == streams().pinned.begin()) return false;
  --after;
  return std::less<>()(at, after->first + after->second);
}

void put_off_copy(cuda_on_cpu_stream* stream, void* to, const void* from, std::size_t bytes) {
  const std::lock_guard lock(streams().mutex);
  cuda_on_cpu_stream* const found = streams().find(stream);
  found->put_off.push_back({to, from, bytes});
  if (order_of_turns() == Order::Reverse) found->catch_up(kAll);
}

void catch_up(cuda_on_cpu_stream* stream) {
  const std::lock_guard lock(streams().mutex);
  if (cuda_on_cpu_stream* const found = streams().find(stream)) found->catch_up(kAll);
}

void catch_up_all() {
  const std::lock_guard lock(streams().mutex);
  for (cuda_on_cpu_stream* stream : streams().made) stream->catch_up(kAll);
}

}  // namespace cuda_on_cpu

using cuda_on_cpu::streams;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(streams().mutex);
  *stream = new cuda_on_cpu_stream;
  streams().made.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  cuda_on_cpu::catch_up(stream);
  const std::lock_guard lock(streams().mutex);
  if (streams().made.erase(stream) == 0) return cudaErrorInvalidResourceHandle;
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(streams().mutex);
  if (streams().find(stream) == nullptr) return cudaErrorInvalidResourceHandle;
  streams().reach(*event);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new cuda_on_cpu_event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(streams().mutex);
  cuda_on_cpu_stream* const found = streams().find(stream);
  if (found == nullptr) return cudaErrorInvalidResourceHandle;
  *event = {found, found->made + found->put_off.size()};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(streams().mutex);
  streams().reach(*event);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  const char* most = std::getenv("COTERIE_EMULATED_PINNED");
  if (most != nullptr && bytes > std::strtoull(most, nullptr, 10)) {
    return cudaErrorMemoryAllocation;
  }
  *memory = std::malloc(bytes);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  const std::lock_guard lock(streams().mutex);
  streams().pinned[static_cast<const char*>(*memory)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  cuda_on_cpu::catch_up_all();
  const std::lock_guard lock(streams().mutex);
  if (streams().pinned.erase(static_cast<const char*>(memory)) == 0) return cudaErrorInvalidValue;
  std::free(memory);
  return cudaSuccess;
}
