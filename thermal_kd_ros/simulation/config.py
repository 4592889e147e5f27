"""Settings of the simulated camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

KINDS = ("street_night", "street_day", "yard", "indoor", "aerial")
"""The kinds of scene."""
UNITS = ("centikelvin", "counts14", "celsius", "display8")
"""What the camera can put out."""
LARGEST_SIDE = 4096
"""Pixels. Beyond every thermal camera; rendering takes about 100 bytes a pixel, 1.7 GB for a square of this side."""

LARGEST_BLUR = 50.0
"""Pixels: nothing is left of an image then."""


@dataclass(frozen=True)
class SimulationConfig:
    """What to simulate. The same config gives the same frames, bit for bit."""

    seed: int = 0
    scene: str = "tour"
    """What the camera looks at: street_night, street_day, yard, indoor, aerial, or tour, which cuts through all of
    them."""
    width: int = 640
    """Pixels."""
    height: int = 512
    """Pixels."""
    hfov_deg: float = 45.0
    """Horizontal field of view, degrees."""
    rate_hz: float = 30.0
    """Frames per second."""
    cut_s: float = 8.0
    """Seconds between the cuts of a tour."""
    unit: str = "centikelvin"
    """'centikelvin' (mono16, 0.01 K per count), 'counts14' (mono16, raw 14-bit counts), 'celsius' (32FC1) or 'display8'
    (mono8 after the camera's own contrast stretch)."""
    blur_px: float = 0.75
    """Standard deviation of the optics' Gaussian point spread, pixels."""
    netd_k: float = 0.05
    """Temporal noise (NETD at 30 °C), kelvin, standard deviation."""
    fixed_pattern_k: float = 0.04
    """Standard deviation of the fixed pattern left after a shutter correction, kelvin."""
    drift_k: float = 0.15
    """Growth of the offset between two shutter corrections, kelvin."""
    vignette_k: float = 0.25
    """Kelvin by which the corners differ from the centre when the drift is full."""
    dead_pixels: float = 1e-4
    """Share of pixels that do not respond."""
    shutter_interval_s: float = 30.0
    """Seconds between shutter corrections; 0 for none."""
    shutter_s: float = 0.4
    """Seconds during which the camera repeats its last frame."""
    black_hot: bool = False
    """Polarity of 'display8'."""

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if self.seed < 0:
            raise ValueError(f"seed {self.seed}: must be 0 or more")
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} {value}: must be a finite number")
        for name in ("blur_px", "netd_k", "fixed_pattern_k", "drift_k", "vignette_k", "dead_pixels",
                     "shutter_interval_s", "shutter_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name):g}: must be 0 or more")
        if self.dead_pixels > 1 or self.blur_px > LARGEST_BLUR:
            raise ValueError(f"dead_pixels {self.dead_pixels:g}, blur_px {self.blur_px:g}: must be at most 1 and "
                             f"{LARGEST_BLUR:g}")
        if self.scene != "tour" and self.scene not in KINDS:
            raise ValueError(f"unknown scene '{self.scene}'; known: tour, {', '.join(KINDS)}")
        if self.unit not in UNITS:
            raise ValueError(f"unknown unit '{self.unit}'; known: {', '.join(UNITS)}")
        if not (16 <= self.width <= LARGEST_SIDE and 16 <= self.height <= LARGEST_SIDE):
            raise ValueError(f"width {self.width}, height {self.height}: must be 16 to {LARGEST_SIDE} pixels")
        if not (self.rate_hz > 0 and self.cut_s > 0 and 1 <= self.hfov_deg <= 150):
            raise ValueError("rate_hz and cut_s must be positive and hfov_deg within [1, 150]")
        if 0 < self.shutter_period <= self.shutter_frames:
            raise ValueError(f"shutter_s {self.shutter_s}: must be shorter than shutter_interval_s "
                             f"{self.shutter_interval_s} by a frame at least, or the shutter never opens again")

    @property
    def shutter_period(self) -> int:
        """Frames from one shutter correction to the next; 0 or less for none."""
        return round(self.shutter_interval_s * self.rate_hz)

    @property
    def shutter_frames(self) -> int:
        """Frames during which the shutter is closed."""
        return round(self.shutter_s * self.rate_hz)
