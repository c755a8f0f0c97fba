"""Any table to labels, without orders, names or a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import choose_k, features, ingest, output, segment
from .config import SegmentSettings
from .errors import InputError, nearest
from .progress import Progress
from .results import Floats, KChoice


@dataclass(frozen=True)
class Clustered:
    """What came out; ``sizes`` by label, from 0."""

    rows: int
    sizes: tuple[int, ...]
    inertia: float
    k_choice: KChoice | None


def cluster(
    file: Path,
    columns: list[str],
    settings: SegmentSettings,
    target: Path,
    progress: Progress,
    *,
    standardise: bool = True,
) -> Clustered:
    """Writes row, label (from 0) and distance to its centroid for each row of the file."""
    output.check_file(target, file)
    raw = _matrix(file, columns)
    z = raw
    if standardise:
        z, _ = features.standardise(raw, tuple(columns))
    choice = None
    if settings.k is None:
        choice, model = choose_k.choose_k(z, settings, progress)
    else:
        model = segment.fit(z, settings, settings.k)
    found = segment.assign(z, np.asarray(model.cluster_centers_, dtype=np.float64))
    labels = found.segment - 1
    table = pa.table({"row": np.arange(len(z)), "label": labels, "distance": found.distance})
    with output.staged_file(target) as path:
        pq.write_table(table, path)
    sizes = np.bincount(labels, minlength=len(found.centroids))
    return Clustered(len(z), tuple(sizes.tolist()), float(model.inertia_), choice)


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
