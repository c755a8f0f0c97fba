#!/usr/bin/env bash
# setup.sh build|dev: puts everything that a build (or a build with tests) needs into .venv, and the
# C++ packages that are missing onto the machine. Does nothing when that has been done.
source "$(dirname "$0")/lib.sh"
source scripts/apt.sh
extra=${1:?build or dev}

has_header() {
  local folder=${2:-/usr/include}
  echo "#include <$1>" | "${CXX:-c++}" -std=c++20 -I"$folder" -E -x c++ - >/dev/null 2>&1
}

check_compiler() {
  echo '#include <concepts>
static_assert(std::integral<int>);' | "${CXX:-c++}" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null ||
    apt_install g++ ||
    stop "a C++20 compiler is needed: install g++ 11 or newer, or set CXX to one"
}

# A Python that can do the whole job: new enough, makes virtual environments, has its C headers.
python_is_good() {
  "$1" - 2>/dev/null <<'PY'
import ensurepip, pathlib, sys, sysconfig, venv
header = pathlib.Path(sysconfig.get_path("include"), "Python.h")
sys.exit(sys.version_info < (3, 11) or not header.exists())
PY
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if python_is_good "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

make_venv() {
  local python
  [ -x "$venv/bin/python" ] && return
  python=$(find_python) || {
    [ -z "${PYTHON:-}" ] && apt_install python3-dev python3-venv && python=$(find_python)
  } || stop "Python >= 3.11 with venv and its C headers is needed: install python3-dev and" \
    "python3-venv, or name another with make PYTHON=..."
  say "making .venv with $("$python" --version)"
  "$python" -m venv "$venv"
}

# The stamp holds what was installed, so that a changed pyproject.toml installs again.
install_python_packages() {
  local wanted stamp=$venv/.coterie-$extra
  wanted=$("$venv/bin/python" scripts/requirements.py "$extra"; cat pyproject.toml)
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "installing Python packages into .venv (a few minutes the first time)"
  "$venv/bin/python" scripts/requirements.py "$extra" >"$venv/requirements.txt"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$venv/requirements.txt"
  # The package itself, editable; its extension is built by CMake (scripts/build.sh).
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
    --config-settings=wheel.cmake=false -e .
  printf '%s' "$wanted" >"$stamp"
}

install_cpp_packages() {
  local missing=()
  has_header Eigen/Core /usr/include/eigen3 || missing+=(libeigen3-dev)
  if [ "$extra" = dev ]; then
    has_header gtest/gtest.h || missing+=(libgtest-dev)
    has_header gmock/gmock.h || missing+=(libgmock-dev)
    has_header benchmark/benchmark.h || missing+=(libbenchmark-dev)
  fi
  # A prefix path says that they are elsewhere; CMake will tell.
  [ ${#missing[@]} = 0 ] || [ -n "${CMAKE_PREFIX_PATH:-}" ] && return
  apt_install "${missing[@]}" && return
  if [ "${missing[0]}" = libeigen3-dev ]; then
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "cmeel-eigen>=3.4" &&
      missing=("${missing[@]:1}")
  fi
  [ ${#missing[@]} = 0 ] || stop "please install these packages (or their like), then run this again: ${missing[*]}"
}

# Only to see that the library builds for ARM; where it cannot be had, that test is skipped.
install_cross_compiler() {
  [ "$extra" = dev ] && [ "$(uname -m)" = x86_64 ] || return 0
  command -v aarch64-linux-gnu-g++ >/dev/null || apt_install g++-aarch64-linux-gnu || true
}

check_compiler
make_venv
install_python_packages
install_cpp_packages
install_cross_compiler
