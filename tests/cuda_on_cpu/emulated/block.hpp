#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "emulated/fiber.hpp"
#include "emulated/grid.hpp"

namespace cuda_on_cpu {

/// Where the lanes of a mask trade values. Two sets of values take turns, since a lane may come to
/// the next operation before the others have read from this one.
struct Meeting {
  unsigned mask = 0;
  unsigned arrived = 0;
  const char* operation = "";
  std::uint64_t round = 0;
  std::uint64_t values[2][kWarpSize] = {};
};

/// An asynchronous copy on its way.
struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  std::size_t zeros;  // behind them
  bool done = false;
};

enum class Doing { NotStarted, Running, WaitingAtBarrier, WaitingInWarp, Done };

struct Thread {
  unsigned number = 0;
  Doing doing = Doing::NotStarted;
  std::unique_ptr<Fiber> fiber;
  const char* place = "";
  const Meeting* meeting = nullptr;
  std::uint64_t round = 0;                    // of the meeting, when it came
  std::vector<Copy> open_copies;              // not yet committed
  std::deque<std::vector<Copy>> copy_groups;  // committed, oldest first
};

inline constexpr std::size_t kStaticSharedBytes = 1 << 20;  // of all kernels together

/// What a block has to itself. Blocks take turns with two of these, so that ThreadSanitizer sees no
/// order between a block and the next: on a GPU both may run at once.
struct Slot {
  alignas(16) unsigned char static_shared[kStaticSharedBytes];
  std::vector<unsigned char> dynamic_shared;
  std::vector<std::unique_ptr<Fiber>> idle_fibers;
  unsigned blocks = 0;  // that have had it

  // Addresses by which ThreadSanitizer learns the order of things: published at the end of a block
  // and seen by the slot's next one; published and seen at a barrier. Two of each, as some threads
  // come to the next one before others have seen this one.
  char ends[2];
  char barriers[2];
};

/// The threads of the block that runs.
class Block {
 public:
  Block(dim3 shape, Slot& slot, const std::function<void()>& body, Order order,
        std::mt19937& random);

  /// Runs the threads. Returns what went wrong, empty when nothing did.
  std::string run();

  // What the thread whose turn it is may call, on its fiber.
  void run_current();
  Thread& current() { return *current_; }
  Slot& slot() { return slot_; }
  Meeting& meeting(unsigned mask);
  char* next_barrier() { return &slot_.barriers[barriers_ % 2]; }
  /// Whether a copy is done when it is started. Else it is done when it is waited for.
  bool copies_at_once();
  /// Ends the block with the first thing that went wrong.
  void stop(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
  }
  std::string name(const Thread& thread) const;

 private:
  bool advance(Thread& thread);
  void give_fiber(Thread& thread);
  bool open_barrier();
  std::string describe_deadlock() const;

  dim3 shape_;
  Slot& slot_;
  const std::function<void()>& body_;
  Order order_;
  std::mt19937& random_;
  std::vector<Thread> threads_;
  std::vector<unsigned> turns_;
  std::vector<std::deque<Meeting>> meetings_;  // by warp; a deque, so that they stay in place
  Thread* current_ = nullptr;
  unsigned barriers_ = 0;  // passed
  std::string failure_;
};

extern Block* block;     // the one that runs
extern char grid_start;  // published for ThreadSanitizer when a grid starts

/// The numbers from 0, in the order in which they get their turns.
void put_in_order(std::vector<unsigned>& turns, Order order, std::mt19937& random);

}  // namespace cuda_on_cpu
