"""Any table to labels, without orders, names or a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import choose_k, density, features, ingest, output, segment
from .config import SegmentSettings
from .errors import InputError, nearest
from .progress import Progress
from .results import Density, Floats, Ints, KChoice


@dataclass(frozen=True)
class Clustered:
    """What came out; ``sizes`` by label, from 0. The rest is k-means's, or DBSCAN's."""

    rows: int
    sizes: tuple[int, ...]
    inertia: float | None = None
    k_choice: KChoice | None = None
    density: Density | None = None


def cluster(
    file: Path,
    columns: list[str],
    settings: SegmentSettings,
    target: Path,
    progress: Progress,
    *,
    standardise: bool = True,
) -> Clustered:
    """Writes row and label (from 0; -1 is noise) for each row of the file; with k-means also the
    distance to the centroid."""
    output.check_file(target, file)
    z = _matrix(file, columns)
    if standardise:
        z, _ = features.standardise(z, tuple(columns))
    by = _by_density if settings.algorithm == "dbscan" else _by_means
    labels, more, result = by(z, settings, progress)
    with output.staged_file(target) as path:
        pq.write_table(pa.table({"row": np.arange(len(z)), "label": labels, **more}), path)
    return result


def _by_means(
    z: Floats, settings: SegmentSettings, progress: Progress
) -> tuple[Ints, dict[str, Floats], Clustered]:
    choice = None
    if settings.k is None:
        choice, model = choose_k.choose_k(z, settings, progress)
    else:
        model = segment.fit(z, settings, settings.k)
    centroids = segment.Centroids(np.asarray(model.cluster_centers_, dtype=np.float64))
    found = centroids.assign(z)
    labels = found.segment - 1
    sizes = tuple(np.bincount(labels, minlength=centroids.count).tolist())
    result = Clustered(len(z), sizes, inertia=float(model.inertia_), k_choice=choice)
    return labels, {"distance": found.distance}, result


def _by_density(
    z: Floats, settings: SegmentSettings, progress: Progress
) -> tuple[Ints, dict[str, Floats], Clustered]:
    model, found = density.find(z, settings)
    for line in density.explained(found):
        progress.line(line)
    labels = np.asarray(model.labels_, dtype=np.int32)
    inside = labels >= 0
    found = density.measured(found, z[inside], labels[inside], settings.seed)
    sizes = tuple(np.bincount(labels[inside], minlength=found.clusters).tolist())
    return labels, {}, Clustered(len(z), sizes, density=found)


def _matrix(file: Path, columns: list[str]) -> Floats:
    with ingest.connect() as connection:
        files = ingest.find_files(str(file), Path(), "FILE")
        present = ingest.open_files(connection, files, "FILE")
        by_lower = {name.lower(): name for name in present}
        for name in columns:
            if name.lower() not in by_lower:
                raise InputError(f"{file}: no column {name!r}{nearest(name, present)}")
        chosen = [by_lower[name.lower()] for name in columns]
        for i, name in enumerate(chosen):
            if name in chosen[:i]:
                raise InputError(f"--columns: {name!r} stands there twice, it would count double")
        if not ingest.fetch(connection, "select 1 from source limit 1", str(file)):
            raise InputError(f"{file}: has no rows")
        numbers = [ingest.as_number(connection, name, str(file)) for name in chosen]
        selected = ", ".join(f"{sql} as f{i}" for i, sql in enumerate(numbers))
        table = features.query(connection, f"select {selected} from source", str(file))
    raw = np.column_stack([features.to_floats(column) for column in table.columns])
    features.check_finite(raw, tuple(columns))
    return raw
