#!/usr/bin/env bash
# build.sh [CMAKE OPTION...] -- [TARGET...]: configures and builds the preset "dev" in build/dev;
# COTERIE_PRESET names another one, which is built in its folder.
source "$(dirname "$0")/lib.sh"
preset=${COTERIE_PRESET:-dev}
build=$root/build/$preset
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  options+=("$1")
  shift
done
[ $# = 0 ] || shift
command -v ccache >/dev/null &&
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
log=$root/build/configure-$preset.log
mkdir -p "$root/build"
cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || {
  cat "$log" >&2
  stop "CMake could not configure the build; see above"
}
sed -n '/^-- Coterie /,/^--   benchmarks/s/^-- //p' "$log"
if [ $# = 0 ]; then
  cmake --build "$build" -j "$(nproc)" -- -k 0 # all of it: one fault does not hide the others
else
  cmake --build "$build" -j "$(nproc)" --target "$@"
fi
