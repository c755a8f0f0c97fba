"""The measurements as Markdown."""

from __future__ import annotations

from typing import Any

from bench.peers.table import times

HEAD = (
    "| case | coterie ms | of the GPU | aim ms | whole call ms | fastest peer ms | the others |\n"
    "|---|--:|--:|--:|--:|--:|---|"
)


def milliseconds(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def bound(result: dict[str, Any], rates: dict[str, float]) -> float:
    """The least milliseconds in which the GPU's memory and matrix product could do the case."""
    flops = rates.get(f"{result['unit']}_flops", rates["fp32_flops"])
    return 1e3 * max(result["bytes"] / rates["copy_bytes"], result["flop"] / flops)


def row(result: dict[str, Any], rates: dict[str, float]) -> str:
    """One line of the table."""
    contestants = dict(result["contestants"])
    ours = contestants.pop("coterie", None)
    cells = []
    for name in sorted(contestants, key=lambda name: contestants[name]["events"]):
        ratio = f" ({times(contestants[name]['events'] / ours['events'])})" if ours else ""
        cells.append(f"{name} {milliseconds(contestants[name]['events'])}{ratio}")
    equal = [cell for cell in cells if "," not in cell][:1]  # a comma: does something else
    others = [cell for cell in cells if cell not in equal]
    others += [f"{name} failed" for name in result["failed"]]
    start = ["", "", "", ""]
    if ours:
        share = f"{100 * bound(result, rates) / ours['events']:.0f} %"
        mine = (milliseconds(ours["events"]), share, milliseconds(result["aim"]))
        start = [*mine, milliseconds(ours["whole"])]
    return "| " + " | ".join([result["case"], *start, *(equal or [""]), "; ".join(others)]) + " |"


def heading(record: dict[str, Any]) -> str:
    """What ran where, and what the columns say."""
    rates = record["rates"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    products = ", ".join(
        f"{unit.upper()} product {rates[f'{unit}_flops'] / 1e12:.0f} TFLOP/s"
        for unit in ("fp32", "tf32")
        if f"{unit}_flops" in rates
    )
    lines = [
        f"{record['device']}; {versions}.",
        f"In the same run: copy (read and write) {rates['copy_bytes'] / 1e9:.0f} GB/s, {products}.",
        "Medians by events around the call, data on the GPU; 'of the GPU': the least time that "
        "these rates allow over the time taken; aims are an H100's at full size.",
    ]
    if record["missing"]:
        lines.append(f"Not installed, so not measured: {', '.join(record['missing'])}.")
    if record["share"] != 1:
        lines.append(f"Only {record['share']:g} of the rows: no measurement to quote.")
    return "\n".join(lines)
