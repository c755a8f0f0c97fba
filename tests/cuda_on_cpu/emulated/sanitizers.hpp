#pragma once

// What AddressSanitizer and ThreadSanitizer have to be told. Without them these do nothing.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

// ThreadSanitizer counts each thread's calls and returns; in a change of threads one calls and the
// other returns.
#define COTERIE_UNCOUNTED __attribute__((no_sanitize("thread")))

namespace cuda_on_cpu::sanitizers {

#if defined(__SANITIZE_ADDRESS__)
inline void before_switch(void** keep, const void* stack, std::size_t size) {
  __sanitizer_start_switch_fiber(keep, stack, size);
}
inline void after_switch(void* kept, const void** stack, std::size_t* size) {
  __sanitizer_finish_switch_fiber(kept, stack, size);
}
inline void forbid(void* memory, std::size_t size) { __asan_poison_memory_region(memory, size); }
inline void allow(void* memory, std::size_t size) { __asan_unpoison_memory_region(memory, size); }
#else
inline void before_switch(void**, const void*, std::size_t) {}
inline void after_switch(void*, const void**, std::size_t*) {}
inline void forbid(void*, std::size_t) {}
inline void allow(void*, std::size_t) {}
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kWatchesThreads = true;
inline void* create_thread() { return __tsan_create_fiber(0); }
inline void* current_thread() { return __tsan_get_current_fiber(); }
COTERIE_UNCOUNTED inline void become(void* thread) {
  __tsan_switch_to_fiber(thread, __tsan_switch_to_fiber_no_sync);
}
/// What a thread did before publish(at) happened before what another does after observe(at).
inline void publish(void* at) { __tsan_release(at); }
inline void observe(void* at) { __tsan_acquire(at); }

/// What the thread did happened before; it may have been left in the middle of something.
COTERIE_UNCOUNTED inline void destroy_thread(void* thread) {
  void* const self = current_thread();
  char end = 0;
  become(thread);
  publish(&end);
  become(self);
  observe(&end);
  __tsan_destroy_fiber(thread);
}

/// While it lives nothing that this thread reads or writes counts: the layer's own doings.
class Unwatched {
 public:
  Unwatched() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Unwatched() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};
#else
inline constexpr bool kWatchesThreads = false;
inline void* create_thread() { return nullptr; }
inline void destroy_thread(void*) {}
inline void* current_thread() { return nullptr; }
inline void become(void*) {}
inline void publish(void*) {}
inline void observe(void*) {}

class Unwatched {
 public:
  Unwatched() {}
};
#endif

}  // namespace cuda_on_cpu::sanitizers
