#!/usr/bin/env bash
# make demo: builds the Python package and runs the whole job on a simulated shop.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh build
say "building the engine (build/dev)"
scripts/build.sh -DCOTERIE_BUILD_TESTS=OFF -DCOTERIE_BUILD_BENCH=OFF -- _core
say "running: coterie demo"
coterie demo --out demo-out
