"""The chain of stages from raw files to segments, model, manifest and report."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from . import choose_k, describe, features, ingest, manifest, model, output, segment
from .config import FEATURE_NEEDS, Config
from .features import Customers
from .progress import Progress
from .results import KChoice, ReportData, Sample, Segment, Stage

_SAMPLE = 5_000


@dataclass(frozen=True)
class RunResult:
    """What a run found, and where it was written."""

    folder: Path
    simulated: bool
    customers: int
    revenue: float | None
    k_choice: KChoice | None
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
    fitted, choice = _fit(config, customers, log)
    with log.stage("segment", n) as line:
        found = segment.segment(customers, fitted)
        by = "" if customers.revenue is None else " by revenue per customer"
        line.notes = (f"{len(found.centroids)} segments, best first{by}",)
    with log.stage("describe", n):
        sample, silhouettes = _sample(customers, found, config.segment.seed, log)
        segments = describe.describe(customers, found.segment, silhouettes, config.segment.names)
    findings = _Findings(created, inputs, customers, as_of, choice, found, segments, sample)
    with output.staged_folder(config.output) as folder:
        _write(folder, config, findings, log)
    return RunResult(
        config.output.resolve(),
        config.simulated,
        n,
        findings.revenue,
        choice,
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
        names = [s.name for s in f.segments]
        pq.write_table(
            segment.to_table(f.customers.ids, f.found, names), folder / "segments.parquet"
        )
        model.save(folder / "model", config, f.customers, f.segments, f.found)
    with log.stage("report", n) as line:
        line.rows_out = len(f.sample.z)
        line.notes = (f"{len(f.sample.z):,} customers, without their ids, as points in the plots",)
        write_report(_report_data(config, f, log), folder / "report.html")
    parameters = _parameters(config, f.customers, f.as_of, len(f.segments))
    record = manifest.content(config, f.inputs, log.stages, parameters, f.created, f.choice)
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


def _fit(config: Config, customers: Customers, log: _Log) -> tuple[Any, KChoice | None]:
    """The model for the k that was given or chosen."""
    rows = len(customers.z)
    if config.segment.k is not None:
        with log.stage("fit", rows) as line:
            line.notes = (f"k = {config.segment.k}, as given",)
            return segment.fit(customers.z, config.segment, config.segment.k), None
    with log.stage("choose k", rows) as line:
        choice, fitted = choose_k.choose_k(customers.z, config.segment, log.progress)
        line.notes = (choice.reason,)
    if choice.stability.max() < choice.min_stability:
        log.warn(choice.reason)
    return fitted, choice


def _sample(
    customers: Customers, found: segment.Segmented, seed: int, log: _Log
) -> tuple[Sample, np.ndarray]:
    """The customers that the report draws, and each segment's mean silhouette."""
    from coterie import PCA, metrics

    n = len(customers.z)
    rows = np.arange(n)
    if n > _SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, _SAMPLE, replace=False))
    if n <= choose_k.SMALL:
        values = metrics.silhouette_samples(customers.z, found.segment)
        silhouettes, labels, drawn = values, found.segment, values[rows]
    else:
        log.warn(f"silhouettes are estimated from {len(rows):,} of {n:,} customers")
        labels = found.segment[rows]
        silhouettes = drawn = metrics.silhouette_samples(customers.z[rows], labels)
    ids = range(1, len(found.centroids) + 1)
    means = np.array([silhouettes[labels == i].mean() if (labels == i).any() else 0 for i in ids])
    pca = PCA(n_components=min(2, customers.z.shape[1])).fit(customers.z)
    sample = Sample(
        z=customers.z[rows],
        segment=found.segment[rows],
        silhouette=drawn,
        pca=pca.transform(customers.z[rows]),
        explained=tuple(float(ratio) for ratio in pca.explained_variance_ratio_),
    )
    return sample, means


def _parameters(config: Config, customers: Customers, as_of: str | None, k: int) -> dict[str, Any]:
    """What was in force in the end, defaults included."""
    return {
        "as_of": as_of,
        "k": k,
        "k_range": config.segment.k_range if config.segment.k is None else None,
        "min_stability": config.segment.min_stability if config.segment.k is None else None,
        "seed": config.segment.seed,
        "restarts": choose_k.restarts(len(customers.z)),
        "features": [
            {"name": f.name, "log": f.log, "mean": f.mean, "scale": f.scale}
            for f in customers.features
        ],
    }
