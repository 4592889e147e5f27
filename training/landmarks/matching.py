"""Whether a network that a user names can do what it is named for."""

from __future__ import annotations

from thermal_kd_ros.layouts import LAYOUTS
from thermal_kd_ros.models.card import ModelCard
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.coco import DataError

LAYOUT = LAYOUTS["sf_tl54"]
"""The points of every face that is trained and measured on here."""


def check_network(name: str, card: ModelCard, spec: LandmarkerSpec, purpose: str, channels: int = 1,
                  size: int | None = None) -> None:
    """Raise DataError if a network has other points, channels or another input than ``purpose`` needs.

    Args:
        name: of the model, as the user gave it.
        card: its card.
        spec: its architecture.
        purpose: what it is to be used for.
        channels: 1 for a thermal network, 3 for one for visible light.
        size: side of the input, pixels; None: any.
    """
    given = _told(spec.points, card.layout, spec.channels, size and spec.size)
    needed = _told(LAYOUT.points, LAYOUT.name, channels, size)
    if given != needed:
        raise DataError(f"{name} is a network of {given}, and {purpose} needs one of {needed}")


def _told(points: int, layout: str, channels: int, size: int | None) -> str:
    light = {1: "1 channel (thermal)", 3: "3 channels (visible light)"}.get(channels, f"{channels} channels")
    pixels = "" if size is None else f" and an input of {size} x {size} pixels"
    return f"{points} points ({layout}), {light}{pixels}"
