"""The model folder: enough to put new customers into the segments that a run found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import Config
from .errors import InputError
from .features import Customers
from .results import Feature, Floats, Ints, Segment
from .segment import Segmented

FILE = "model.json"
_FORMAT = 1
_BINS = 20


@dataclass(frozen=True)
class Model:
    """What ``coterie assign`` needs."""

    features: tuple[Feature, ...]
    centroids: Floats
    names: list[str]  # of segments 1..k
    config: dict[str, Any]  # the run's, for reading raw orders the same way


def save(
    folder: Path,
    config: Config,
    customers: Customers,
    segments: tuple[Segment, ...],
    found: Segmented,
) -> None:
    """Writes model.json. Numbers are written so that they read back to the last bit."""
    folder.mkdir()
    content = {
        "format": _FORMAT,
        "features": [asdict(feature) for feature in customers.features],
        "segments": [
            {"id": s.id, "name": s.name, "size": s.size, "centroid": centroid}
            for s, centroid in zip(segments, found.centroids.tolist(), strict=True)
        ],
        "reference": {
            feature.name: _histogram(customers.raw[:, j], found.segment, len(segments))
            for j, feature in enumerate(customers.features)
        },
        "config": config.raw,
    }
    (folder / FILE).write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def _histogram(column: Floats, labels: Ints, k: int) -> dict[str, Any]:
    """Counts per segment between the column's own quantiles: what later drift is held against."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)))
    counts = [np.histogram(column[labels == i], edges)[0].tolist() for i in range(1, k + 1)]
    return {"edges": edges.tolist(), "counts_by_segment": counts}


def load(path: Path) -> Model:
    """Reads a model folder, or the output folder around it."""
    candidates = [path / FILE, path / "model" / FILE, path]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise InputError(f"{path}: no {FILE} there; name the model folder that 'coterie run' wrote")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise InputError(
                f"{file}: format {content['format']}, but this version reads {_FORMAT}"
            )
        return Model(
            tuple(Feature(**feature) for feature in content["features"]),
            np.array([segment["centroid"] for segment in content["segments"]], dtype=np.float64),
            [segment["name"] for segment in content["segments"]],
            content["config"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{file}: not a model that 'coterie run' wrote, or damaged") from None
