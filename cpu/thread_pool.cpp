#include "cpu/thread_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/contract/floating_environment.hpp"
#include "coterie/threads.hpp"

namespace coterie::cpu {
namespace {

thread_local bool inside_body = false;

/// One parallel_for: chunks are handed out from a shared counter.
struct Job {
  Job(std::int64_t chunk_count, FunctionRef<void(std::int64_t, int)> chunk_body)
      : chunks(chunk_count), body(chunk_body) {}

  const std::int64_t chunks;
  const FunctionRef<void(std::int64_t, int)> body;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> abandoned{false};
  std::mutex mutex;
  std::exception_ptr error;  // the first one

  /// Works until no chunk is left; `pause` runs before each chunk and may throw.
  template <class Pause>
  void work(int worker, const Pause& pause) {
    const DefaultFloatingEnvironment environment;
    const bool outer = std::exchange(inside_body, true);
    try {
      while (!abandoned.load(std::memory_order_relaxed)) {
        pause();
        const std::int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= chunks) break;
        body(chunk, worker);
      }
    } catch (...) {
      abandoned = true;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
    inside_body = outer;
  }
};

/// Sleeping threads that help with one job at a time.
class Pool {
 public:
  /// Helps with `job` on `helpers` threads, numbered from 1, until it is done; on fewer where the
  /// system gives no more.
  void start(Job& job, int helpers) {
    const std::lock_guard lock(mutex_);
    helpers_ = running_ = grow_to(helpers);
    job_ = &job;
    ++generation_;
    wake_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    job_ = nullptr;
  }

  std::mutex callers;  // held by the call that has the helpers

 private:
  /// Returns how many of the threads wanted there are.
  int grow_to(int wanted) {
    try {
      while (threads_ < wanted) {
        std::thread([this, worker = threads_ + 1, seen = generation_] {
          serve(worker, seen);
        }).detach();
        ++threads_;
      }
    } catch (const std::system_error&) {
      // The process may start no more threads; the caller works anyway.
    }
    return std::min(wanted, threads_);
  }

  void serve(int worker, std::uint64_t seen) {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      if (worker > helpers_) continue;
      Job& job = *job_;
      lock.unlock();
      job.work(worker, [] {});
      lock.lock();
      if (--running_ == 0) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  int threads_ = 0;
  int helpers_ = 0;
  int running_ = 0;
  std::uint64_t generation_ = 0;
};

std::atomic<Pool*> process_pool{nullptr};

/// Never destroyed: its threads sleep until the process ends. A fork's child has none of them and
/// may find its mutexes locked, so it leaves that pool behind and makes one of its own.
Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    process_pool.store(nullptr);
    inside_body = false;
  });
  static_cast<void>(registered);
  Pool* current = process_pool.load();
  if (current == nullptr) {
    Pool* fresh = new Pool;
    if (process_pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
  }
  return *current;
}

}  // namespace

int worker_count(const Context& ctx) { return ctx.threads > 0 ? ctx.threads : num_threads(); }

Context with_settled_threads(const Context& ctx) {
  Context settled = ctx;
  settled.threads = worker_count(ctx);
  return settled;
}

void parallel_for(const Context& ctx, std::int64_t chunks,
                  FunctionRef<void(std::int64_t, int)> body) {
  if (chunks <= 0) return;
  Job job(chunks, body);
  const auto pause = [&ctx] {
    if (ctx.interrupted && ctx.interrupted()) throw Interrupted();
  };
  const int helpers = static_cast<int>(std::min<std::int64_t>(worker_count(ctx), chunks)) - 1;
  // A second caller does not wait for the first one's helpers: it works alone.
  std::unique_lock<std::mutex> ours;
  if (helpers > 0 && !inside_body) ours = std::unique_lock(pool().callers, std::try_to_lock);
  Pool* const team = ours ? &pool() : nullptr;
  if (team != nullptr) team->start(job, helpers);
  if (inside_body) {
    job.work(0, [] {});
  } else {
    job.work(0, pause);
  }
  if (team != nullptr) team->wait();
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace coterie::cpu
