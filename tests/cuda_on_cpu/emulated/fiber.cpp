#include "emulated/fiber.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "emulated/sanitizers.hpp"

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

COTERIE_UNCOUNTED void swap_states(void*& from, void*& to) { swap_stacks(&from, to); }

void make_state(void*& state, char* stack, void (*entry)()) {
  // As swap_stacks() leaves it: six registers, the address to return to, and one word so that the
  // stack is aligned as at any function's start.
  void** top = reinterpret_cast<void**>(stack + kStack) - 8;
  std::fill(top, top + 8, nullptr);
  top[6] = reinterpret_cast<void*>(entry);
  state = top;
}
#else
COTERIE_UNCOUNTED void swap_states(ucontext_t& from, ucontext_t& to) { swapcontext(&from, &to); }

void make_state(ucontext_t& state, char* stack, void (*entry)()) {
  getcontext(&state);
  state.uc_stack.ss_sp = stack;
  state.uc_stack.ss_size = kStack;
  state.uc_link = nullptr;
  makecontext(&state, entry, 0);
}
#endif

}  // namespace

Fiber::Fiber()
    : memory_(mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
      tsan_inside_(sanitizers::create_thread()) {
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory_, kGuard, PROT_NONE);  // too deep a stack stops here, not in other memory
}

Fiber::~Fiber() {
  sanitizers::destroy_thread(tsan_inside_);
  sanitizers::allow(static_cast<char*>(memory_) + kGuard, kStack);
  munmap(memory_, kGuard + kStack);
}

void Fiber::start(void (*body)()) {
  char* stack = static_cast<char*>(memory_) + kGuard;
  sanitizers::allow(stack, kStack);  // the frames of an earlier call
  body_ = body;
  finished_ = false;
  asan_inside_ = nullptr;
  make_state(inside_, stack, enter);
}

void Fiber::resume() {
  running = this;
  sanitizers::before_switch(&asan_outside_, static_cast<char*>(memory_) + kGuard, kStack);
  tsan_outside_ = sanitizers::current_thread();
  sanitizers::become(tsan_inside_);
  swap_states(outside_, inside_);
  sanitizers::after_switch(asan_outside_, nullptr, nullptr);
  running = nullptr;
}

COTERIE_UNCOUNTED void Fiber::enter() {
  Fiber* self = running;
  sanitizers::after_switch(nullptr, &self->outer_stack_, &self->outer_size_);
  self->body_();
  self->finished_ = true;
  self->leave(true);
  std::abort();  // a finished fiber is never resumed
}

COTERIE_UNCOUNTED void Fiber::pause() {
  Fiber* self = running;
  self->leave(false);
  sanitizers::after_switch(self->asan_inside_, &self->outer_stack_, &self->outer_size_);
}

COTERIE_UNCOUNTED void Fiber::leave(bool for_good) {
  sanitizers::before_switch(for_good ? nullptr : &asan_inside_, outer_stack_, outer_size_);
  sanitizers::become(tsan_outside_);
  swap_states(inside_, outside_);
}

}  // namespace cuda_on_cpu
