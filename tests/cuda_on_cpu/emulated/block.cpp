#include "emulated/block.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "emulated/sanitizers.hpp"

namespace cuda_on_cpu {

Block* block = nullptr;
char grid_start;

void put_in_order(std::vector<unsigned>& turns, Order order, std::mt19937& random) {
  std::iota(turns.begin(), turns.end(), 0U);
  if (order == Order::Reverse) std::reverse(turns.begin(), turns.end());
  if (order == Order::Shuffled) std::shuffle(turns.begin(), turns.end(), random);
}

Block::Block(dim3 shape, Slot& slot, const std::function<void()>& body, Order order,
             std::mt19937& random)
    : shape_(shape),
      slot_(slot),
      body_(body),
      order_(order),
      random_(random),
      threads_(shape.x * shape.y * shape.z),
      turns_(threads_.size()),
      meetings_((threads_.size() + kWarpSize - 1) / kWarpSize) {
  for (unsigned i = 0; i < threads_.size(); ++i) threads_[i].number = i;
}

std::string Block::run() {
  const auto done = [](const Thread& t) { return t.doing == Doing::Done; };
  while (failure_.empty() && !std::all_of(threads_.begin(), threads_.end(), done)) {
    put_in_order(turns_, order_, random_);
    bool progress = false;
    for (const unsigned number : turns_) progress |= advance(threads_[number]);
    progress |= open_barrier();
    if (!progress) stop(describe_deadlock());
  }
  for (Thread& thread : threads_) {
    const bool reusable = thread.fiber != nullptr && thread.fiber->finished();
    if (reusable) slot_.idle_fibers.push_back(std::move(thread.fiber));
  }
  return failure_;
}

/// Gives the thread its turn, if it has anything to do.
bool Block::advance(Thread& thread) {
  if (thread.doing == Doing::WaitingInWarp && thread.meeting->round != thread.round) {
    thread.doing = Doing::Running;
  }
  if (thread.doing == Doing::NotStarted) give_fiber(thread);
  if (thread.doing != Doing::Running) return false;
  current_ = &thread;
  threadIdx = {thread.number % shape_.x, thread.number / shape_.x % shape_.y,
               thread.number / (shape_.x * shape_.y)};
  thread.fiber->resume();
  if (thread.fiber->finished()) {
    thread.doing = Doing::Done;
    // The next thread's, while it is warm; but ThreadSanitizer would take both for one.
    if (!sanitizers::kWatchesThreads) slot_.idle_fibers.push_back(std::move(thread.fiber));
  }
  return true;
}

void Block::give_fiber(Thread& thread) {
  auto& idle = slot_.idle_fibers;
  if (idle.empty()) idle.push_back(std::make_unique<Fiber>());
  thread.fiber = std::move(idle.back());
  idle.pop_back();
  thread.fiber->start([] { block->run_current(); });
  thread.doing = Doing::Running;
}

void Block::run_current() {
  sanitizers::observe(&grid_start);
  sanitizers::observe(&slot_.ends[(slot_.blocks + 1) % 2]);
  body_();
  sanitizers::publish(&slot_.ends[slot_.blocks % 2]);
}

bool Block::copies_at_once() {
  return order_ == Order::Reverse || (order_ == Order::Shuffled && random_() % 2 == 0);
}

/// Lets the threads go on once all of them are at the barrier.
bool Block::open_barrier() {
  const Thread* first = nullptr;
  const Thread* left = nullptr;
  for (const Thread& thread : threads_) {
    if (thread.doing == Doing::Done) {
      if (left == nullptr) left = &thread;
    } else if (thread.doing != Doing::WaitingAtBarrier) {
      return false;
    } else if (first == nullptr) {
      first = &thread;
    } else if (std::strcmp(first->place, thread.place) != 0) {
      stop("divergent barrier: " + name(*first) + " waits at " + first->place + ", " +
           name(thread) + " at " + thread.place);
    }
  }
  if (first == nullptr) return false;
  if (left != nullptr) {
    stop("divergent barrier: " + name(*first) + " waits at " + first->place + ", " + name(*left) +
         " has returned");
  }
  for (Thread& thread : threads_) {
    if (thread.doing == Doing::WaitingAtBarrier) thread.doing = Doing::Running;
  }
  ++barriers_;
  return true;
}

std::string Block::describe_deadlock() const {
  std::string text = "deadlock:";
  int told = 0;
  for (const Thread& thread : threads_) {
    if (thread.doing == Doing::Done || ++told > 4) continue;
    text += ' ';
    text += name(thread) + " waits at " + thread.place + ";";
  }
  text += ' ';
  return text + std::to_string(told) + " threads wait in all";
}

std::string Block::name(const Thread& thread) const {
  return "thread " + std::to_string(thread.number) + " of block " + std::to_string(blockIdx.x);
}

Meeting& Block::meeting(unsigned mask) {
  auto& meetings = meetings_[current_->number / kWarpSize];
  for (Meeting& known : meetings) {
    if (known.mask == mask) return known;
  }
  meetings.emplace_back().mask = mask;
  return meetings.back();
}

}  // namespace cuda_on_cpu
