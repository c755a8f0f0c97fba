# Shared by the scripts: plain messages, and the places where things are.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=$root/.venv
build=$root/build/dev
# CUDA is often installed without being on PATH; the virtual environment's tools come first.
PATH=$venv/bin:$PATH:/usr/local/cuda/bin
export PATH

say() { printf 'coterie: %s\n' "$*"; }
stop() {
  printf 'coterie: %s\n' "$*" >&2
  exit 1
}
