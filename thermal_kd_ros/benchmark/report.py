"""A measurement as Markdown tables: ratios first, times after them and only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def markdown(result: Mapping[str, Any], times: bool = True) -> str:
    """All tables of a measurement; without ``times`` only what holds on other machines too: ratios, rates of loss."""
    parts = [_head(result)]
    for name, make in (("stages", _stages), ("engines", _engines), ("node", _node), ("cameras", _cameras),
                       ("memory", _memory)):
        if name in result:
            parts.append(make(result[name], times))
    return "\n\n".join(parts) + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table; floats get three significant digits, None a dash."""
    header = list(header)
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _head(result: Mapping[str, Any]) -> str:
    host, versions = result["host"], result["versions"]
    gpus = ", ".join(host["gpus"]) or "none"
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (f"Host: {host['cpu']}, {host['cores']} cores, GPU {gpus}; {used}. Load of the machine before: "
            f"{host['load_before']}.")


def _stages(part: Mapping[str, Any], times: bool) -> str:
    names = list(dict.fromkeys(name for row in part["rows"] for name in row["stages_ms"]))
    unit = "ms, p50 / p95 / p99" if times else "part of the whole at p50; the tail of the whole against its median"
    rows = []
    for row in part["rows"]:
        whole = row["total_ms"]
        cells: list[Any] = [row["faces_shown"], row["faces_found"]]
        for name in names:
            stage = row["stages_ms"].get(name)
            cells.append(_three(stage) if times else _part(stage, whole))
        tail = f"{whole['p95'] / whole['p50']:.2f} / {whole['p99'] / whole['p50']:.2f}"
        cells.append(_three(whole) if times else tail)
        rows.append(cells)
        rows[-1].append(row["cpu_times_of_one_face"])
    last = "whole" if times else "p95, p99 of p50"
    return f"### Stages of the pipeline\n\n{part['backend']}; {unit}.\n\n" + table(
        ["faces shown", "found", *names, last, "CPU time, of one face's"], rows)


def _three(summary: Mapping[str, float] | None) -> str | None:
    return None if summary is None else " / ".join(_cell(summary[name]) for name in ("p50", "p95", "p99"))


def _part(stage: Mapping[str, float] | None, whole: Mapping[str, float]) -> str | None:
    return None if stage is None else f"{100 * stage['p50'] / whole['p50']:.1f} %"


def _engines(part: Mapping[str, Any], times: bool) -> str:
    with_torch = "torch" in part["backends"]
    header = ["backend", "case", "of the pipeline: wall", "of the pipeline: CPU",
              *(["of torch: wall", "of torch: CPU"] if with_torch else [])]
    rows = [[row["backend"], row["case"], row["of_pipeline"], row["cpu_of_pipeline"],
             *([row["of_torch"], row["cpu_of_torch"]] if with_torch else []),
             *([_three(row["ms"]), row["cpu_ms"]["p50"]] if times else [])] for row in part["rows"]]
    used = "".join(f"\n- {name}: {text}" for name, text in part["backends"].items())
    missing = "".join(f"\n- left out: {name}: {text}" for name, text in part["left_out"].items())
    text = ("\n\nHow many times longer than the whole pipeline with one face on the same backend"
            f"{', and than the same on torch' if with_torch else ''}: medians of wall time, and of CPU time, which "
            "other programs do not lengthen.\n\n")
    return "### Engines\n" + used + missing + text + table(
        [*header, *(["ms p50 / p95 / p99", "CPU ms p50"] if times else [])], rows)


def _node(part: Mapping[str, Any], times: bool) -> str:
    through, best = part["throughput"], part["highest_rate"]
    text = (f"### The node over DDS\n\n{part['backend']}\n\n"
            f"- node against the bare pipeline, both saturated: {through['node_of_bare']:.2f} in wall time, "
            f"{through['cpu_node_of_bare']:.2f} by the CPU time of a frame\n"
            f"- highest input rate with less than {best['allowed_loss']:.0%} loss, of the bare pipeline's rate: "
            f"{best['of_bare_pipeline']:.2f}")
    if times:
        text += f" ({best['rate_hz']:.1f} Hz of {through['bare_pipeline_hz']:.1f} Hz)"
    header = ["input Hz", "loss", "CPU cores", "beyond the pipeline, ms p50 / p95", "latency p95 of p50"]
    rows = [[row["rate_hz"], f"{100 * row['loss']:.1f} %", row["cpu_cores"],
             " / ".join(_cell(v) for v in row["beyond_pipeline_ms"].values()) or None, row["p95"] / row["p50"],
             *([_three(row), row["rss_mib"]] if times else [])] for row in part["steady"]]
    return text + "\n\n" + table([*header, *(["latency ms p50 / p95 / p99", "RSS MiB"] if times else [])], rows)


def _cameras(part: Mapping[str, Any], times: bool) -> str:
    header = ["cameras", "answers of all, of one camera's", "answers of the least served, of the most served"]
    rows = [[row["cameras"], row["of_one_camera"], row["least_of_most"],
             *([row["answers_hz"], _three(row["latency_ms"])] if times else [])] for row in part["rows"]]
    return "### Several cameras, one node\n\nAll send more than the node can answer.\n\n" + table(
        [*header, *(["answers/s", "latency ms p50 / p95 / p99"] if times else [])], rows)


def _memory(part: Mapping[str, Any], times: bool) -> str:
    text = (f"### Memory\n\n{part['frames']} frames: resident memory strays by at most "
            f"{100 * part['largest_deviation']:.2f} % from its median after the first quarter")
    return text + (f" ({part['median_mib']:.0f} MiB)." if times else ".")
