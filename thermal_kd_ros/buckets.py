"""Batches of a few fixed sizes, for devices on which every new size costs a preparation."""

from __future__ import annotations

import numpy as np

from .engines.base import Engine

BUCKETS = (1, 2, 4, 8, 16, 32)
"""Sizes of a batch; more rows go in several."""


def buckets_for(count: int) -> list[int]:
    """The sizes of the batches, the smallest that hold ``count`` rows."""
    full, rest = divmod(count, BUCKETS[-1])
    return [BUCKETS[-1]] * full + [next(size for size in BUCKETS if size >= rest)] * (rest > 0)


def run_in_buckets(engine: Engine, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``engine.run`` of a batch (B, 1, H, W) with B > 0, padded to fixed sizes where the engine is not on a CPU.

    A CPU computes a padding at full price and needs no preparation for a size, or takes care of it in its engine.
    """
    if engine.on_cpu:
        return engine.run(batch)
    firsts, seconds, start = [], [], 0
    for size in buckets_for(len(batch)):
        part = batch[start : start + size]
        count, start = len(part), start + size
        if count < size:
            # Copies of a row, not zeros: every value is one that the network knows.
            part = np.concatenate([part, np.broadcast_to(part[-1:], (size - count, *part.shape[1:]))])
        first, second = engine.run(part)
        firsts.append(first[:count])
        seconds.append(second[:count])
    return np.concatenate(firsts), np.concatenate(seconds)
