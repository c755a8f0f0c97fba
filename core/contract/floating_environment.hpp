#pragma once

#include <cfenv>

namespace coterie {

/// The default floating-point environment for a scope: other libraries leave flush-to-zero or
/// another rounding mode behind, and bits would follow.
class DefaultFloatingEnvironment {
 public:
  DefaultFloatingEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatingEnvironment() { std::fesetenv(&saved_); }
  DefaultFloatingEnvironment(const DefaultFloatingEnvironment&) = delete;
  DefaultFloatingEnvironment& operator=(const DefaultFloatingEnvironment&) = delete;

 private:
  std::fenv_t saved_;
};

}  // namespace coterie
