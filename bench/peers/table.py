"""The measurements as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .measure import LIMIT

BEGIN, END = "<!-- bench/peers: begin -->", "<!-- bench/peers: end -->"
HEAD = (
    "| case (float32) | coterie s | MiB | of the machine | fastest peer s | the others |\n"
    "|---|--:|--:|--:|--:|---|"
)


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """How many times as long as coterie each peer took."""
    contestants = result["contestants"]
    if "coterie" not in contestants:
        return {}
    ours = contestants["coterie"]["median"]
    return {name: each["median"] / ours for name, each in contestants.items() if name != "coterie"}


def seconds(value: float) -> str:
    """As many digits as the clock is good for."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def times(ratio: float) -> str:
    """A ratio with two digits that count."""
    return f"{ratio:.2f}×" if ratio < 1 else f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×"


def share(result: dict[str, Any], yardsticks: dict[str, float]) -> str:
    """Of the speed of the machine: the least time in which its matrix product and its memory could
    do the task, over the time taken."""
    least = max(
        result["flop"] / yardsticks["product_flops"], result["bytes"] / yardsticks["read_bytes"]
    )
    if not least:
        return ""
    return f"{100 * least / result['contestants']['coterie']['median']:.0f} %"


def wrong(quality: dict[str, float]) -> str:
    """Where float64 decides otherwise on which rows are core, for how many."""
    rows = quality.get("core rows lost", 0) + quality.get("core rows made up", 0)
    return f"; {rows:.0f} core rows wrong" if rows else ""


def a_row(contestant: dict[str, Any], rows: int) -> str:
    """What each row costs, for a task that is measured at several sizes."""
    micro, size = 1e6 * contestant["median"] / rows, 2**20 * contestant["peak_mib"] / rows
    return f"{micro:.2f} µs and {size:.0f} bytes a row"


def row(result: dict[str, Any], yardsticks: dict[str, float]) -> str:
    """One line of the table."""
    ours = result["contestants"].get("coterie")
    peers = ratios(result)
    cells = [
        f"{name} {seconds(result['contestants'][name]['median'])} ({times(peers[name])}"
        f"{wrong(result['contestants'][name]['quality'])})"
        for name in sorted(peers, key=peers.__getitem__)
    ]
    equal = [cell for cell in cells if "," not in cell]  # a comma: does other work
    first = equal[:1]
    cells = [cell for cell in cells if cell not in first]
    cells += [f"{name} failed" for name in result["failed"]]
    cells += [f"{name} over {LIMIT} s" for name in result.get("late", [])]
    if ours and not peers and "rows" in result:
        cells.append(a_row(ours, result["rows"]))
    start = (
        [seconds(ours["median"]), f"{ours['peak_mib']:.0f}", share(result, yardsticks)]
        if ours
        else ["", "", ""]
    )
    return "| " + " | ".join([result["case"], *start, *(first or [""]), "; ".join(cells)]) + " |"


def heading(record: dict[str, Any]) -> str:
    """What ran where, and what the columns say."""
    machine, yardsticks = record["machine"], record["yardsticks"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"{machine['processor']} ({machine['simd']}), {machine['threads']} threads, "
        f"Python {machine['python']}; {versions}.",
        f"Yardsticks: float32 matrix product {yardsticks['product_flops'] / 1e9:.0f} GFLOP/s, "
        f"read {yardsticks['read_bytes'] / 1e9:.0f} GB/s, "
        f"copy (read and write) {yardsticks['copy_bytes'] / 1e9:.0f} GB/s.",
    ]
    if record["missing"]:
        lines.append(f"Not installed, so not measured: {', '.join(record['missing'])}.")
    return "\n".join(lines)


def speed_table(record: dict[str, Any]) -> str:
    """A line for each case."""
    return "\n".join([HEAD, *(row(result, record["yardsticks"]) for result in record["results"])])


def quality_table(record: dict[str, Any]) -> str:
    """Peak memory and quality of every contestant, so that a fast wrong answer shows."""
    lines = ["| case | | by contestant |", "|---|---|---|"]
    for result in record["results"]:
        contestants = result["contestants"]
        if not contestants:
            continue
        rows = {"peak MiB": {name: f"{each['peak_mib']:.0f}" for name, each in contestants.items()}}
        for key in next(iter(contestants.values()))["quality"]:
            rows[key] = {name: f"{each['quality'][key]:.7g}" for name, each in contestants.items()}
        for number, (key, values) in enumerate(rows.items()):
            case = result["case"] if number == 0 else ""
            text = "; ".join(f"{name} {value}" for name, value in values.items())
            lines.append(f"| {case} | {key} | {text} |")
    return "\n".join(lines)


def into_readme(readme: Path, record: dict[str, Any]) -> None:
    """Replaces what stands between the two markers by the table."""
    text = readme.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{readme} must have one {BEGIN} and one {END}")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join([BEGIN, heading(record).replace("\n", " "), speed_table(record), END])
    readme.write_text(before + body + after)
