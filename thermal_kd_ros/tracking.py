"""Stable ids: greedy overlap matching with a constant-velocity prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import TrackingConfig
from .nms import iou_matrix


@dataclass
class _Track:
    id: int
    label: int
    box: np.ndarray
    velocity: np.ndarray
    """(4,) pixels a second of the box's corners."""
    stamp: float
    frame: int
    """Number of the update that saw it last."""

    def predicted(self, stamp: float) -> np.ndarray:
        return self.box + self.velocity * (stamp - self.stamp)


class Tracker:
    """Gives boxes of the same object the same id from frame to frame, one class at a time."""

    _GAIN = 0.5
    """Part of a new velocity that is believed; the rest is kept from before."""
    _FULL_GAIN_S = 0.03
    """Over less time than this a box's own noise would look like speed, so that as much less is believed: cameras that
    are stamped on arrival come in bursts."""
    _MOST_STILL = 30
    """Updates without the object after which its track is forgotten where the stamps stand still."""
    _PAUSE, _LONGEST_S = 3.0, 60.0
    """A gap of so many times the one before it, or of so many seconds, is no slow camera any more but a pause."""

    def __init__(self, config: TrackingConfig) -> None:
        self.config = config
        self._tracks: list[_Track] = []
        self._next = 0
        self._stamp = -np.inf
        self._gap = np.inf
        """Seconds between the last two updates at which time went on."""
        self._frame = 0
        self._moved = 0
        """Number of the last update at which time went on."""

    def update(self, boxes: np.ndarray, labels: np.ndarray, stamp: float) -> np.ndarray:
        """Ids (N,) int64 for boxes (N, 4) with labels (N,) at ``stamp`` seconds. Time that jumps back starts anew."""
        if stamp < self._stamp:
            self.forget()
        self._frame += 1
        # What was in the frame before was never missed, however slowly frames come.
        slow = stamp - self._stamp <= min(self._PAUSE * self._gap, self._LONGEST_S)
        if stamp != self._stamp:
            self._gap = stamp - self._stamp
            self._stamp, self._moved = stamp, self._frame
        self._tracks = [t for t in self._tracks
                        if ((slow and t.frame == self._frame - 1) or stamp - t.stamp <= self.config.max_missed_s)
                        and self._frame - max(t.frame, self._moved) <= self._MOST_STILL]
        ids = np.full(len(boxes), -1, np.int64)
        if len(boxes) and self._tracks:
            overlap = iou_matrix(np.array([t.predicted(stamp) for t in self._tracks]), boxes)
            overlap[np.array([t.label for t in self._tracks])[:, None] != labels[None, :]] = 0.0
            while overlap.size and overlap.max() >= self.config.match_iou:
                t, d = np.unravel_index(int(overlap.argmax()), overlap.shape)
                ids[d] = self._follow(self._tracks[t], boxes[d], stamp)
                overlap[t, :] = overlap[:, d] = 0.0
        for d in np.nonzero(ids < 0)[0]:
            ids[d] = self._next
            self._tracks.append(_Track(self._next, int(labels[d]), boxes[d].astype(np.float64), np.zeros(4), stamp,
                                       self._frame))
            self._next += 1
        return ids

    def forget(self) -> None:
        """Begin anew; ids go on, so that none is given twice."""
        self._tracks.clear()
        self._stamp, self._gap = -np.inf, np.inf

    def _follow(self, track: _Track, box: np.ndarray, stamp: float) -> int:
        elapsed = stamp - track.stamp
        if elapsed > 0:
            measured = (box - track.box) / elapsed
            gain = self._GAIN * min(1.0, elapsed / self._FULL_GAIN_S)
            track.velocity = (1 - gain) * track.velocity + gain * measured
        track.box, track.stamp, track.frame = box.astype(np.float64), stamp, self._frame
        return track.id
