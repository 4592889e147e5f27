"""What a node counts and times. Needs no ROS."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

DROP_REASONS = ("superseded", "stale", "rate", "bad", "frozen", "failed", "inactive")
"""superseded: a newer frame came while this one waited; stale: older than max_age_s; rate: above max_rate_hz; bad: the
image cannot be used; frozen: the image repeats the one before it, and thermal.frozen_policy is skip; failed: the
pipeline raised an error; inactive: the node was not active."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the counters at one moment. Counts are since the node was configured."""

    received: int
    published: int
    dropped: dict[str, int]
    rate_in_hz: float
    rate_out_hz: float
    latency_ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """(p50, p95) of each stage over the last frames; ``total`` is from the callback to the last message published,
    ``age`` from the header's stamp to there, ``overhead`` that without the stages of the pipeline."""


class StreamStatistics:
    """Counts and times of one stream of frames; every method may be called from any thread."""

    SAMPLES = 300
    """Percentiles are over so many frames: ten seconds of most cameras."""

    def __init__(self, window_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._window = window_s
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self._began = self._clock()
            self._received = self._published = 0
            self._dropped: Counter[str] = Counter()
            self._arrivals: deque[float] = deque()
            self._departures: deque[float] = deque()
            self._times: dict[str, deque[float]] = {}

    def receive(self) -> None:
        """A frame has come."""
        with self._lock:
            self._received += 1
            self._arrivals.append(self._clock())
            self._forget(self._arrivals)

    def drop(self, reason: str) -> None:
        """A frame will not be answered; ``reason`` is one of DROP_REASONS."""
        with self._lock:
            self._dropped[reason] += 1

    def publish(self, times_ms: Mapping[str, float]) -> None:
        """A frame was answered; its times in milliseconds by stage."""
        with self._lock:
            self._published += 1
            self._departures.append(self._clock())
            self._forget(self._departures)
            for name, value in times_ms.items():
                self._times.setdefault(name, deque(maxlen=self.SAMPLES)).append(value)

    def snapshot(self) -> Snapshot:
        """The state now."""
        with self._lock:
            for times in (self._arrivals, self._departures):
                self._forget(times)
            elapsed = max(1e-3, min(self._window, self._clock() - self._began))
            return Snapshot(
                self._received, self._published, {reason: self._dropped[reason] for reason in DROP_REASONS},
                len(self._arrivals) / elapsed, len(self._departures) / elapsed,
                {name: tuple(float(v) for v in np.percentile(times, (50, 95)))  # type: ignore[misc]
                 for name, times in self._times.items()})

    def _forget(self, times: deque[float]) -> None:
        oldest = self._clock() - self._window
        while times and times[0] < oldest:
            times.popleft()


class RateLimit:
    """Lets at most so many frames a second through, on average exactly so many where more come."""

    def __init__(self) -> None:
        self._due = -np.inf

    def allows(self, now: float, rate_hz: float) -> bool:
        """Whether a frame at ``now`` seconds may pass; 0 is no limit."""
        if rate_hz <= 0.0:
            return True
        period = 1.0 / rate_hz
        # What is due later than in one period was planned at a lower rate than the present one.
        if now < self._due <= now + period:
            return False
        # Counting from when the frame was due keeps the average; but a pause must not save up frames.
        self._due = (self._due if 0.0 <= now - self._due < period else now) + period
        return True


class Throttle:
    """Lets a text through at most once in a period; texts that differ only in numbers are the same one."""

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = period_s
        self._clock = clock
        self._last: dict[str, float] = {}

    def allows(self, text: str) -> bool:
        """Whether ``text`` may be said now."""
        key = "".join(c for c in text if not c.isdigit())
        now = self._clock()
        if now - self._last.get(key, -np.inf) < self._period:
            return False
        self._last[key] = now
        return True
