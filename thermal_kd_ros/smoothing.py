"""Steadier landmarks: a One-Euro filter on every point of every tracked face.

Source: Casiez, Roussel, Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012. A low-pass whose cut-off rises with the speed: a face at rest does not tremble, a face that moves is
not left behind. Speeds are in face sizes a second, so that near and far faces are treated alike.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from .config import SmoothingConfig
from .results import FaceLandmarks


class OneEuro:
    """The filter of one array of values, all of its elements by themselves; times in seconds."""

    def __init__(self, value: np.ndarray, stamp: float) -> None:
        self.value = np.array(value, np.float64)
        self.speed: np.ndarray = np.zeros_like(self.value)
        """Filtered change a second."""
        self.stamp = stamp

    def update(self, value: np.ndarray, stamp: float, config: SmoothingConfig, size: float = 1.0) -> np.ndarray:
        """The filtered value after measuring ``value``, of the same shape, at ``stamp``.

        ``size`` is the unit of the speeds that raise the cut-off. A stamp that is not later changes nothing.
        """
        elapsed = stamp - self.stamp
        if elapsed <= 0:
            return self.value
        measured = (value - self.value) / elapsed
        self.speed = self.speed + _weight(config.derivative_cutoff_hz, elapsed) * (measured - self.speed)
        cutoff = config.min_cutoff_hz + config.speed_gain * np.abs(self.speed) / size
        self.value = self.value + _weight(cutoff, elapsed) * (value - self.value)
        self.stamp = stamp
        return self.value


def _weight(cutoff_hz: float | np.ndarray, elapsed: float) -> float | np.ndarray:
    """What a first-order low-pass with that cut-off takes of a new value after ``elapsed`` seconds."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * elapsed * cutoff_hz))


class LandmarkSmoother:
    """Filters the landmarks of one camera's faces, which are told apart by their track ids.

    A face without a track is passed through, as is one whose stamp is that of the frame before. A track that frames
    lacked for ``forget_s`` seconds starts anew, as does everything when time jumps back.
    """

    def __init__(self, config: SmoothingConfig, forget_s: float) -> None:
        self.config = config
        self.forget_s = forget_s
        self._filters: dict[int, OneEuro] = {}
        self._latest: frozenset[int] = frozenset()
        """Tracks of the frame before: their ids say that they were not missed, however slowly frames come."""

    def forget(self) -> None:
        """Begin anew with every face."""
        self._filters.clear()
        self._latest = frozenset()

    def update(self, faces: FaceLandmarks, stamp: float) -> FaceLandmarks:
        """The faces at ``stamp`` seconds with smoothed points; boxes, confidence and temperatures stay as they are."""
        self._filters = {track: kept for track, kept in self._filters.items() if stamp >= kept.stamp
                         and (track in self._latest or stamp - kept.stamp <= self.forget_s)}
        self._latest = frozenset(faces.track_ids.tolist())
        if not self.config.enabled:
            self._filters.clear()
            return faces
        points = faces.points.copy()
        for i, track in enumerate(faces.track_ids.tolist()):
            if track < 0:
                continue
            if track not in self._filters:
                self._filters[track] = OneEuro(points[i], stamp)
                continue
            if self._filters[track].stamp == stamp:
                # Stamps that stand still must not hold the points where the face once was.
                continue
            box = faces.boxes[i]
            size = max(float((box[2:] - box[:2]).max()), 1.0)
            points[i] = self._filters[track].update(points[i], stamp, self.config, size)
        return dataclasses.replace(faces, points=points)
