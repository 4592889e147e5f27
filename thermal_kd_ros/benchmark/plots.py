"""Pictures of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..output import written_aside


def draw(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what a measurement holds into ``folder``; the files. Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawn = []
    for name, picture in (("stages", _stages), ("engines", _engines), ("node", _node), ("cameras", _cameras),
                          ("memory", _memory)):
        if name not in result:
            continue
        figure, axes = plt.subplots(figsize=(8, 4.5), constrained_layout=True)
        picture(axes, result[name])
        path = folder / f"{name}.png"
        with written_aside(path) as aside:
            figure.savefig(aside, dpi=120)
        plt.close(figure)
        drawn.append(path)
    return drawn


def _stages(axes: Any, part: Mapping[str, Any]) -> None:
    labels = [f"{row['faces_shown']} faces" for row in part["rows"]]
    bottom = [0.0] * len(labels)
    for name in dict.fromkeys(name for row in part["rows"] for name in row["stages_ms"]):
        heights = [row["stages_ms"].get(name, {"p50": 0.0})["p50"] for row in part["rows"]]
        axes.bar(labels, heights, bottom=bottom, label=name)
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    axes.set_ylabel("median, ms")
    axes.set_title("Stages of the pipeline")
    axes.legend()


def _engines(axes: Any, part: Mapping[str, Any]) -> None:
    rows = part["rows"]
    axes.barh([f"{row['backend']}: {row['case']}" for row in rows], [row["ms"]["p50"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("median, ms")
    axes.set_title("Engines")


def _node(axes: Any, part: Mapping[str, Any]) -> None:
    rows = part["steady"]
    for name in ("p50", "p95", "p99"):
        axes.plot([row["rate_hz"] for row in rows], [row[name] for row in rows], "o-", label=name)
    axes.set_xlabel("input, Hz")
    axes.set_ylabel("publish to receipt, ms")
    axes.set_ylim(bottom=0)
    axes.set_title("The node over DDS")
    axes.legend()


def _cameras(axes: Any, part: Mapping[str, Any]) -> None:
    rows = part["rows"]
    axes.plot([row["cameras"] for row in rows], [row["of_one_camera"] for row in rows], "o-",
              label="answers of all, of one camera's")
    axes.plot([row["cameras"] for row in rows], [row["least_of_most"] for row in rows], "s--",
              label="least served of most served")
    axes.set_xlabel("cameras")
    axes.set_ylim(bottom=0)
    axes.set_title("Several cameras, one node")
    axes.legend()


def _memory(axes: Any, part: Mapping[str, Any]) -> None:
    axes.plot(*zip(*part["rss_mib"], strict=True))
    axes.set_xlabel("frames")
    axes.set_ylabel("resident memory, MiB")
    axes.set_ylim(bottom=0)
    axes.set_title("Memory")
