"""Automatic gain control: the span of thermal values that becomes [0, 1], from frame to frame.

The span comes from robust percentiles, so that one hot lamp or one dead pixel does not take the contrast from the rest
of the scene, and it is smoothed in time, so that the picture does not flicker when something hot walks in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .config import ContrastConfig
from .percentiles import percentiles

SAMPLES = 20_000
"""About so many pixels decide the percentiles; more do not change them visibly."""

LARGEST = 1e30
"""Values beyond this cannot be meant, and their differences would overflow."""

LEAST_SHOWN = 0.5
"""Part of a frame's pixels that the smoothed span must show."""


@dataclass(frozen=True)
class Span:
    """The values that become 0 and 1."""

    low: float
    high: float

    def shows(self, values: np.ndarray) -> float:
        """Part of an image's pixels, 0 to 1, whose values lie within the span; 1 if none is finite."""
        sample = regular_sample(values)
        return float(((sample >= self.low) & (sample <= self.high)).mean()) if sample.size else 1.0

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(H, W) values of any type to float32 in [0, 1]; NaN becomes 0."""
        scaled = values.astype(np.float32)
        if values.dtype.kind == "f":
            scaled[np.isnan(scaled)] = self.low
            # Infinite or absurd values must not overflow below.
            np.clip(scaled, self.low, self.high, out=scaled)
        scaled -= np.float32(self.low)
        scaled *= np.float32(1.0 / (self.high - self.low))
        return np.clip(scaled, 0.0, 1.0, out=scaled)


def sample_step(pixels: int) -> int:
    """Pixels from one sample to the next, in both directions, in an image of so many pixels."""
    return max(1, math.isqrt(pixels // SAMPLES))


def regular_sample(values: np.ndarray) -> np.ndarray:
    """Finite values of an image (H, W) on a regular grid of about 20,000 pixels, (N,); empty if none is finite."""
    step = sample_step(values.size)
    sample: np.ndarray = values[step // 2 :: step, step // 2 :: step].ravel()
    if values.dtype.kind != "f":
        return sample
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        sample = values[np.isfinite(values)].ravel()
    return np.clip(sample, -LARGEST, LARGEST)


def robust_span(values: np.ndarray, config: ContrastConfig, min_span: float) -> Span:
    """Span of one image (H, W): percentiles of a regular sample of its finite pixels, with headroom.

    ``min_span`` is in the unit of ``values``. An image without a finite pixel gets the span [0, min_span].
    """
    sample = regular_sample(values)
    if not sample.size:
        return Span(0.0, min_span)
    low, high = percentiles(sample, (config.low_percentile, config.high_percentile))
    middle, span = (low + high) / 2, max(high - low, min_span)
    # Far from zero a float32 cannot tell values apart that are nearer than this.
    reach = max(span * (0.5 + config.headroom), 1e-6 * abs(middle))
    return Span(middle - reach, middle + reach)


def weight_of_past(elapsed_s: float, time_constant_s: float) -> float:
    """Weight that the span before has after so many seconds, 0 to 1.

    0 without smoothing, after a long gap, and where the clock jumped back: a bag that starts again begins anew rather
    than freezing the gain.
    """
    if time_constant_s <= 0.0 or not 0.0 <= elapsed_s < 10.0 * time_constant_s:
        return 0.0
    return math.exp(-elapsed_s / time_constant_s)


class TemporalContrast:
    """The span of one camera over time, smoothed exponentially with a time constant in seconds."""

    def __init__(self, config: ContrastConfig) -> None:
        self.config = config
        self.past = 0.0
        """Weight that the images before had in the latest span; 0 where it began anew."""
        self._span: Span | None = None
        self._stamp = 0.0

    def update(self, values: np.ndarray, min_span: float, stamp: float | None) -> Span:
        """The span for an image taken at ``stamp`` seconds; an image without a stamp is taken alone."""
        span = robust_span(values, self.config, min_span)
        self.past = 0.0
        if stamp is None:
            return span
        if self._span is not None:
            keep = weight_of_past(stamp - self._stamp, self.config.time_constant_s)
            # A scene that the old span would hide begins anew: seconds of white would be worse than one step in
            # brightness.
            if keep > 0.0 and self._span.shows(values) >= LEAST_SHOWN:
                self.past = keep
                span = Span(keep * self._span.low + (1 - keep) * span.low,
                            keep * self._span.high + (1 - keep) * span.high)
        self._span, self._stamp = span, stamp
        return span
