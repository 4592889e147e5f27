"""Measured accuracy goes into the model file that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from thermal_kd_ros.models.checkpoint import read, write


def as_json(figures: Mapping[str, float], digits: int = 3) -> dict[str, float | None]:
    """Rounded figures; None where there was nothing to measure, as JSON has no NaN."""
    return {name: round(value, digits) if math.isfinite(value) else None for name, value in figures.items()}


def record(path: Path, on: str, figures: Mapping[str, float], command: str) -> None:
    """Write ``figures`` {metric: value}, measured ``on`` some data by ``command``, into a model file's card.

    Figures measured on other data stay; those on the same data are replaced. A figure that is not finite, of which
    there was nothing to measure, is left out.
    """
    card, weights = read(path)
    kept = tuple(entry for entry in card.metrics if entry["on"] != on)
    new = tuple({"metric": name, "value": value, "on": on, "command": command}
                for name, value in as_json(figures, 4).items() if value is not None)
    write(path, replace(card, metrics=kept + new), weights)
