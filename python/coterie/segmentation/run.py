"""The chain of stages from raw files to segments, model, manifest and report."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from . import (
    choose_k,
    density,
    describe,
    features,
    ingest,
    manifest,
    model,
    output,
    sampling,
    segment,
)
from .config import FEATURE_NEEDS, Config
from .features import Customers
from .progress import Progress
from .results import NOISE, Density, KChoice, ReportData, Sample, Segment, Stage


@dataclass(frozen=True)
class RunResult:
    """What a run found, and where it was written."""

    folder: Path
    simulated: bool
    customers: int
    revenue: float | None
    k_choice: KChoice | None
    density: Density | None
    segments: tuple[Segment, ...]
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...]
    seconds: float


@dataclass
class _Line:
    """A stage while it runs."""

    rows_in: int = 0
    rows_out: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class _Log:
    """The stages so far, each told to the user as it ends."""

    progress: Progress
    stages: list[Stage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, rows: int = 0) -> Iterator[_Line]:
        line = _Line(rows, rows)
        started = time.perf_counter()
        yield line
        seconds = time.perf_counter() - started
        done = Stage(name, line.rows_in, line.rows_out, round(seconds, 3), line.notes)
        self.stages.append(done)
        self.progress.stage(done)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.progress.line(f"note: {text}")


@dataclass(frozen=True)
class _Findings:
    """All that the outputs are written from."""

    created: str
    inputs: list[ingest.InputFile]
    customers: Customers
    as_of: str | None
    choice: KChoice | None
    density: Density | None
    found: segment.Segmented
    segments: tuple[Segment, ...]
    sample: Sample

    @property
    def revenue(self) -> float | None:
        revenue = self.customers.revenue
        return None if revenue is None else float(revenue.sum())


def run(config: Config, progress: Progress) -> RunResult:
    """Runs every stage, then puts the output folder in place in one move."""
    started = time.perf_counter()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    output.check_replaceable(config.output)
    log = _Log(progress)
    if config.simulated:
        progress.line("the shop is simulated: its customers and orders are made up")
    inputs, customers, as_of = _read(config, log)
    n = len(customers.z)
    choice, dense = None, None
    if config.segment.algorithm == "dbscan":
        found, dense = _by_density(config, customers, log)
    else:
        found, choice = _by_means(config, customers, log)
    with log.stage("describe", n):
        sample, silhouettes = sampling.sample(customers, found, config.segment.seed, log.warn)
        segments = describe.describe(customers, found.segment, silhouettes, config.segment.names)
    findings = _Findings(created, inputs, customers, as_of, choice, dense, found, segments, sample)
    with output.staged_folder(config.output) as folder:
        _write(folder, config, findings, log)
    return RunResult(
        config.output.resolve(),
        config.simulated,
        n,
        findings.revenue,
        choice,
        dense,
        segments,
        tuple(log.stages),
        tuple(log.warnings),
        time.perf_counter() - started,
    )


def _write(folder: Path, config: Config, findings: _Findings, log: _Log) -> None:
    from .report import write_report

    f = findings
    n = len(f.customers.z)
    with log.stage("write", n):
        names = {s.id: s.name for s in f.segments}
        pq.write_table(
            segment.to_table(f.customers.ids, f.found, names), folder / "segments.parquet"
        )
        model.save(folder / "model", config, f.customers, f.segments, f.found)
    with log.stage("report", n) as line:
        line.rows_out = len(f.sample.z)
        line.notes = (f"{len(f.sample.z):,} customers, without their ids, as points in the plots",)
        write_report(_report_data(config, f, log), folder / "report.html")
    parameters = _parameters(config, f)
    choices = {"k_choice": f.choice, "density": f.density}
    record = manifest.content(config, f.inputs, log.stages, parameters, f.created, choices)
    manifest.write(folder / "manifest.json", record)


def _report_data(config: Config, findings: _Findings, log: _Log) -> ReportData:
    import coterie

    return ReportData(
        title=config.title,
        source=", ".join(file.path.name for file in findings.inputs),
        simulated=config.simulated,
        as_of=findings.as_of or "",
        created=findings.created,
        version=coterie.__version__,
        customers=len(findings.customers.z),
        revenue=findings.revenue,
        features=findings.customers.features,
        stages=tuple(log.stages),
        segments=findings.segments,
        k_choice=findings.choice,
        density=findings.density,
        sample=findings.sample,
        warnings=tuple(log.warnings),
    )


def _read(config: Config, log: _Log) -> tuple[list[ingest.InputFile], Customers, str | None]:
    """Files to customers; the connection and its caches end here."""
    with ingest.connect() as connection:
        with log.stage("ingest") as line:
            files = ingest.find_files(config.orders.path, config.folder, "source.orders.path")
            inputs = ingest.hash_files(files)
            manifest.check_inputs(config, inputs)
            needed = {role for name in config.features.use for role in FEATURE_NEEDS[name]}
            taken = ingest.ingest(connection, config.orders, files, config.features.as_of, needed)
            line.rows_in, line.rows_out, line.notes = taken.rows_in, taken.rows_out, taken.notes
        with log.stage("features", taken.rows_out) as line:
            has_value = "value" in config.orders.columns
            customers = features.build(connection, config.features, taken.as_of, has_value)
            line.rows_out = len(customers.z)
            line.notes = (_features_note(customers),)
    return inputs, customers, taken.as_of


def _features_note(customers: Customers) -> str:
    names = ", ".join(feature.name for feature in customers.features)
    logged = ", ".join(feature.name for feature in customers.features if feature.log)
    scale = f" (log scale, log1p: {logged})" if logged else ""
    return f"one row per customer: {names}{scale}, each brought to mean 0 and spread 1"


def _by_means(
    config: Config, customers: Customers, log: _Log
) -> tuple[segment.Segmented, KChoice | None]:
    """k-means, for the k that was given or chosen."""
    rows, choice = len(customers.z), None
    if config.segment.k is not None:
        with log.stage("fit", rows) as line:
            line.notes = (f"k = {config.segment.k}, as given",)
            fitted = segment.fit(customers.z, config.segment, config.segment.k)
    else:
        with log.stage("choose k", rows) as line:
            choice, fitted = choose_k.choose_k(customers.z, config.segment, log.progress)
            line.notes = (choice.reason,)
        if choice.stability.max() < choice.min_stability:
            log.warn(choice.reason)
    with log.stage("segment", rows) as line:
        found = segment.segment(customers, fitted)
        line.notes = (f"{found.groups.count} segments, {_first(customers)}",)
    return found, choice


def _by_density(
    config: Config, customers: Customers, log: _Log
) -> tuple[segment.Segmented, Density]:
    """DBSCAN, for the eps that was given or proposed."""
    rows = len(customers.z)
    with log.stage("fit", rows) as line:
        fitted, dense = density.find(customers.z, config.segment)
        density.require_segments(dense, rows)
        line.notes = density.explained(dense)
    with log.stage("segment", rows) as line:
        found = density.segment(customers, fitted)
        inside = found.segment != NOISE
        dense = density.measured(
            dense, customers.z[inside], found.segment[inside], config.segment.seed
        )
        line.notes = (density.found(dense), _first(customers))
    if dense.clusters == 1:
        log.warn(
            "the customers form one dense group; a smaller segment.eps may split it, and "
            "algorithm = 'kmeans' divides what has no gaps"
        )
    return found, dense


def _first(customers: Customers) -> str:
    return "best first" + ("" if customers.revenue is None else " by revenue per customer")


def _parameters(config: Config, findings: _Findings) -> dict[str, Any]:
    """What was in force in the end, defaults included."""
    settings, customers = config.segment, findings.customers
    ours: dict[str, Any]
    if findings.density is not None:
        dense = findings.density
        outliers = int((findings.found.segment == NOISE).sum())
        ours = {"eps": dense.eps, "min_samples": dense.min_samples, "outliers": outliers}
    else:
        chosen = settings.k is None
        ours = {
            "k_range": settings.k_range if chosen else None,
            "min_stability": settings.min_stability if chosen else None,
            "restarts": choose_k.restarts(len(customers.z)),
        }
    return {
        "as_of": findings.as_of,
        "algorithm": settings.algorithm,
        "k": findings.found.groups.count,
        "seed": settings.seed,
        **ours,
        "features": [
            {"name": f.name, "log": f.log, "mean": f.mean, "scale": f.scale}
            for f in customers.features
        ],
    }
