"""Automatic gain control as one choice: a frame's thermal values to grey in [0, 1] by the configured method.

Which method, says the configuration, or the card of the network that looks at the image (``contrast_for``). All work
within a span (``contrast.py``). ``percentile`` and ``fixed`` are straight lines over it, ``plateau`` bends the line
where many pixels are, ``clahe`` does so in every tile by itself. Only ``clahe`` may turn the order of two values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np

from .config import CONTRAST_METHODS, ConfigError, ContrastConfig, check_fixed_span, validate
from .contrast import Span, TemporalContrast, regular_sample
from .frames import ThermalFrame

BINS = 512
"""Levels of the plateau histogram over the span."""

_OF_ALL = ("method", "low_percentile", "high_percentile", "headroom")
_OF_METHOD = {"fixed": ("fixed_low_c", "fixed_high_c"), "plateau": ("plateau_limit",),
              "clahe": ("clahe_limit", "clahe_tiles")}


def contrast_in_card(config: ContrastConfig) -> dict[str, Any]:
    """What the card of a network says that was trained with this contrast (``ModelCard.normalisation``)."""
    return {name: getattr(config, name) for name in (*_OF_ALL, *_OF_METHOD.get(config.method, ()))}


def contrast_for(config: ContrastConfig, normalisation: Mapping[str, Any]) -> ContrastConfig:
    """The contrast for a network: the configured one or, with method ``model``, the one that its card asks for.

    Of the card's values those count whose parameters were left at their defaults; a card without a method means
    ``percentile``. Raises ConfigError for a card that asks for what there is not, or does not go with what was set.
    """
    if config.method != "model":
        return config
    wanted = {"method": "percentile", **normalisation}
    default = asdict(ContrastConfig())
    unknown = sorted(set(wanted) - set(default))
    if unknown or wanted["method"] not in CONTRAST_METHODS:
        raise ConfigError(f"its card asks for contrast by {unknown or wanted['method']}, which is not known here")
    made = replace(config, **{name: value for name, value in wanted.items() if getattr(config, name) == default[name]})
    validate(made)
    check_fixed_span(made)
    return made


class Tone(Protocol):
    """How values become grey."""

    @property
    def low(self) -> float:
        """Value that becomes 0, in the unit of the frame's values."""

    @property
    def high(self) -> float:
        """Value that becomes 1."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(H, W) values of any type to float32 in [0, 1]; NaN becomes 0."""


@dataclass(frozen=True)
class _OverSpan:
    """What is darkest below a span and brightest above it."""

    span: Span

    @property
    def low(self) -> float:
        """Value below which everything is as dark."""
        return self.span.low

    @property
    def high(self) -> float:
        """Value above which everything is as bright."""
        return self.span.high


@dataclass(frozen=True)
class Curve(_OverSpan):
    """A rising curve over a span, straight between its knots."""

    levels: np.ndarray
    """(BINS + 1,) float64 grey at evenly spaced values from ``low`` to ``high``, from 0 to 1."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(H, W) values of any type to float32 in [0, 1]; NaN becomes 0."""
        # Looking up 65,536 steps takes a tenth of the time that interpolating every pixel does.
        step = self.span.apply(values)
        step *= np.float32(65535.0)
        return self._table[np.rint(step, out=step).astype(np.uint16)]

    @cached_property
    def _table(self) -> np.ndarray:
        knots = np.linspace(0.0, 1.0, len(self.levels))
        return np.interp(np.linspace(0.0, 1.0, 65536), knots, self.levels).astype(np.float32)


@dataclass(frozen=True)
class Clahe(_OverSpan):
    """Contrast-limited adaptive histogram equalisation over a span (Zuiderveld, Graphics Gems IV, 1994), by OpenCV.

    In 256 levels: with 65,536 a tile has fewer pixels than levels, and the clip limit loses its meaning.
    """

    limit: float
    tiles: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(H, W) values of any type to float32 in [0, 1], in steps of 1/255."""
        grey = np.rint(self.span.apply(values) * 255.0).astype(np.uint8)
        # A tile of a few pixels has no histogram to speak of.
        tiles = tuple(max(1, min(self.tiles, side // 8)) for side in (grey.shape[1], grey.shape[0]))
        equalised = cv2.createCLAHE(self.limit, tiles).apply(grey)
        return equalised.astype(np.float32) / np.float32(255.0)


def min_span(frame: ThermalFrame, config: ContrastConfig) -> float:
    """Smallest contrast span in the unit of a frame's values."""
    if frame.mode == "display8":
        return config.min_span_display
    if frame.radiometric:
        return config.min_span_k / frame.scale
    return config.min_span_counts


def fixed_span(frame: ThermalFrame, config: ContrastConfig) -> Span | None:
    """The fixed temperatures in the unit of a frame's values; None if the frame has no temperatures."""
    if not frame.radiometric:
        return None
    low, high = ((celsius - frame.offset) / frame.scale for celsius in (config.fixed_low_c, config.fixed_high_c))
    return Span(low, high)


def histogram(values: np.ndarray, span: Span) -> np.ndarray:
    """Parts (BINS,) float64 of an image's pixels in evenly spaced levels of a span; even if no pixel is finite."""
    sample = regular_sample(values)
    if not sample.size:
        return np.full(BINS, 1.0 / BINS)
    level = np.minimum((span.apply(sample) * BINS).astype(np.int64), BINS - 1)
    return np.bincount(level, minlength=BINS) / sample.size


def moved(parts: np.ndarray, before: Span, after: Span) -> np.ndarray:
    """A histogram over one span as a histogram over another; what lies outside goes to the first or last level."""
    edges = np.linspace(before.low, before.high, len(parts) + 1)
    below = np.interp(np.linspace(after.low, after.high, len(parts) + 1), edges, np.append(0.0, np.cumsum(parts)))
    below[0], below[-1] = 0.0, 1.0
    return np.diff(below)


def plateau_levels(parts: np.ndarray, limit: float) -> np.ndarray:
    """Grey (N + 1,) from 0 to 1 at the edges of a histogram's levels (N,), with a plateau.

    Each level rises by the part of the pixels in it, but by no more than ``limit`` of an even share; what is cut off
    is given to all levels alike. The slope is therefore at most ``limit`` + 1 times that of a straight line, and an
    image that is flat but for noise stays flat.
    """
    count = len(parts)
    cut = np.minimum(parts, limit / count)
    rise = cut + (1.0 - cut.sum()) / count
    levels = np.append(0.0, np.cumsum(rise))
    return np.clip(levels / levels[-1], 0.0, 1.0)


class TemporalTone:
    """The tone of one camera over time; span and histogram are smoothed alike. Not thread-safe.

    The method ``model`` is ``percentile`` here, where no model is known: see ``contrast_for``.
    """

    def __init__(self, config: ContrastConfig) -> None:
        self._contrast = TemporalContrast(config)
        self._histogram: tuple[Span, np.ndarray] | None = None

    @property
    def config(self) -> ContrastConfig:
        """The configuration, which may be replaced between frames."""
        return self._contrast.config

    @config.setter
    def config(self, config: ContrastConfig) -> None:
        self._contrast.config = config

    def update(self, frame: ThermalFrame) -> Tone:
        """The tone for a frame; one without a stamp is taken alone and leaves nothing behind."""
        config = self.config
        if config.method != "plateau":
            self._histogram = None
        if config.method == "fixed" and (span := fixed_span(frame, config)) is not None:
            return span
        span = self._contrast.update(frame.values, min_span(frame, config), frame.stamp)
        if config.method == "clahe":
            return Clahe(span, config.clahe_limit, config.clahe_tiles)
        if config.method == "plateau":
            return Curve(span, plateau_levels(self._smoothed(frame, span), config.plateau_limit))
        return span

    def _smoothed(self, frame: ThermalFrame, span: Span) -> np.ndarray:
        parts = histogram(frame.values, span)
        if frame.stamp is None:
            return parts
        past = self._contrast.past
        if self._histogram is not None and past > 0.0:
            parts = past * moved(self._histogram[1], self._histogram[0], span) + (1.0 - past) * parts
        self._histogram = span, parts
        return parts
