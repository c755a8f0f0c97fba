#!/usr/bin/env bash
# make gpu-kit: what a machine with a GPU, and no network, needs to verify the CUDA code.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
cmake --preset dev -DCOTERIE_BUILD_TESTS=ON >/dev/null # finds the packages
exec python scripts/gpu_kit.py
