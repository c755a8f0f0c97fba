#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "emulated/types.hpp"

namespace cuda_on_cpu {

inline constexpr unsigned kWarpSize = 32;
inline constexpr unsigned kMaxThreads = 1024;  // of a block
inline constexpr std::size_t kMaxSharedBytes = 227 * 1024;

enum class Order { Forward, Reverse, Shuffled };

/// What COTERIE_EMULATED_ORDER says; forward when it says nothing.
Order order_of_turns();

/// Runs body() once for each thread of the grid. Returns what went wrong, empty when nothing did.
std::string run_grid(dim3 blocks, dim3 threads, std::size_t dynamic_shared_bytes,
                     const std::function<void()>& body);

/// Called by a thread: waits until all threads of its block are at the same place.
void wait_at_barrier(const char* place);

/// Called by a thread: waits until every lane of its warp named in mask calls it for the same
/// operation; returns their values by lane.
const std::uint64_t* exchange(const char* operation, unsigned mask, std::uint64_t value);

/// Called by a thread: an asynchronous copy, with zeros behind it; nothing of it may be relied on
/// before wait_for_copies(). Sometimes it is done at once, sometimes only then.
void start_copy(void* to, const void* from, std::size_t bytes, std::size_t zeros);

/// Called by a thread: makes a group of the copies that it has started since the last one.
void commit_copies();

/// Called by a thread: waits until at most `groups_left` of its groups, the last ones, are not
/// done.
void wait_for_copies(unsigned groups_left);

/// Called by a thread: its number in its warp.
unsigned lane();

unsigned char* dynamic_shared_memory();
unsigned char* static_shared_memory(std::size_t offset);

/// Sets aside static shared memory; once for each variable, for good.
std::size_t reserve_static_shared(std::size_t bytes);

}  // namespace cuda_on_cpu
