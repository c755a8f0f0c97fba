#!/usr/bin/env bash
# make gpu-kit: what a machine with a GPU, and no network, needs to verify the CUDA code.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
scripts/build.sh -DCOTERIE_BUILD_TESTS=ON -- _core coterie_cuda gpu_rules_test
exec python scripts/gpu_kit.py
