"""manifest.json: what a run read, with what, and what each stage did; enough to repeat it."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .config import Config
from .errors import InputError
from .ingest import InputFile
from .results import Density, KChoice, Segment, Stage

_LIBRARIES = ("duckdb", "numpy", "pyarrow", "scikit-learn", "scipy")


def check_inputs(config: Config, inputs: list[InputFile]) -> None:
    """When repeating a run from its manifest, refuses inputs that are not the same bytes."""
    if not config.expected_hashes:
        return
    expected = sorted(config.expected_hashes.items())
    if len(expected) != len(inputs):
        raise InputError(
            f"the manifest lists {len(expected)} input files, but {len(inputs)} are there now; "
            f"restore them, or run the TOML file instead"
        )
    for (name, sha256), found in zip(expected, sorted(inputs, key=lambda i: i.path), strict=True):
        if found.sha256 != sha256:
            raise InputError(
                f"{found.path}: has changed since the manifest was written (sha256 was "
                f"{sha256[:12]}… for {Path(name).name}, is {found.sha256[:12]}…); restore it, or "
                f"run the TOML file instead"
            )


def content(
    config: Config,
    inputs: list[InputFile],
    stages: list[Stage],
    parameters: dict[str, Any],
    created: str,
    choices: Mapping[str, KChoice | Density | None],
) -> dict[str, Any]:
    """The manifest as a JSON-ready dictionary; ``choices``: how k, or DBSCAN's eps, was found."""
    import coterie

    return {
        "created": created,
        "config": config.raw,
        "config_folder": str(config.folder),
        "inputs": [
            {"path": str(file.path), "bytes": file.size, "sha256": file.sha256} for file in inputs
        ],
        "parameters": parameters,
        "versions": {
            "coterie": coterie.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        **{name: None if choice is None else as_json(choice) for name, choice in choices.items()},
        "stages": [asdict(stage) for stage in stages],
    }


def as_json(choice: KChoice | Density | Segment) -> dict[str, Any]:
    """Arrays as lists; what is not defined (NaN, which JSON lacks) as null."""
    return {key: _plain(value) for key, value in asdict(choice).items()}


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def write(path: Path, manifest: dict[str, Any]) -> None:
    """Writes it for people to read, too."""
    path.write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")
