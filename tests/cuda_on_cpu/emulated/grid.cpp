#include "emulated/grid.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "emulated/block.hpp"
#include "emulated/sanitizers.hpp"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_on_cpu {
namespace {

constexpr int kRubbish = 0xcb;
constexpr std::size_t kSharedGap = 32;  // behind each variable; nobody's

struct Variable {
  std::size_t offset;
  std::size_t bytes;
};

std::mutex one_grid_at_a_time;
Slot slots[2];
std::vector<Variable> static_shared;

std::string run_block(Slot& slot, dim3 threads, const std::function<void()>& body, Order order,
                      std::mt19937& random) {
  std::fill(slot.dynamic_shared.begin(), slot.dynamic_shared.end(), kRubbish);
  for (const Variable& variable : static_shared) {
    std::fill_n(slot.static_shared + variable.offset, variable.bytes, kRubbish);
  }
  Block running(threads, slot, body, order, random);
  block = &running;
  std::string failure = running.run();
  block = nullptr;
  ++slot.blocks;
  return failure;
}

void do_copy(Copy& copy) {
  if (std::exchange(copy.done, true)) return;
  std::memcpy(copy.to, copy.from, copy.bytes);
  std::memset(static_cast<char*>(copy.to) + copy.bytes, 0, copy.zeros);
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
  const sanitizers::Unwatched unwatched;
  const Order order = order_of_turns();
  static std::mt19937 random;
  std::vector<unsigned> turns(std::size_t{blocks.x} * blocks.y * blocks.z);
  put_in_order(turns, order, random);
  for (Slot& slot : slots) {
    // Exactly as large as asked for, so that AddressSanitizer sees what lies behind it.
    slot.dynamic_shared = std::vector<unsigned char>(dynamic_shared_bytes);
  }
  gridDim = blocks;
  blockDim = threads;
  sanitizers::publish(&grid_start);
  std::string failure;
  for (std::size_t i = 0; i < turns.size() && failure.empty(); ++i) {
    const unsigned number = turns[i];
    blockIdx = {number % blocks.x, number / blocks.x % blocks.y, number / (blocks.x * blocks.y)};
    failure = run_block(slots[i % 2], threads, body, order, random);
  }
  for (Slot& slot : slots) {
    for (char& end : slot.ends) sanitizers::observe(&end);
  }
  return failure;
}

void wait_at_barrier(const char* place) {
  char* barrier = nullptr;
  {
    const sanitizers::Unwatched unwatched;
    Thread& self = block->current();
    self.doing = Doing::WaitingAtBarrier;
    self.place = place;
    barrier = block->next_barrier();
  }
  sanitizers::publish(barrier);
  Fiber::pause();
  sanitizers::observe(barrier);
}

const std::uint64_t* exchange(const char* operation, unsigned mask, std::uint64_t value) {
  std::uint64_t* values = nullptr;
  bool wait = false;
  {
    const sanitizers::Unwatched unwatched;
    Thread& self = block->current();
    Meeting& meeting = block->meeting(mask);
    const unsigned my_bit = 1U << (self.number % kWarpSize);
    if ((mask & my_bit) == 0) block->stop(block->name(self) + " is not in its own mask");
    if (meeting.arrived != 0 && std::strcmp(meeting.operation, operation) != 0) {
      block->stop("lanes of one warp meet in " + std::string(meeting.operation) + " and " +
                  operation);
    }
    values = meeting.values[meeting.round % 2];
    meeting.operation = operation;
    meeting.arrived |= my_bit;
    values[self.number % kWarpSize] = value;
    wait = meeting.arrived != mask;
    if (wait) {
      self.doing = Doing::WaitingInWarp;
      self.place = operation;
      self.meeting = &meeting;
      self.round = meeting.round;
    } else {
      meeting.arrived = 0;
      ++meeting.round;
    }
  }
  sanitizers::publish(values);
  if (wait) Fiber::pause();
  sanitizers::observe(values);
  return values;
}

void start_copy(void* to, const void* from, std::size_t bytes, std::size_t zeros) {
  const std::size_t size = bytes + zeros;
  const auto misaligned = [size](const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory) % size != 0;
  };
  Copy* copy = nullptr;
  {
    const sanitizers::Unwatched unwatched;
    Thread& self = block->current();
    if (misaligned(to) || misaligned(from)) {
      block->stop(block->name(self) + " copies " + std::to_string(size) +
                  " bytes between addresses that are not both multiples of it");
      return;
    }
    self.open_copies.push_back({to, from, bytes, zeros});
    if (block->copies_at_once()) copy = &self.open_copies.back();
  }
  if (copy != nullptr) do_copy(*copy);
}

void commit_copies() {
  const sanitizers::Unwatched unwatched;
  Thread& self = block->current();
  self.copy_groups.push_back(std::exchange(self.open_copies, {}));
}

void wait_for_copies(unsigned groups_left) {
  auto& groups = block->current().copy_groups;
  for (; groups.size() > groups_left; groups.pop_front()) {
    for (Copy& copy : groups.front()) do_copy(copy);
  }
}

unsigned lane() { return block->current().number % kWarpSize; }

unsigned char* dynamic_shared_memory() { return block->slot().dynamic_shared.data(); }
unsigned char* static_shared_memory(std::size_t offset) {
  return block->slot().static_shared + offset;
}

std::size_t reserve_static_shared(std::size_t bytes) {
  const sanitizers::Unwatched unwatched;
  std::size_t offset = 0;
  if (!static_shared.empty()) {
    offset = static_shared.back().offset + static_shared.back().bytes + kSharedGap;
    offset = (offset + 15) / 16 * 16;
  }
  if (offset + bytes + kSharedGap > kStaticSharedBytes) {
    throw std::length_error("the kernels' static shared memory is larger than the layer's room");
  }
  static_shared.push_back({offset, bytes});
  for (Slot& slot : slots) {
    std::fill_n(slot.static_shared + offset, bytes, kRubbish);
    sanitizers::forbid(slot.static_shared + offset + bytes, kSharedGap);
  }
  return offset;
}

}  // namespace cuda_on_cpu
