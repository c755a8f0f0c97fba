#include "coterie/threads.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace coterie {
namespace {

constexpr int kMostThreads = 4096;  // more than any machine has; a mistyped number is larger

/// The first number of a variable such as "4" or "4,2"; 0 when it is unset or not a count.
int count_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  const long value = std::strtol(text, nullptr, 10);
  return value > 0 && value <= kMostThreads ? static_cast<int>(value) : 0;
}

/// Processors' worth of time that a cgroup folder allows, rounded up; 0 when there is no limit.
int quota_of(const std::string& folder) {
  std::string quota;
  double period = 0;
  if (std::ifstream file(folder + "/cpu.max"); file >> quota >> period && quota != "max") {
    return static_cast<int>(std::ceil(std::strtod(quota.c_str(), nullptr) / period));
  }
  double microseconds = 0;
  if (std::ifstream file(folder + "/cpu.cfs_quota_us"); !(file >> microseconds)) return 0;
  std::ifstream file(folder + "/cpu.cfs_period_us");
  if (!(file >> period) || microseconds <= 0) return 0;
  return static_cast<int>(std::ceil(microseconds / period));
}

/// The tightest quota of this process's cgroup: version 2 at its own path, those above it and the
/// mounted root (which is what a container sees), version 1 at the cpu controller's root.
int cgroup_limit() {
  int limit = 0;
  const auto tighten = [&limit](int quota) {
    if (quota > 0) limit = limit > 0 ? std::min(limit, quota) : quota;
  };
  tighten(quota_of("/sys/fs/cgroup"));
  tighten(quota_of("/sys/fs/cgroup/cpu"));
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    for (std::string path = line.substr(3); path.size() > 1; path.resize(path.rfind('/'))) {
      tighten(quota_of("/sys/fs/cgroup" + path));
    }
  }
  return limit;
}

int available_processors() {
  int processors = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) processors = CPU_COUNT(&set);
  if (const int limit = cgroup_limit(); limit > 0) processors = std::min(processors, limit);
  return std::max(processors, 1);
}

int first_value() {
  if (const int own = count_from_environment("COTERIE_NUM_THREADS"); own > 0) return own;
  // joblib and Dask limit the threads of their workers through this one.
  if (const int shared = count_from_environment("OMP_NUM_THREADS"); shared > 0) return shared;
  return available_processors();
}

std::atomic<int> chosen_threads{0};  // 0: not chosen

}  // namespace

int num_threads() {
  if (const int chosen = chosen_threads.load(); chosen > 0) return chosen;
  static const int first = first_value();
  return first;
}

void set_num_threads(int threads) {
  if (threads < 0 || threads > kMostThreads) {
    throw std::invalid_argument("threads must be in [0, " + std::to_string(kMostThreads) +
                                "], got " + std::to_string(threads));
  }
  chosen_threads = threads;
}

}  // namespace coterie
