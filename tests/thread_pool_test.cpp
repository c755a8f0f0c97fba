#include "cpu/thread_pool.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "coterie/threads.hpp"

namespace coterie::cpu {
namespace {

Context with_threads(int threads) {
  Context ctx;
  ctx.threads = threads;
  return ctx;
}

TEST(ThreadPool, DoesEveryChunkOnce) {
  for (const int threads : {1, 2, 7}) {
    for (const std::int64_t chunks : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(chunks));
      std::atomic<bool> worker_in_range{true};
      parallel_for(with_threads(threads), chunks, [&](std::int64_t chunk, int worker) {
        ++done[static_cast<std::size_t>(chunk)];
        if (worker < 0 || worker >= threads) worker_in_range = false;
      });
      for (const auto& count : done) EXPECT_EQ(count, 1);
      EXPECT_TRUE(worker_in_range);
    }
  }
}

TEST(ThreadPool, RethrowsAndCanBeUsedAgain) {
  const Context ctx = with_threads(3);
  EXPECT_THROW(parallel_for(ctx, 100,
                            [](std::int64_t chunk, int) {
                              if (chunk == 50) throw std::runtime_error("chunk 50");
                            }),
               std::runtime_error);
  std::atomic<int> done{0};
  parallel_for(ctx, 100, [&](std::int64_t, int) { ++done; });
  EXPECT_EQ(done, 100);
}

TEST(ThreadPool, CallsFromInsideABodyRunAlone) {
  std::atomic<int> done{0};
  parallel_for(with_threads(4), 8, [&](std::int64_t, int) {
    parallel_for(with_threads(4), 8, [&](std::int64_t, int worker) {
      EXPECT_EQ(worker, 0);
      ++done;
    });
  });
  EXPECT_EQ(done, 64);
}

TEST(ThreadPool, ManyCallersAtOnceAllFinish) {
  std::atomic<int> done{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 6; ++i) {
      callers.emplace_back([&] {
        for (int call = 0; call < 50; ++call) {
          parallel_for(with_threads(3), 10, [&](std::int64_t, int) { ++done; });
        }
      });
    }
  }
  EXPECT_EQ(done, 6 * 50 * 10);
}

TEST(ThreadPool, AForkedChildGetsItsOwnPool) {
  parallel_for(with_threads(4), 100, [](std::int64_t, int) {});  // the parent's threads exist
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a deadlock ends the child with a signal
    std::atomic<int> done{0};
    parallel_for(with_threads(4), 100, [&](std::int64_t, int) { ++done; });
    _exit(done == 100 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "child status " << status;
}

// Sanitizers reserve more addresses than the limit allows.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ThreadPool, WhereNoThreadsCanBeStartedTheCallerWorksAlone) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_more{.rlim_cur = 1, .rlim_max = 1};  // bytes: no room for a thread's stack
    setrlimit(RLIMIT_AS, &no_more);
    std::atomic<int> done{0};
    parallel_for(with_threads(16), 100, [&](std::int64_t, int) { ++done; });
    _exit(done == 100 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "child status " << status;
}
#endif

TEST(ThreadPool, BodiesRoundToNearestWhateverTheCallerSet) {
  std::fesetround(FE_UPWARD);
  std::atomic<int> to_nearest{0};
  parallel_for(with_threads(2), 50,
               [&](std::int64_t, int) { to_nearest += std::fegetround() == FE_TONEAREST; });
  EXPECT_EQ(std::fegetround(), FE_UPWARD) << "the caller's own mode must come back";
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(to_nearest, 50);
}

TEST(ThreadPool, AnInterruptionStopsTheCall) {
  Context ctx = with_threads(2);
  std::atomic<int> done{0};
  int polls = 0;
  ctx.interrupted = [&polls] { return ++polls > 5; };
  EXPECT_THROW(parallel_for(ctx, 1'000'000, [&](std::int64_t, int) { ++done; }), Interrupted);
  EXPECT_LT(done, 1'000'000);
}

TEST(Threads, CanBeSetAndGoBack) {
  const int first = num_threads();
  EXPECT_GE(first, 1);
  set_num_threads(5);
  EXPECT_EQ(num_threads(), 5);
  EXPECT_EQ(worker_count(Context{}), 5);
  set_num_threads(0);
  EXPECT_EQ(num_threads(), first);
  EXPECT_THROW(set_num_threads(-1), std::invalid_argument);
  EXPECT_THROW(set_num_threads(4097), std::invalid_argument);
}

}  // namespace
}  // namespace coterie::cpu
