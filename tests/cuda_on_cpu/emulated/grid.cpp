#include "emulated/grid.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "emulated/fiber.hpp"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_on_cpu {
namespace {

constexpr int kRubbish = 0xcb;
constexpr std::size_t kStaticSharedBytes = 1 << 20;  // of all kernels together

/// Where the lanes of a mask trade values. Two sets of values take turns, since a lane may come to
/// the next operation before the others have read from this one.
struct Meeting {
  unsigned mask = 0;
  unsigned arrived = 0;
  const char* operation = "";
  std::uint64_t round = 0;
  std::uint64_t values[2][kWarpSize] = {};
};

enum class Doing { NotStarted, Running, WaitingAtBarrier, WaitingInWarp, Done };

struct Thread {
  unsigned number = 0;
  Doing doing = Doing::NotStarted;
  std::unique_ptr<Fiber> fiber;
  const char* place = "";
  const Meeting* meeting = nullptr;
  std::uint64_t round = 0;  // of the meeting, when it came
};

/// The threads of the block that runs.
class Block {
 public:
  Block(dim3 shape, const std::function<void()>& body, Order order, std::mt19937& random);

  std::string run();
  void stop(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
  }
  Thread& current() { return *current_; }
  Meeting& meeting(unsigned mask);
  void call_body() const { body_(); }
  std::string name(const Thread& thread) const;

 private:
  bool advance(Thread& thread);
  bool open_barrier();
  std::string describe_deadlock() const;

  dim3 shape_;
  const std::function<void()>& body_;
  Order order_;
  std::mt19937& random_;
  std::vector<Thread> threads_;
  std::vector<unsigned> turns_;
  std::vector<std::deque<Meeting>> meetings_;  // by warp; a deque, so that they stay in place
  Thread* current_ = nullptr;
  std::string failure_;
};

std::mutex one_grid_at_a_time;
Block* block = nullptr;
std::vector<std::unique_ptr<Fiber>> idle_fibers;
std::vector<unsigned char> dynamic_shared;
alignas(16) unsigned char static_shared[kStaticSharedBytes];
std::size_t static_shared_used = 0;

void put_in_order(std::vector<unsigned>& turns, Order order, std::mt19937& random) {
  std::iota(turns.begin(), turns.end(), 0U);
  if (order == Order::Reverse) std::reverse(turns.begin(), turns.end());
  if (order == Order::Shuffled) std::shuffle(turns.begin(), turns.end(), random);
}

Block::Block(dim3 shape, const std::function<void()>& body, Order order, std::mt19937& random)
    : shape_(shape),
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
    if (thread.fiber) idle_fibers.push_back(std::move(thread.fiber));
  }
  return failure_;
}

/// Gives the thread its turn, if it has anything to do.
bool Block::advance(Thread& thread) {
  if (thread.doing == Doing::WaitingInWarp && thread.meeting->round != thread.round) {
    thread.doing = Doing::Running;
  }
  if (thread.doing == Doing::NotStarted) {
    if (idle_fibers.empty()) idle_fibers.push_back(std::make_unique<Fiber>());
    thread.fiber = std::move(idle_fibers.back());
    idle_fibers.pop_back();
    thread.fiber->start([] { block->call_body(); });
    thread.doing = Doing::Running;
  }
  if (thread.doing != Doing::Running) return false;
  current_ = &thread;
  threadIdx = {thread.number % shape_.x, thread.number / shape_.x % shape_.y,
               thread.number / (shape_.x * shape_.y)};
  thread.fiber->resume();
  if (thread.fiber->finished()) {
    thread.doing = Doing::Done;
    idle_fibers.push_back(std::move(thread.fiber));  // the next thread's, while it is warm
  }
  return true;
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

std::string run_block(dim3 threads, const std::function<void()>& body, Order order,
                      std::mt19937& random) {
  std::fill(dynamic_shared.begin(), dynamic_shared.end(), kRubbish);
  std::fill_n(static_shared, static_shared_used, kRubbish);
  Block running(threads, body, order, random);
  block = &running;
  std::string failure = running.run();
  block = nullptr;
  return failure;
}

}  // namespace

Order order_of_turns() {
  const char* name = std::getenv("COTERIE_EMULATED_ORDER");
  if (name == nullptr || std::strcmp(name, "forward") == 0) return Order::Forward;
  if (std::strcmp(name, "reverse") == 0) return Order::Reverse;
  if (std::strcmp(name, "shuffled") == 0) return Order::Shuffled;
  throw std::invalid_argument("COTERIE_EMULATED_ORDER must be forward, reverse or shuffled, got '" +
                              std::string(name) + "'");
}

std::string run_grid(dim3 blocks, dim3 threads, std::size_t dynamic_shared_bytes,
                     const std::function<void()>& body) {
  const std::lock_guard lock(one_grid_at_a_time);
  const Order order = order_of_turns();
  static std::mt19937 random;
  std::vector<unsigned> turns(std::size_t{blocks.x} * blocks.y * blocks.z);
  put_in_order(turns, order, random);
  // Exactly as large as asked for, so that AddressSanitizer sees what lies behind it.
  dynamic_shared = std::vector<unsigned char>(dynamic_shared_bytes);
  gridDim = blocks;
  blockDim = threads;
  for (const unsigned number : turns) {
    blockIdx = {number % blocks.x, number / blocks.x % blocks.y, number / (blocks.x * blocks.y)};
    std::string failure = run_block(threads, body, order, random);
    if (!failure.empty()) return failure;
  }
  return {};
}

void wait_at_barrier(const char* place) {
  Thread& self = block->current();
  self.doing = Doing::WaitingAtBarrier;
  self.place = place;
  Fiber::pause();
}

const std::uint64_t* exchange(const char* operation, unsigned mask, std::uint64_t value) {
  Thread& self = block->current();
  Meeting& meeting = block->meeting(mask);
  const unsigned my_bit = 1U << (self.number % kWarpSize);
  if ((mask & my_bit) == 0) block->stop(block->name(self) + " is not in its own mask");
  if (meeting.arrived != 0 && std::strcmp(meeting.operation, operation) != 0) {
    block->stop("lanes of one warp meet in " + std::string(meeting.operation) + " and " +
                operation);
  }
  const std::uint64_t round = meeting.round;
  meeting.operation = operation;
  meeting.arrived |= my_bit;
  meeting.values[round % 2][self.number % kWarpSize] = value;
  if (meeting.arrived == mask) {
    meeting.arrived = 0;
    ++meeting.round;
  } else {
    self.doing = Doing::WaitingInWarp;
    self.place = operation;
    self.meeting = &meeting;
    self.round = round;
    Fiber::pause();
  }
  return meeting.values[round % 2];
}

unsigned lane() { return block->current().number % kWarpSize; }

unsigned char* dynamic_shared_memory() { return dynamic_shared.data(); }
unsigned char* static_shared_memory(std::size_t offset) { return static_shared + offset; }

std::size_t reserve_static_shared(std::size_t bytes) {
  const std::size_t offset = (static_shared_used + 15) / 16 * 16;
  if (offset + bytes > kStaticSharedBytes) {
    throw std::length_error("the kernels' static shared memory is larger than the layer's room");
  }
  static_shared_used = offset + bytes;
  std::fill_n(static_shared + offset, bytes, kRubbish);
  return offset;
}

}  // namespace cuda_on_cpu
