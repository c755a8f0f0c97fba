#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_on_cpu {

/// A call stack of its own. One fiber runs at a time, and only while resume() waits for it. To
/// ThreadSanitizer each is a thread.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next resume() calls body() from the top of the stack; a call not finished is forgotten.
  void start(void (*body)());
  /// Runs the fiber until it pauses or its body returns.
  void resume();
  bool finished() const { return finished_; }

  /// Called on a fiber: goes back to resume().
  static void pause();

 private:
#if defined(__x86_64__)
  using State = void*;  // the stack pointer; the registers lie on the stack
#else
  using State = ucontext_t;
#endif

  static void enter();
  void leave(bool for_good);

  void* memory_;  // a guard page and the stack
  void (*body_)() = nullptr;
  bool finished_ = true;
  State inside_{};
  State outside_{};
  void* asan_inside_ = nullptr;  // what AddressSanitizer keeps for each side
  void* asan_outside_ = nullptr;
  void* tsan_inside_;  // whom ThreadSanitizer takes each side for
  void* tsan_outside_ = nullptr;
  const void* outer_stack_ = nullptr;
  std::size_t outer_size_ = 0;
};

}  // namespace cuda_on_cpu
