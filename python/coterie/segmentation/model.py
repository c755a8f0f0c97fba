"""The model folder: enough to put new customers into the segments that a run found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .config import Config
from .density import Cores
from .errors import InputError
from .features import Customers
from .results import NOISE, Feature, Floats, Ints, Segment
from .segment import Centroids, Groups, Segmented
from .vocabulary import OUTLIERS

FILE = "model.json"
CORES = "cores.parquet"  # DBSCAN's core customers: a column each feature, standardised, and segment
_FORMAT = 1
_BINS = 20


@dataclass(frozen=True)
class Model:
    """What ``coterie assign`` needs."""

    features: tuple[Feature, ...]
    groups: Groups
    names: dict[int, str]  # by id; with DBSCAN that of the noise too
    config: dict[str, Any]  # the run's, for reading raw orders the same way


def save(
    folder: Path,
    config: Config,
    customers: Customers,
    segments: tuple[Segment, ...],
    found: Segmented,
) -> None:
    """Writes model.json, and for DBSCAN the core customers' figures, without their ids.

    Numbers are written so that they read back to the last bit.
    """
    folder.mkdir()
    written = [{"id": s.id, "name": s.name, "size": s.size} for s in segments]
    content: dict[str, Any] = {"format": _FORMAT, "algorithm": config.segment.algorithm}
    groups = found.groups
    if isinstance(groups, Cores):
        content["eps"] = groups.eps
        if all(s.id != NOISE for s in segments):  # new customers can still be outliers
            name = config.segment.names.get(OUTLIERS, OUTLIERS)
            written.append({"id": NOISE, "name": name, "size": 0})
        _write_cores(folder / CORES, customers.features, groups)
    elif isinstance(groups, Centroids):
        for entry, centroid in zip(written, groups.points.tolist(), strict=True):
            entry["centroid"] = centroid
    content |= {
        "features": [asdict(feature) for feature in customers.features],
        "segments": written,
        "reference": {
            feature.name: _histogram(customers.raw[:, j], found.segment, [s.id for s in segments])
            for j, feature in enumerate(customers.features)
        },
        "config": config.raw,
    }
    (folder / FILE).write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def _write_cores(path: Path, features: tuple[Feature, ...], cores: Cores) -> None:
    columns = {feature.name: cores.points[:, j] for j, feature in enumerate(features)}
    pq.write_table(pa.table({"segment": cores.segment, **columns}), path)


def _read_cores(path: Path, features: tuple[Feature, ...], eps: float) -> Cores:
    table = pq.read_table(path)
    columns = [table.column(feature.name).to_numpy() for feature in features]
    return Cores(np.column_stack(columns), table.column("segment").to_numpy(), eps)


def _histogram(column: Floats, labels: Ints, ids: list[int]) -> dict[str, Any]:
    """Counts per segment, in their order, between the column's own quantiles: what later drift is
    held against."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)))
    counts = [np.histogram(column[labels == i], edges)[0].tolist() for i in ids]
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
        features = tuple(Feature(**feature) for feature in content["features"])
        groups: Groups
        if content.get("algorithm") == "dbscan":
            groups = _read_cores(file.with_name(CORES), features, content["eps"])
        else:
            centroids = [segment["centroid"] for segment in content["segments"]]
            groups = Centroids(np.array(centroids, dtype=np.float64))
        names = {segment["id"]: segment["name"] for segment in content["segments"]}
        return Model(features, groups, names, content["config"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{file}: not a model that 'coterie run' wrote, or damaged") from None
