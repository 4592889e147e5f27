"""Contrast on a device: what ``contrast.py`` and ``tone.py`` do, for a batch of images and without asking for a value.

Spans and histograms are float64, pixels float32, so that results agree with NumPy's to rounding. Numbers are put
in by masked_fill: torch.where makes tensors of them, which may have to be copied to a GPU first.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...config import ContrastConfig
from ...contrast import LARGEST, LEAST_SHOWN, sample_step
from ...tone import BINS
from .clahe import clahe

TONE_FIELDS = ("row", "min_span", "keep", "store", "fixed", "fixed_low", "fixed_high", "histogram")


class ToneInputs(NamedTuple):
    """What the host knows of each image of a batch, each (B,) float64."""

    row: torch.Tensor
    """Of the camera in the memory."""
    min_span: torch.Tensor
    """Smallest span, in the unit of the values."""
    keep: torch.Tensor
    """Weight of the camera's span before; 0 if there is none."""
    store: torch.Tensor
    """1 if this image's span is to be remembered."""
    fixed: torch.Tensor
    """1 if the span is ``fixed_low`` to ``fixed_high``."""
    fixed_low: torch.Tensor
    fixed_high: torch.Tensor
    histogram: torch.Tensor
    """1 if the memory has a histogram of the camera."""


class ToneMemory:
    """Span and histogram of every camera, on the device."""

    def __init__(self, cameras: int, device: torch.device) -> None:
        self.spans = torch.zeros(cameras, 2, dtype=torch.float64, device=device)
        """(cameras, 2): low and high."""
        self.histograms = torch.zeros(cameras, BINS, dtype=torch.float64, device=device)
        """(cameras, BINS) over that span."""

    def grown(self, cameras: int) -> ToneMemory:
        """A larger memory with the same contents."""
        larger = ToneMemory(cameras, self.spans.device)
        larger.spans[: len(self.spans)] = self.spans
        larger.histograms[: len(self.histograms)] = self.histograms
        return larger


def regular_sample(values: torch.Tensor) -> torch.Tensor:
    """About 20,000 pixels of each image (B, H, W) on a regular grid, (B, S) float32; NaN where one is not finite."""
    step = sample_step(values.shape[1] * values.shape[2])
    sample = values[:, step // 2 :: step, step // 2 :: step].flatten(1)
    return sample.clamp(-LARGEST, LARGEST).masked_fill(~sample.isfinite(), torch.nan)


def percentiles(sample: torch.Tensor, percents: tuple[float, ...]) -> list[torch.Tensor]:
    """Percentiles of the rows of (B, S) without their NaN, each (B,) float64, interpolated as NumPy does.

    NaN for a row that has nothing else.
    """
    # NaN are sorted to the end.
    ordered = sample.sort(dim=1).values
    last = (~sample.isnan()).sum(dim=1, keepdim=True).sub(1).clamp(min=0)
    found = []
    for percent in percents:
        position = last.double() * (percent / 100.0)
        below = position.floor()
        part = position - below
        first = ordered.gather(1, below.long()).double()
        second = ordered.gather(1, torch.minimum(below.long() + 1, last)).double()
        rise = second - first
        found.append(torch.where(part >= 0.5, second - rise * (1.0 - part), first + rise * part)[:, 0])
    return found


def robust_span(sample: torch.Tensor, config: ContrastConfig, min_span: torch.Tensor) -> torch.Tensor:
    """Spans (B, 2) float64 of samples (B, S) with NaN; ``min_span`` (B,). See ``contrast.robust_span``."""
    low, high = percentiles(sample, (config.low_percentile, config.high_percentile))
    middle, span = (low + high) / 2, torch.maximum(high - low, min_span)
    reach = torch.maximum(span * (0.5 + config.headroom), 1e-6 * middle.abs())
    ends = torch.stack([middle - reach, middle + reach], dim=1)
    nothing = torch.stack([torch.zeros_like(min_span), min_span], dim=1)
    return torch.where(low.isnan()[:, None], nothing, ends)


def apply_span(values: torch.Tensor, span: torch.Tensor) -> torch.Tensor:
    """Values (B, ...) float32 to [0, 1] by spans (B, 2); NaN becomes 0. See ``contrast.Span.apply``."""
    shape = (-1,) + (1,) * (values.dim() - 1)
    low, high = span[:, 0].float().view(shape), span[:, 1].float().view(shape)
    slope = (1.0 / (span[:, 1] - span[:, 0])).float().view(shape)
    # Infinite or absurd values must not overflow below.
    bounded = torch.minimum(torch.maximum(torch.where(values.isnan(), low, values), low), high)
    return ((bounded - low) * slope).clamp(0.0, 1.0)


def part_shown(sample: torch.Tensor, span: torch.Tensor) -> torch.Tensor:
    """Part (B,) float64 of the finite samples (B, S) that lies within spans (B, 2); 1 if none is finite."""
    inside = ((sample >= span[:, :1]) & (sample <= span[:, 1:])).sum(dim=1).double()
    count = (~sample.isnan()).sum(dim=1)
    return (inside / count.clamp(min=1)).masked_fill(count == 0, 1.0)


def histogram(sample: torch.Tensor, span: torch.Tensor) -> torch.Tensor:
    """Parts (B, BINS) float64 of samples (B, S) with NaN in the levels of spans. See ``tone.histogram``."""
    finite = ~sample.isnan()
    level = (apply_span(sample, span) * BINS).long().clamp(max=BINS - 1)
    # Whole numbers, so that the order of the additions does not matter.
    counts = torch.zeros(len(sample), BINS, dtype=torch.int32, device=sample.device)
    counts.scatter_add_(1, level, finite.int())
    total = finite.sum(dim=1, keepdim=True)
    return (counts.double() / total.clamp(min=1)).masked_fill(total == 0, 1.0 / BINS)


def interpolated(position: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Values of the rows of a table (B, N) at positions (B, M) from 0 to N - 1, straight in between."""
    below = position.floor().clamp(0, table.shape[1] - 2)
    index = below.long()
    first, second = table.gather(1, index), table.gather(1, index + 1)
    return first + (second - first) * (position - below)


def moved(parts: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Histograms (B, N) over spans (B, 2) as histograms over other spans. See ``tone.moved``."""
    count = parts.shape[1]
    below = torch.nn.functional.pad(parts.cumsum(dim=1), (1, 0))
    steps = torch.linspace(0.0, 1.0, count + 1, dtype=torch.float64, device=parts.device)
    edges = after[:, :1] + steps * (after[:, 1:] - after[:, :1])
    # A camera without a span before has an empty one; what comes of it is not used, but must be finite.
    width = (before[:, 1:] - before[:, :1]).clamp(min=1e-300)
    position = ((edges - before[:, :1]) / width).clamp(0.0, 1.0) * count
    under = interpolated(position, below)
    under = torch.cat([torch.zeros_like(under[:, :1]), under[:, 1:-1], torch.ones_like(under[:, :1])], dim=1)
    return under.diff(dim=1)


def plateau_levels(parts: torch.Tensor, limit: float) -> torch.Tensor:
    """Grey (B, N + 1) at the edges of the levels of histograms (B, N). See ``tone.plateau_levels``."""
    count = parts.shape[1]
    cut = parts.clamp(max=limit / count)
    rise = cut + (1.0 - cut.sum(dim=1, keepdim=True)) / count
    levels = torch.nn.functional.pad(rise.cumsum(dim=1), (1, 0))
    return (levels / levels[:, -1:]).clamp(0.0, 1.0)


def apply_curve(values: torch.Tensor, span: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Values (B, H, W) by curves (B, N + 1) over spans (B, 2), float32. See ``tone.Curve``."""
    step = (apply_span(values, span) * 65535.0).round()
    position = step.flatten(1) * ((levels.shape[1] - 1) / 65535.0)
    return interpolated(position, levels.float()).view_as(values)


def grey(values: torch.Tensor, inputs: ToneInputs, memory: ToneMemory, config: ContrastConfig) -> torch.Tensor:
    """Images (B, H, W) float32 in any unit to [0, 1], as ``tone.TemporalTone`` does; changes the memory.

    A camera may occur only once in a batch.
    """
    sample = regular_sample(values)
    row = inputs.row.long()
    before = memory.spans[row]
    past = inputs.keep * (part_shown(sample, before) >= LEAST_SHOWN)
    fresh = robust_span(sample, config, inputs.min_span)
    smooth = past[:, None] * before + (1.0 - past[:, None]) * fresh
    kept = torch.where(inputs.store[:, None] > 0.0, smooth, before)
    memory.spans.index_copy_(0, row, kept)
    fixed = torch.stack([inputs.fixed_low, inputs.fixed_high], dim=1)
    span = torch.where(inputs.fixed[:, None] > 0.0, fixed, smooth)
    if config.method == "clahe":
        return clahe((apply_span(values, span) * 255.0).round(), config.clahe_limit, config.clahe_tiles)
    if config.method == "plateau":
        old, parts = memory.histograms[row], histogram(sample, span)
        weight = (past * inputs.histogram)[:, None]
        parts = weight * moved(old, before, span) + (1.0 - weight) * parts
        memory.histograms.index_copy_(0, row, torch.where(inputs.store[:, None] > 0.0, parts, old))
        return apply_curve(values, span, plateau_levels(parts, config.plateau_limit))
    return apply_span(values, span)
