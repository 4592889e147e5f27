"""Measured accuracy goes into the model file that it belongs to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from thermal_kd_ros.models.checkpoint import read, write


def record(path: Path, on: str, figures: dict[str, float], command: str) -> None:
    """Write ``figures`` {metric: value}, measured ``on`` some data by ``command``, into a model file's card.

    Figures measured on other data stay; those on the same data are replaced.
    """
    card, weights = read(path)
    kept = tuple(entry for entry in card.metrics if entry["on"] != on)
    new = tuple({"metric": name, "value": round(value, 4), "on": on, "command": command}
                for name, value in figures.items())
    write(path, replace(card, metrics=kept + new), weights)
