"""The ``coterie`` command."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from coterie.segmentation.errors import InputError
from coterie.segmentation.progress import Progress
from coterie.segmentation.results import NOISE

if TYPE_CHECKING:
    from coterie.segmentation.cluster import Clustered
    from coterie.segmentation.run import RunResult

_SHOWN = 50  # clusters that get a line of their own


class _Parser(argparse.ArgumentParser):
    """Faults take one line, like all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, 2 for a fault in the input, 130 interrupted."""
    try:
        if argv is None:
            signal.signal(signal.SIGINT, _interrupt)
            signal.signal(signal.SIGTERM, _interrupt)  # cleans up as Ctrl-C does
        args = _parser().parse_args(argv)
        _check_simd()
        args.command(args)
    except InputError as error:
        print(f"coterie: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("coterie: interrupted; earlier output is as it was", file=sys.stderr)
        return 130
    return 0


def _check_simd() -> None:
    """A COTERIE_SIMD that cannot be had is the user's fault, not ours: one line, at once."""
    if "COTERIE_SIMD" in os.environ:
        from coterie import _core

        try:
            _core.simd_level()
        except ValueError as error:
            raise InputError(str(error)) from None


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    Progress.interrupted = True
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="coterie", description="Customer segments from raw orders.")
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="version, build, CPU features and devices"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_assign(commands)
    _add_cluster(commands)
    _add_demo(commands)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        import coterie

        _check_simd()
        coterie.show_versions()
        parser.exit()


def _command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--quiet", action="store_true", help="print nothing but faults")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(command=function)
    return parser


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", _run, "From raw orders to segments and a report.")
    parser.add_argument("config", type=Path, help="a TOML file, or a run's manifest.json")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the input is")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="in place of output.folder")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="overrides one value, as in --set segment.k=5; may be repeated",
    )


def _add_assign(commands: Any) -> None:
    parser = _command(commands, "assign", _assign, "Puts new customers into existing segments.")
    parser.add_argument("model", type=Path, help="the model folder of an earlier run")
    parser.add_argument(
        "file", type=Path, help="Parquet or CSV: customer_id and the model's features, a row each"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("assigned.parquet"), help="default: %(default)s"
    )
    parser.add_argument(
        "--orders", action="store_true", help="FILE holds raw order lines, as in the model's run"
    )
    parser.add_argument(
        "--as-of", metavar="DATE", help="with --orders; default: the day after the last order"
    )


def _add_cluster(commands: Any) -> None:
    parser = _command(commands, "cluster", _cluster, "Clusters the rows of any table.")
    parser.add_argument("file", type=Path, help="Parquet or CSV")
    parser.add_argument("--columns", required=True, metavar="A,B,...", help="numeric columns")
    parser.add_argument(
        "--algorithm", choices=("kmeans", "dbscan"), default="kmeans", help="default: %(default)s"
    )
    parser.add_argument("--k", default="auto", help="how many clusters, or auto (the default)")
    parser.add_argument(
        "--k-range", type=int, nargs=2, default=(2, 10), metavar=("LOW", "HIGH"), help="for auto"
    )
    parser.add_argument("--min-stability", type=float, default=0.9, help="for auto")
    parser.add_argument(
        "--eps",
        type=float,
        help="for dbscan: how near is near, in standard deviations (or, with --no-scale, in the "
        "columns' units); default: where the curve of the distances bends",
    )
    parser.add_argument(
        "--min-samples",
        type=int,
        help="for dbscan: how many rows within eps make a dense place; default: twice the number "
        "of columns, 4 at least",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--no-scale", action="store_true", help="take the columns as they are, not as z-scores"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("labels.parquet"), help="default: %(default)s"
    )


def _add_demo(commands: Any) -> None:
    parser = _command(commands, "demo", _demo, "Simulates a shop and segments its customers.")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("coterie-demo"),
        metavar="FOLDER",
        help="for the shop's files and the results; default: %(default)s",
    )
    parser.add_argument("--customers", type=int, default=4000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)


def _run(args: argparse.Namespace) -> None:
    from coterie.segmentation.config import load
    from coterie.segmentation.run import run

    config = load(args.config, settings=args.set, data=args.data, output=args.out)
    _tell(run(config, Progress(args.quiet)), args)


def _demo(args: argparse.Namespace) -> None:
    from coterie.segmentation.config import load
    from coterie.segmentation.run import run
    from coterie.segmentation.simulate import write_shop

    progress = Progress(args.quiet)
    if not 100 <= args.customers <= 10_000_000:
        raise InputError(f"--customers: must be from 100 to 10000000, got {args.customers}")
    progress.line(f"simulating a shop with {args.customers:,} customers in {args.out} ...")
    try:
        config = write_shop(args.out, seed=args.seed, customers=args.customers)
    except OSError as error:
        raise InputError(f"{args.out}: cannot be written: {error.strerror}") from None
    _tell(run(load(config), progress), args)


def _tell(result: RunResult, args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps(_as_json(result), indent=2))
    elif not args.quiet:
        groups = [s for s in result.segments if s.id != NOISE]
        outliers = result.customers - sum(s.size for s in groups)
        beside = f" and {outliers:,} outliers" if outliers else ""
        several = f"{len(groups)} segment{'' if len(groups) == 1 else 's'}"
        print(f"{result.customers:,} customers in {several}{beside}:")
        width = max(len(segment.name) for segment in result.segments)
        for s in result.segments:
            revenue = ""
            if s.share_of_revenue is not None:
                revenue = f"{s.share_of_revenue:8.1%} of revenue"
            print(
                f"{s.id:3}  {s.name:<{width}} {s.size:10,} {s.share_of_customers:7.1%}{revenue}"
                f"   {s.summary}"
            )
        print(f"report: {result.folder / 'report.html'}  ({result.seconds:.1f} s)")


def _as_json(result: RunResult) -> dict[str, Any]:
    from dataclasses import asdict

    from coterie.segmentation.manifest import as_json

    return {
        "folder": str(result.folder),
        "report": str(result.folder / "report.html"),
        "simulated": result.simulated,
        "customers": result.customers,
        "revenue": result.revenue,
        "k": sum(s.id != NOISE for s in result.segments),
        "k_choice": None if result.k_choice is None else as_json(result.k_choice),
        "density": None if result.density is None else as_json(result.density),
        "segments": [as_json(segment) for segment in result.segments],
        "stages": [asdict(stage) for stage in result.stages],
        "warnings": list(result.warnings),
        "seconds": round(result.seconds, 3),
    }


def _assign(args: argparse.Namespace) -> None:
    from coterie.segmentation.assign import assign_customers, assign_orders

    if args.orders:
        result = assign_orders(args.model, args.file, args.output, args.as_of)
    elif args.as_of is not None:
        raise InputError("--as-of: only goes with --orders; a table of customers has its recency")
    else:
        result = assign_customers(args.model, args.file, args.output)
    progress = Progress(args.quiet)
    for note in result.notes:
        progress.line(note)
    if args.json:
        told = {"customers": result.customers, "segments": result.counts}
        print(json.dumps({**told, "output": str(args.output)}, indent=2))
    elif not args.quiet:
        for name, count in result.counts.items():
            print(f"{count:10,}  {name}")
        print(f"{result.customers:,} customers assigned: {args.output}")


def _cluster(args: argparse.Namespace) -> None:
    from coterie.segmentation.cluster import cluster
    from coterie.segmentation.config import segment_settings
    from coterie.segmentation.manifest import as_json

    given = {"eps": args.eps, "min_samples": args.min_samples}
    settings = segment_settings(
        {
            "algorithm": args.algorithm,
            "k": args.k if args.k == "auto" or not args.k.isdecimal() else int(args.k),
            "k_range": list(args.k_range),
            "min_stability": args.min_stability,
            "seed": args.seed,
            **{key: value for key, value in given.items() if value is not None},
        },
    )
    columns = [name.strip() for name in args.columns.split(",") if name.strip()]
    if not columns:
        raise InputError("--columns: empty; name columns as in --columns recency,monetary")
    scale = not args.no_scale
    progress = Progress(args.quiet)
    if scale:
        progress.line("columns are standardised to z-scores (--no-scale takes them as they are)")
    result = cluster(args.file, columns, settings, args.output, progress, standardise=scale)
    if args.json:
        told = {
            "rows": result.rows,
            "k": len(result.sizes),
            "sizes": result.sizes,
            "inertia": result.inertia,
            "k_choice": None if result.k_choice is None else as_json(result.k_choice),
            "density": None if result.density is None else as_json(result.density),
        }
        print(json.dumps({**told, "output": str(args.output)}, indent=2))
    elif not args.quiet:
        _tell_clusters(result, args.output, settings.min_stability)


def _tell_clusters(result: Clustered, output: Path, min_stability: float) -> None:
    from coterie.segmentation.density import found

    if result.k_choice is not None:
        i = result.k_choice.ks.index(len(result.sizes))
        stability = f"{result.k_choice.stability[i]:.3f}, floor {min_stability}"
        print(f"{len(result.sizes)} clusters: stability {stability}")
    if result.density is not None:
        print(found(result.density))
    for label, size in enumerate(result.sizes[:_SHOWN]):
        print(f"{size:10,}  cluster {label}")
    if len(result.sizes) > _SHOWN:
        print(f"{sum(result.sizes[_SHOWN:]):10,}  in {len(result.sizes) - _SHOWN:,} more clusters")
    if result.density is not None:
        print(f"{result.density.noise:10,}  noise (label -1)")
    print(f"{result.rows:,} rows labelled: {output}")
