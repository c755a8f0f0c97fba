"""Raw order lines to a checked DuckDB view, with a count and a reason for every row left out."""

from __future__ import annotations

import glob
import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from .config import Orders
from .errors import InputError, first_line, nearest

_CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".csv.zst")
_LARGEST_VALUE = 1e15  # of one order line
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class InputFile:
    """A file that was read, and the hash that a later run is held to."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Ingested:
    """The view ``orders`` (columns: the mapped roles) is ready on the connection."""

    rows_in: int
    rows_out: int
    as_of: str | None  # the moment that features are counted from; None without times
    notes: tuple[str, ...]


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory. It spills to the system's temporary folder, never to the user's."""
    connection = duckdb.connect()
    connection.execute("set temp_directory = ?", [tempfile.gettempdir()])
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    return connection


def find_files(pattern: str, folder: Path, where: str) -> list[Path]:
    """The files that a path or glob names, in order."""
    full = folder / pattern
    # pathlib's glob takes no absolute pattern.
    matches = [Path(name) for name in glob.glob(str(full), recursive=True)]  # noqa: PTH207
    files = [full] if full.is_file() else sorted(path for path in matches if path.is_file())
    if not files:
        raise InputError(f"{where} = {pattern!r}: no file matches {full}; correct the path")
    return files


def hash_files(files: list[Path]) -> list[InputFile]:
    """Sizes and SHA-256 of the files."""
    hashed = []
    for path in files:
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        hashed.append(InputFile(path.absolute(), path.stat().st_size, digest))
    return hashed


def open_files(connection: duckdb.DuckDBPyConnection, files: list[Path], where: str) -> list[str]:
    """Makes the view ``source`` over Parquet or CSV files and returns its columns' names."""
    lower = [path.name.lower() for path in files]
    # The whole file is looked at before types are fixed: in a shop's export the first odd
    # invoice number often comes after any sample.
    if all(name.endswith((".parquet", ".pq")) for name in lower):
        reader = "read_parquet({}, union_by_name = true)"
    elif all(name.endswith(_CSV) for name in lower):
        reader = "read_csv({}, union_by_name = true, sample_size = -1)"
    else:
        raise InputError(
            f"{where}: {files[0]} is neither Parquet nor CSV by its name; use files that all "
            f"end in .parquet, or all in .csv (.gz)"
        )
    for path in files:
        if path.stat().st_size == 0:
            raise InputError(f"{where}: {path} is empty (0 bytes)")
    listed = ", ".join(_text(str(path)) for path in files)
    try:
        connection.execute(f"create view source as select * from {reader.format(f'[{listed}]')}")
        rows = connection.execute("describe source").fetchall()
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InputError(f"{where}: cannot read {files[0]}: {first_line(error)}") from None
    return [str(row[0]) for row in rows]


def quoted(name: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_number(connection: duckdb.DuckDBPyConnection, name: str, where: str) -> str:
    """SQL for a column of ``source`` as a float: null where missing; a word in it is a fault."""
    column = quoted(name)
    kind = str(fetch(connection, f"select typeof({column}) from source limit 1", where)[0][0])
    if kind == "BOOLEAN":
        return f"(case when {column} then 1.0 when not {column} then 0.0 end)::double"
    if kind.lstrip("U").startswith(_NUMBERS):
        return f"try_cast({column} as double)"
    if kind != "VARCHAR":
        raise InputError(f"{where}: column {name!r} must hold numbers, its type is {kind}")
    # Not a bare cast: DuckDB would make it the type that the CSV reader must find, or fail.
    number = f"try_cast(({column} || '') as double)"
    odd = f"{column} is not null and {number} is null"
    words = fetch(connection, f"select {column}, count(*) over () from source where {odd}", where)
    if words:
        raise InputError(
            f"{where}: column {name!r} must hold numbers, but in {words[0][1]:,} rows it does not "
            f"(first: {_shortened(words[0][0])}); leave it out or turn it into numbers"
        )
    return number


def _shortened(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def fetch(connection: duckdb.DuckDBPyConnection, sql: str, where: str) -> list[tuple[Any, ...]]:
    """Runs a query whose faults are the input's: a broken file, a cast that fails."""
    try:
        return connection.execute(sql).fetchall()
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InputError(f"{where}: {first_line(error)}") from None


def ingest(
    connection: duckdb.DuckDBPyConnection,
    orders: Orders,
    files: list[Path],
    as_of: str | None,
    needed: set[str],
) -> Ingested:
    """Maps, types and filters the rows; the view ``orders`` holds what is left.

    A row without a customer, or without a role that is ``needed``, is left out and counted.
    """
    columns = open_files(connection, files, "source.orders.path")
    notes: list[str] = []
    mapped = {
        role: _typed(connection, role, sql, columns, notes) for role, sql in orders.columns.items()
    }
    keep = "true"
    if orders.keep is not None:
        keep, kind = bind(connection, orders.keep, columns, "source.orders.keep")
        if kind != "BOOLEAN":
            raise InputError(
                f"source.orders.keep = {orders.keep!r}: must be true or false for each row, "
                f"its type is {kind}"
            )
    last = "null" if as_of is None else _text(_end_of(as_of))
    reason = _reason(mapped, {"customer_id", *needed}, last)
    selected = ", ".join(f"{sql} as {role}" for role, sql in mapped.items())
    for role in mapped.keys() & {"ts", "value"}:
        embedded, kind = bind(connection, orders.columns[role], columns, "")
        selected += f", {embedded if kind == 'VARCHAR' else 'null::varchar'} as said_{role}"
    connection.execute(
        f"create view checked as select *, {reason} as reason "
        f"from (select {selected}, coalesce({keep}, false) as kept from source)"
    )
    connection.execute("create view orders as select * from checked where reason is null")
    return _counted(connection, orders, as_of, notes)


def bind(
    connection: duckdb.DuckDBPyConnection, sql: str, columns: list[str], where: str
) -> tuple[str, str]:
    """Checks one expression over the source's columns; returns it ready to embed, and its type."""
    by_lower = {name.lower(): name for name in columns}
    if sql.lower() in by_lower:  # a column's bare name may hold spaces
        sql = quoted(by_lower[sql.lower()])
    embedded = f"(\n{sql}\n)"  # on lines of its own, so that a comment ends before the bracket
    try:
        # In a WHERE clause an aggregate is refused, which in a SELECT would collapse the rows.
        connection.execute(f"describe select 1 from source where {embedded} is null")
        described = connection.execute(f"describe select {embedded} from source").fetchall()
    except duckdb.Error as error:
        raise InputError(_explained(error, sql, columns, where)) from None
    return embedded, str(described[0][1])


def _explained(error: duckdb.Error, sql: str, columns: list[str], where: str) -> str:
    line = first_line(error)
    if line.startswith('Referenced column "'):
        name = line.split('"')[1]
        return f"{where} = {sql!r}: the file has no column {name!r}{nearest(name, columns)}"
    if isinstance(error, duckdb.ParserException):
        at = re.search(r"LINE (\d+):", str(error))
        if at and int(at[1]) > 1 + len(sql.splitlines()):  # past its lines: in the SQL around it
            line = "it is not complete"
        hint = "columns with spaces in their names go in double quotes"
        return f"{where} = {sql!r}: not an SQL expression: {line} ({hint})"
    if "cannot contain aggregates" in line:
        line = "must give a value for each row, but it is an aggregate"
    meant = re.search(r"^Did you mean .*$", str(error), re.MULTILINE)
    return f"{where} = {sql!r}: {line}" + (f" {meant[0]}" if meant else "")


def _typed(
    connection: duckdb.DuckDBPyConnection,
    role: str,
    sql: str,
    columns: list[str],
    notes: list[str],
) -> str:
    where = f"source.orders.map.{role}"
    embedded, kind = bind(connection, sql, columns, where)
    if role == "ts":
        return _as_time(embedded, kind, sql, notes)
    if role == "value":
        if kind != "VARCHAR" and not kind.lstrip("U").startswith(_NUMBERS):
            raise InputError(f"{where} = {sql!r}: must be a number, its type is {kind}")
        return f"try_cast({embedded} as double)"
    if role == "customer_id" and kind in ("FLOAT", "DOUBLE"):
        # Gaps turn whole numbers into floats in many exports; 17850.0 is customer 17850.
        odd = fetch(
            connection,
            f"select count(*) from source where {embedded} <> trunc({embedded})",
            where,
        )
        if odd[0][0] == 0:
            notes.append(f"customer_id: {sql} is {kind} with whole numbers only, taken as integer")
            return f"try_cast({embedded} as bigint)"
    return embedded


def _as_time(embedded: str, kind: str, sql: str, notes: list[str]) -> str:
    if kind == "VARCHAR":
        notes.append("ts: read from text; naive times as they are, others turned into UTC")
        # A plain cast to TIMESTAMP would drop the offset without a word.
        return f"(try_cast({embedded} as timestamptz) at time zone 'UTC')"
    if kind == "TIMESTAMP WITH TIME ZONE":
        notes.append("ts: times carry a zone, turned into UTC")
        return f"({embedded} at time zone 'UTC')"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        notes.append("ts: times carry no zone, taken as they are")
        return f"{embedded}::timestamp"
    raise InputError(
        f"source.orders.map.ts = {sql!r}: must be a date or a time, its type is {kind}; "
        f"for seconds since 1970 write to_timestamp({sql})"
    )


def _end_of(as_of: str) -> str:
    """A day includes its own orders; a moment is a moment."""
    return f"{as_of} 23:59:59.999999" if len(as_of) == len("2011-12-10") else as_of


def _reason(mapped: dict[str, str], needed: set[str], last: str) -> str:
    """SQL for why a row is left out: the first reason that holds; null for a row that stays."""
    cases = ["when not kept then 'keep is not true'"]
    for role in (role for role in mapped if role in needed):
        wrong = {"ts": "missing or not a time", "value": "missing or not a number"}
        cases.append(f"when {role} is null then '{role} is {wrong.get(role, 'missing')}'")
    if "ts" in mapped and last != "null":
        cases.append(f"when ts > timestamp {last} then 'ts is after as_of'")
    return f"case {' '.join(cases)} end"


def _example(connection: duckdb.DuckDBPyConnection, orders: Orders, reason: str) -> str:
    """A text that could not be read, and what to write so that it can be."""
    role = reason.split()[0]
    if not reason.endswith(("not a time", "not a number")):
        return ""
    # The expression as text once more: the view holds what became of it, which is null.
    sql = f"select said_{role} from checked where reason = '{reason}' and said_{role} <> '' limit 1"
    found = fetch(connection, sql, "source.orders")
    if not found:
        return ""
    sql = orders.columns[role]
    try:
        connection.execute(f"describe select {sql} from source")
    except duckdb.Error:  # a bare name with spaces, or one that is an SQL word
        sql = quoted(sql)
    hint = (
        f"say the format, as in strptime({sql}, '%d/%m/%Y %H:%M')"
        if role == "ts"
        else f"for a decimal comma write replace({sql}, ',', '.')"
    )
    return f" (such as {_shortened(found[0][0])}; {hint})"


def _counted(
    connection: duckdb.DuckDBPyConnection, orders: Orders, as_of: str | None, notes: list[str]
) -> Ingested:
    # Sums are decimals of 29 digits before the point.
    infinite = f"count(*) filter (where reason is null and not (abs(value) < {_LARGEST_VALUE:g}))"
    query = (
        "select reason, count(*)"
        + (f", {infinite}" if "value" in orders.columns else ", 0")
        + (", max(ts)" if "ts" in orders.columns else ", null")
        + " from checked group by reason order by count(*) desc, reason"
    )
    rows = fetch(connection, query, "source.orders")
    rows_in = sum(row[1] for row in rows)
    left = [row for row in rows if row[0] is None]
    reasons = [f"{row[1]:,} left out: {row[0]}" for row in rows if row[0] is not None]
    if not left:
        # Examples go to the screen alone: a report that is mailed on holds nobody's cells.
        reasons = [
            reason + _example(connection, orders, row[0])
            for reason, row in zip(reasons, rows, strict=True)
        ]
        told = "; ".join(reasons) or "the files are empty"
        check = "keep, map and as_of" if "after as_of" in told else "keep and map"
        raise InputError(f"source.orders: none of {rows_in:,} rows is left ({told}); check {check}")
    _, rows_out, not_finite, last = left[0]
    if not_finite:
        raise InputError(
            f"source.orders.map.value = {orders.columns['value']!r}: NaN or infinite in "
            f"{not_finite:,} rows, or beyond {_LARGEST_VALUE:g}; leave them out with "
            f"isfinite(...) or a limit in source.orders.keep"
        )
    if as_of is None and last is not None:
        day = connection.execute("select (?::date + 1)::varchar", [last]).fetchall()
        as_of = str(day[0][0])
        notes.append(f"as_of: not given, set to {as_of}, the day after the last order")
    return Ingested(rows_in, rows_out, as_of, (*reasons, *notes))
