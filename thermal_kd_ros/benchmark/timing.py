"""Times, and what is said of them. Needs no ROS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PERCENTILES = (50, 95, 99)


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Percentiles p50, p95, p99 and the number of samples; NaN percentiles of none."""
    found = np.percentile(samples, PERCENTILES) if len(samples) else np.full(len(PERCENTILES), np.nan)
    return {**{f"p{p}": float(value) for p, value in zip(PERCENTILES, found, strict=True)}, "count": len(samples)}


def trimmed_mean(values: Sequence[float]) -> float:
    """The mean without the best and the worst value, where there are more than two; NaN of none."""
    ordered = sorted(values)
    kept = ordered[1:-1] if len(ordered) > 2 else ordered
    return float(np.mean(kept)) if kept else float("nan")


def trimmed(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The trimmed mean of each figure over several runs; a figure that some run lacks is left out."""
    shared = set.intersection(*(set(run) for run in runs)) if runs else set()
    return {name: trimmed_mean([run[name] for run in runs]) for name in (runs[0] if runs else ()) if name in shared}


class Times(NamedTuple):
    """Milliseconds of each call."""

    wall: list[float]
    cpu: list[float]
    """CPU time of the whole process, which other programs do not lengthen; it says nothing of a GPU."""


def interleaved(cases: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 2,
                progress: Callable[[], Any] = lambda: None) -> dict[str, Times]:
    """Times of each case, the cases taking turns, so that a busy machine slows them all alike.

    Every round begins with another case. ``progress`` is called after each round.
    """
    names = list(cases)
    times = {name: Times([], []) for name in names}
    for number in range(-warm_up, rounds):
        for i in range(len(names)):
            name = names[(i + number) % len(names)]
            began, used = time.perf_counter(), time.process_time()
            cases[name]()
            elapsed, used = time.perf_counter() - began, time.process_time() - used
            if number >= 0:
                times[name].wall.append(1e3 * elapsed)
                times[name].cpu.append(1e3 * used)
        if number >= 0:
            progress()
    return times


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """How many times longer ``of`` takes than ``to``: the median over rounds in which both were measured in turn."""
    return float(np.median(np.asarray(of) / np.asarray(to)))
