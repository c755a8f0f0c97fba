"""New customers into the segments of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import features, ingest, output, segment
from .config import FEATURE_NEEDS, as_day_or_moment, parse
from .errors import InputError, nearest
from .model import Model, load
from .results import Floats


@dataclass(frozen=True)
class Assigned:
    """How many customers went where; ``counts`` by the segments' names."""

    customers: int
    counts: dict[str, int]
    notes: tuple[str, ...]


def assign_customers(model_path: Path, file: Path, target: Path) -> Assigned:
    """``file``: one row per customer, with customer_id and the model's features in plain units."""
    output.check_file(target, file)
    model = load(model_path)
    with ingest.connect() as connection:
        ids, raw = _one_row_each(connection, model, file)
    return _write(model, ids, raw, target, ())


def assign_orders(model_path: Path, file: Path, target: Path, as_of: str | None) -> Assigned:
    """``file``: raw order lines like those that the model was made from."""
    output.check_file(target, file)
    as_of = as_day_or_moment(as_of, "--as-of")
    model = load(model_path)
    config = parse(model.config, Path())
    use = tuple(feature.name for feature in model.features)
    needed = {role for name in use for role in FEATURE_NEEDS[name]}
    with ingest.connect() as connection:
        files = ingest.find_files(str(file), Path(), "FILE")
        taken = ingest.ingest(connection, config.orders, files, as_of, needed)
        ids, raw, _ = features.aggregate(connection, use, taken.as_of, has_value=False)
    told = f"{taken.rows_in:,} order lines, {taken.rows_out:,} used"
    return _write(model, ids, raw, target, (told, *taken.notes))


def _one_row_each(
    connection: duckdb.DuckDBPyConnection, model: Model, file: Path
) -> tuple[pa.ChunkedArray, Floats]:
    columns = ingest.open_files(connection, ingest.find_files(str(file), Path(), "FILE"), "FILE")
    names = [feature.name for feature in model.features]
    by_lower = {name.lower(): name for name in columns}
    for name in ("customer_id", *names):
        if name not in by_lower:
            raise InputError(
                f"{file}: no column {name!r}{nearest(name, columns)} "
                f"(for raw order lines, add --orders)"
            )
    if not ingest.fetch(connection, "select 1 from source limit 1", str(file)):
        raise InputError(f"{file}: has no rows")
    numbers = [ingest.as_number(connection, by_lower[name], str(file)) for name in names]
    selected = ", ".join(f"{sql} as f{i}" for i, sql in enumerate(numbers))
    table = features.query(connection, f"select customer_id, {selected} from source", str(file))
    ids = table.column("customer_id")
    if ids.null_count:
        raise InputError(f"{file}: customer_id is missing in {ids.null_count:,} rows; fill it")
    counts = ids.value_counts()
    times = counts.field("counts").to_numpy()
    if times.max() > 1:
        first = counts.field("values")[int(np.argmax(times > 1))]
        raise InputError(
            f"{file}: customer {first} stands there {times[np.argmax(times > 1)]} times "
            f"({int((times > 1).sum()):,} customers more than once); keep one row each "
            f"(for raw order lines, add --orders)"
        )
    return ids, np.column_stack(
        [features.to_floats(table.column(f"f{i}")) for i in range(len(names))]
    )


def _write(
    model: Model, ids: pa.ChunkedArray, raw: Floats, target: Path, notes: tuple[str, ...]
) -> Assigned:
    found = model.groups.assign(features.scaled(raw, model.features))
    with output.staged_file(target) as path:
        pq.write_table(segment.to_table(ids, found, model.names), path)
    counts = {name: int((found.segment == i).sum()) for i, name in model.names.items()}
    return Assigned(len(raw), counts, notes)
