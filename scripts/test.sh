#!/usr/bin/env bash
# make test: everything that is checked.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
exec python scripts/test.py "$@"
