#include "emulated/fiber.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_cpu {
namespace {

constexpr std::size_t kGuard = 4096;
constexpr std::size_t kStack = 256 * 1024;  // only the pages that are touched cost anything

Fiber* running = nullptr;

#if defined(__x86_64__)
/// Puts away the registers that a call must keep, and takes up those of the other side.
__attribute__((naked, noinline)) void swap_stacks(void** /*from*/, void* /*to*/) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}

void swap_states(void*& from, void*& to) { swap_stacks(&from, to); }

void make_state(void*& state, char* stack, void (*entry)()) {
  // As swap_stacks() leaves it: six registers, the address to return to, and one word so that the
  // stack is aligned as at any function's start.
  void** top = reinterpret_cast<void**>(stack + kStack) - 8;
  std::fill(top, top + 8, nullptr);
  top[6] = reinterpret_cast<void*>(entry);
  state = top;
}
#else
void swap_states(ucontext_t& from, ucontext_t& to) { swapcontext(&from, &to); }

void make_state(ucontext_t& state, char* stack, void (*entry)()) {
  getcontext(&state);
  state.uc_stack.ss_sp = stack;
  state.uc_stack.ss_size = kStack;
  state.uc_link = nullptr;
  makecontext(&state, entry, 0);
}
#endif

// AddressSanitizer has to be told of every change of stacks.
#if defined(__SANITIZE_ADDRESS__)
void before_switch(void** keep, const void* stack, std::size_t size) {
  __sanitizer_start_switch_fiber(keep, stack, size);
}
void after_switch(void* kept, const void** stack, std::size_t* size) {
  __sanitizer_finish_switch_fiber(kept, stack, size);
}
void forget_frames(void* stack) { __asan_unpoison_memory_region(stack, kStack); }
#else
void before_switch(void**, const void*, std::size_t) {}
void after_switch(void*, const void**, std::size_t*) {}
void forget_frames(void*) {}
#endif

}  // namespace

Fiber::Fiber()
    : memory_(mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory_, kGuard, PROT_NONE);  // too deep a stack stops here, not in other memory
}

Fiber::~Fiber() {
  forget_frames(static_cast<char*>(memory_) + kGuard);
  munmap(memory_, kGuard + kStack);
}

void Fiber::start(void (*body)()) {
  char* stack = static_cast<char*>(memory_) + kGuard;
  forget_frames(stack);
  body_ = body;
  finished_ = false;
  asan_inside_ = nullptr;
  make_state(inside_, stack, enter);
}

void Fiber::resume() {
  running = this;
  before_switch(&asan_outside_, static_cast<char*>(memory_) + kGuard, kStack);
  swap_states(outside_, inside_);
  after_switch(asan_outside_, nullptr, nullptr);
  running = nullptr;
}

void Fiber::enter() {
  Fiber* self = running;
  after_switch(nullptr, &self->outer_stack_, &self->outer_size_);
  self->body_();
  self->finished_ = true;
  self->leave(true);
  std::abort();  // a finished fiber is never resumed
}

void Fiber::pause() {
  Fiber* self = running;
  self->leave(false);
  after_switch(self->asan_inside_, &self->outer_stack_, &self->outer_size_);
}

void Fiber::leave(bool for_good) {
  before_switch(for_good ? nullptr : &asan_inside_, outer_stack_, outer_size_);
  swap_states(inside_, outside_);
}

}  // namespace cuda_on_cpu
