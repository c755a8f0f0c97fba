"""A run's configuration: one TOML file (or an earlier run's manifest), checked, as dataclasses."""

from __future__ import annotations

import datetime
import json
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError, nearest
from .toml_table import TomlTable
from .vocabulary import NAMES, OUTLIERS

ROLES = ("customer_id", "ts", "order_id", "item", "value")
# Each feature, with the roles that must be mapped for it.
FEATURE_NEEDS = {
    "recency": ("ts",),
    "frequency": ("order_id",),
    "monetary": ("value",),
    "tenure": ("ts",),
    "basket": ("value", "order_id"),
    "items": ("item",),
}
MAX_K = 50
ALGORITHMS = ("kmeans", "dbscan")


@dataclass(frozen=True)
class Orders:
    """Where the order lines are, and the SQL expression over the file's columns for each role."""

    path: str
    columns: dict[str, str]
    keep: str | None


@dataclass(frozen=True)
class FeatureSettings:
    """What customers are told apart by. ``as_of`` None: the day after the last order."""

    use: tuple[str, ...]
    log: tuple[str, ...]
    as_of: str | None


@dataclass(frozen=True)
class SegmentSettings:
    """``k`` None: chosen within ``k_range``. ``names``: an id or an automatic name -> own name.

    ``eps`` None: read from the k-distance curve; ``min_samples`` None: from how many features there
    are.
    """

    k: int | None = None
    k_range: tuple[int, int] = (3, 8)
    min_stability: float = 0.9
    seed: int = 0
    names: dict[str, str] = field(default_factory=dict)
    algorithm: str = "kmeans"
    eps: float | None = None
    min_samples: int | None = None


@dataclass(frozen=True)
class Config:
    """Everything that a run needs to know. Relative paths start from ``folder``."""

    title: str
    simulated: bool
    folder: Path
    orders: Orders
    features: FeatureSettings
    segment: SegmentSettings
    output: Path
    raw: dict[str, Any]  # as read, overrides applied: what the manifest keeps
    expected_hashes: dict[str, str] = field(default_factory=dict)  # from a manifest: path -> sha256


def load(
    path: Path,
    *,
    settings: Iterable[str] = (),
    data: Path | None = None,
    output: Path | None = None,
) -> Config:
    """Reads a TOML file or a manifest.json.

    ``settings`` are ``key=value`` overrides; ``data`` is the folder that the source's path starts
    from, in place of the TOML's own; ``output`` is the output folder, relative to the current one.
    """
    raw, folder, hashes = _read(path)
    for setting in settings:
        _override(raw, setting)
    # Written back as absolute paths, so that a manifest repeats the run as it was.
    if data is not None:
        source = parse(raw, folder).orders.path
        _put(raw, "source.orders.path", str(data.absolute() / source))
    if output is not None:
        _put(raw, "output.folder", str(output.absolute()))
    return parse(raw, folder, hashes)


def _read(path: Path) -> tuple[dict[str, Any], Path, dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a TOML file or a manifest.json") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    if path.suffix != ".json":
        try:
            raw = tomllib.loads(text)
            name = path.stem.replace("_", " ")
            raw.setdefault("title", name[:1].upper() + name[1:])
            return raw, path.absolute().parent, {}
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: not valid TOML: {error}") from None
    try:
        manifest = json.loads(text)
        hashes = {entry["path"]: entry["sha256"] for entry in manifest["inputs"]}
        return manifest["config"], Path(manifest["config_folder"]), hashes
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not a manifest.json that 'coterie run' wrote") from None


def _override(raw: dict[str, Any], setting: str) -> None:
    key, mark, text = setting.partition("=")
    if not mark or not key.strip():
        raise InputError(f"--set {setting}: must be key=value, as in --set segment.k=5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word or a path: the shell already took the quotes away
    _put(raw, key.strip(), value)


def _put(raw: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    table = raw
    for name in parents:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {dotted}: {name} is not a table")
    table[last] = value


def parse(raw: dict[str, Any], folder: Path, hashes: dict[str, str] | None = None) -> Config:
    """Checks a configuration that was already read."""
    top = TomlTable(raw, "")
    title = top.get("title", str, "Customer segments")
    simulated = top.get("simulated", bool, False)
    source = top.table("source", required=True)
    orders = _orders(source.table("orders", required=True))
    source.close()
    features = _features(top.table("features"), orders)
    segment = _segment(top.table("segment"))
    table = top.table("output")
    output = folder / table.get("folder", str, "out")
    table.close()
    top.close()
    return Config(title, simulated, folder, orders, features, segment, output, raw, hashes or {})


def _orders(table: TomlTable) -> Orders:
    path = table.get("path", str, required=True)
    mapping = table.table("map", required=True)
    columns = {role: mapping.get(role, str, required=role == "customer_id") for role in ROLES}
    mapping.close()
    keep = table.get("keep", str)
    table.close()
    return Orders(path, {role: sql for role, sql in columns.items() if sql is not None}, keep)


def _features(table: TomlTable, orders: Orders) -> FeatureSettings:
    use = table.strings("use", ("recency", "frequency", "monetary"), FEATURE_NEEDS)
    if not use:
        raise InputError("features.use: empty; name at least one feature, such as 'recency'")
    for name in use:
        for role in FEATURE_NEEDS[name]:
            if role not in orders.columns:
                raise InputError(
                    f"features.use: {name!r} needs source.orders.map.{role}; map it, or leave "
                    f"{name!r} out"
                )
    log = table.strings("log", (), use)
    as_of = as_day_or_moment(table.raw("as_of"), "features.as_of")
    table.close()
    if as_of is not None and "ts" not in orders.columns:
        raise InputError("features.as_of: needs source.orders.map.ts; map it, or leave as_of out")
    return FeatureSettings(use, log, as_of)


def as_day_or_moment(value: Any, where: str) -> str | None:
    """A day, or a moment in the orders' own clock (UTC where they carry a zone)."""
    if value is None:
        return None
    if isinstance(value, datetime.date):  # datetime too: TOML has dates of its own
        value = value.isoformat()
    try:
        moment = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(f"{where}: must be a date such as '2011-12-10', got {value!r}") from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
        return moment.isoformat(sep=" ")
    is_day = len(value) <= len("2011-12-10")
    return moment.date().isoformat() if is_day else moment.isoformat(sep=" ")


def segment_settings(table: dict[str, Any]) -> SegmentSettings:
    """The same checks for settings that come from the command line."""
    return _segment(TomlTable(table, "segment"))


def _segment(table: TomlTable) -> SegmentSettings:
    algorithm = table.get("algorithm", str, "kmeans")
    if algorithm not in ALGORITHMS:
        raise InputError(f"segment.algorithm: must be 'kmeans' or 'dbscan', got {algorithm!r}")
    k, k_range = _k(table)
    eps = _or_auto(table, "eps", float)
    if eps is not None and not 0 < eps < math.inf:
        raise InputError(f"segment.eps: must be more than 0 and finite, got {eps!r}")
    min_samples = _or_auto(table, "min_samples", int)
    if min_samples is not None and min_samples < 1:
        raise InputError(f"segment.min_samples: must be at least 1, got {min_samples!r}")
    dbscan = algorithm == "dbscan"
    if dbscan and k is not None:
        raise InputError(
            f"segment.k: DBSCAN finds the number of segments itself; leave out k = {k}"
        )
    if not dbscan and (eps is not None or min_samples is not None):
        which = "eps" if eps is not None else "min_samples"
        raise InputError(f"segment.{which}: only goes with algorithm = 'dbscan'")
    settings = SegmentSettings(
        k=k,
        k_range=k_range,
        min_stability=table.number("min_stability", float, 0.9, 0, 1),
        seed=table.number("seed", int, 0, 0, 2**31 - 1),
        names=_names(table.table("names"), MAX_K if dbscan else k or k_range[1], dbscan),
        algorithm=algorithm,
        eps=eps,
        min_samples=min_samples,
    )
    table.close()
    return settings


def _or_auto(table: TomlTable, key: str, kind: type) -> Any:
    return None if table.raw(key) == "auto" else table.get(key, kind)


def _k(table: TomlTable) -> tuple[int | None, tuple[int, int]]:
    k = table.raw("k")
    if k in (None, "auto"):
        k = None
    elif type(k) is not int or not 2 <= k <= MAX_K:
        raise InputError(f"segment.k: must be 'auto' or from 2 to {MAX_K}, got {k!r}")
    k_range = table.raw("k_range")
    k_range = [3, 8] if k_range is None else k_range
    whole = isinstance(k_range, list) and [type(bound) for bound in k_range] == [int, int]
    if not whole or not 2 <= k_range[0] <= k_range[1] <= MAX_K:
        raise InputError(
            f"segment.k_range: must be [lowest, highest] within 2 to {MAX_K}, got {k_range!r}"
        )
    return k, (k_range[0], k_range[1])


def _names(table: TomlTable, highest: int, outliers: bool) -> dict[str, str]:
    ids = [str(i) for i in range(1, highest + 1)]
    known = (*NAMES, OUTLIERS) if outliers else NAMES
    names: dict[str, str] = {}
    for key, _ in table.items():
        names[key] = table.get(key, str).strip()
        if key not in ids and key not in known:
            raise InputError(
                f"{table.name(key)}: neither an id from 1 to {highest} nor an automatic name"
                f"{nearest(key, known)}"
            )
        if not names[key]:
            raise InputError(f"{table.name(key)}: the name is empty")
    return names
