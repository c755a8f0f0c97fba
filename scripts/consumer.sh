#!/usr/bin/env bash
# consumer.sh BUILD: installs that build and runs tests/consumer, a separate project that finds it.
source "$(dirname "$0")/lib.sh"
built=${1:?build folder}
prefix=$built/installed
trial=$built/consumer
rm -rf "$prefix" "$trial"
cmake --install "$built" --prefix "$prefix" >/dev/null
cmake -S tests/consumer -B "$trial" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$trial"
"$trial/consumer"
