"""Tables and plots of a comparison: mean and spread over seeds, and the differences from the base, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermal_kd_ros.output import written_aside
from training.pages import markdown, mean_and_spread

LOOSE = 0.7
"""An overlap at which suppression leaves duplicates to be counted: the pipeline's own, all of a class that overlap by
more than half, hides most of what a loss does to them."""

LOOSE_DUPLICATES = "duplicate_rate_loose"
"""The score that tells duplicates under a suppression at LOOSE; a teacher has none."""

SCORES = {"map50": "mAP50", "map": "mAP50:95", "ap_small": "AP small", "duplicate_rate": "duplicate rate",
          LOOSE_DUPLICATES: f"duplicate rate, NMS {LOOSE}"}
"""The figures of a table, by their name among a run's scores."""


@dataclass(frozen=True)
class Figures:
    """What one run of a row gave."""

    row: str
    seed: int
    scores: dict[str, float]


def differences(figures: list[Figures], row: str, score: str) -> list[float]:
    """A row's score minus the base's, for every seed that both have."""
    base = {entry.seed: entry.scores[score] for entry in figures if entry.row == "base"}
    return [entry.scores[score] - base[entry.seed] for entry in figures if entry.row == row and entry.seed in base]


def table(name: str, title: str, figures: list[Figures], teachers: dict[str, dict[str, float]],
          assignments: Sequence[str] = ()) -> str:
    """A Markdown table, a row per line with the command that gives it; ``assignments`` are those of its ``--set``."""
    changes = "".join(f" --set {assignment}" for assignment in assignments)
    rows: dict[str, list[str]] = {}
    for row in dict.fromkeys(entry.row for entry in figures):
        mine = [entry for entry in figures if entry.row == row]
        values = [mean_and_spread([entry.scores[score] for entry in mine], 3) for score in SCORES]
        gain = "" if row == "base" else mean_and_spread(differences(figures, row, "map50"), 3, "+")
        seeds = " ".join(str(entry.seed) for entry in mine)
        rows[row] = [seeds, *values, gain, f"`ablate {name} --seeds {seeds} --rows \"{row}\"{changes}`"]
    for teacher, scores in teachers.items():
        values = [f"{scores[score]:.3f}" if score in scores else "" for score in SCORES]
        rows[f"*{teacher} teacher itself*"] = ["0", *values, "", ""]
    return markdown([title, "seeds", *SCORES.values(), "mAP50 - base", "command"], rows)


def plot(path: Path, title: str, figures: list[Figures]) -> None:
    """mAP50 of every row, and duplicates under loose suppression: a dot per seed, a bar for the mean, a line where the
    base is.
    """
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys(entry.row for entry in figures))[::-1]
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(rows)), layout="constrained")
    for axes, score in zip(figure.subplots(1, 2, sharey=True), ("map50", LOOSE_DUPLICATES), strict=True):
        values = [[entry.scores[score] for entry in figures if entry.row == row] for row in rows]
        axes.barh(rows, [float(np.mean(v)) for v in values], color="#c8d4e3", height=0.6)
        for i, points in enumerate(values):
            axes.plot(points, [i] * len(points), ".", color="#1f3b57", markersize=6)
        if "base" in rows:
            axes.axvline(float(np.mean(values[rows.index("base")])), color="#b03030", linewidth=1)
        low, high = min(map(min, values)), max(map(max, values))
        if score == "map50" and high > low:
            axes.set_xlim(max(0.0, low - 0.5 * (high - low)), high + 0.1 * (high - low))
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(SCORES[score])
    figure.suptitle(title)
    with written_aside(path) as file:
        figure.savefig(file, dpi=110)
