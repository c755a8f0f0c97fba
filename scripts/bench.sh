#!/usr/bin/env bash
# make bench: bench/peers, this engine and its peers side by side in one run.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
say "building the engine (build/dev)"
scripts/build.sh -- _core
exec python -m bench.peers "$@"
