"""Percentiles without numpy.percentile's own overhead, which for a face's few pixels is most of its time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def percentiles(values: np.ndarray, at: Sequence[float]) -> list[float]:
    """Percentiles ``at`` (0 to 100) of finite values (N,), N > 0, interpolated linearly between neighbours."""
    last = len(values) - 1
    ranks = [last * part / 100.0 for part in at]
    below = [int(rank) for rank in ranks]
    ordered = np.partition(values, sorted({min(k, last) for low in below for k in (low, low + 1)}))
    ends = [(float(ordered[low]), float(ordered[min(low + 1, last)])) for low in below]
    return [first + (rank - low) * (second - first)
            for rank, low, (first, second) in zip(ranks, below, ends, strict=True)]
