#!/usr/bin/env bash
# make format: formats C++ and Python in place.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
python scripts/cpp_files.py | xargs clang-format -i
ruff check --fix-only -q .
ruff format -q .
