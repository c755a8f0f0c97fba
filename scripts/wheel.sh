#!/usr/bin/env bash
# make wheel: a wheel for this Python in dist/, with every GPU architecture where nvcc is found.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh build
architectures=$(python - <<'PY'
import json, pathlib
presets = json.loads(pathlib.Path("CMakePresets.json").read_text())["configurePresets"]
print(next(p for p in presets if p["name"] == "release")["cacheVariables"]["COTERIE_CUDA_ARCHITECTURES"])
PY
)
say "building the wheel (GPU architectures $architectures)"
COTERIE_CUDA_ARCHITECTURES=${COTERIE_CUDA_ARCHITECTURES:-$architectures} \
  python -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir dist .
ls -l dist
