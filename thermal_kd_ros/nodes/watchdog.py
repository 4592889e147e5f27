"""Notices that a camera's frames do not arrive, which ROS 2 itself never says. Needs no ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_FEW = 4
"""So many lost frames are no reason to complain: some are lost whenever a camera and a node meet."""


@dataclass(frozen=True)
class Complaint:
    """What is wrong with the input."""

    kind: str
    """absent: nobody publishes; silent: somebody does, nothing arrives; lossy: most frames are lost on the way;
    slow: fewer arrive than expected; stale: all that arrive are too old."""
    text: str

    @property
    def nothing_came(self) -> bool:
        """Whether no frame came at all lately, so that nothing can be said of frames."""
        return self.kind in ("absent", "silent")


@dataclass(frozen=True)
class _Sample:
    time: float
    received: int
    lost: int


class InputWatch:
    """Judges, from counts sampled every second or so, whether frames arrive as they should."""

    def __init__(self, topic: str, remedy: str, name: str = "image") -> None:
        """``name`` is the topic's name before it was resolved, by which it is remapped."""
        self._topic = topic
        self._name = name
        self._remedy = remedy
        self._samples: deque[_Sample] = deque()
        self._matched = False

    def check(self, now: float, publishers: int, received: int, lost: int, silence_s: float, expected_hz: float
              ) -> Complaint | None:
        """The complaint at ``now`` seconds, from the number of publishers and the total frames received and lost."""
        if (publishers > 0) != self._matched:
            # Whoever has just come, or gone, is judged by what happens from now on.
            self._matched = publishers > 0
            self._samples.clear()
        self._samples.append(_Sample(now, received, lost))
        while len(self._samples) > 2 and self._samples[1].time <= now - silence_s:
            self._samples.popleft()
        oldest = self._samples[0]
        period = now - oldest.time
        if period < silence_s:
            return None
        came, missed = received - oldest.received, lost - oldest.lost
        if came == 0 and not self._matched:
            return Complaint("absent", f"nobody publishes on {self._topic}; start the camera, or remap the topic with "
                             f"-r {self._name}:=<the camera's topic>")
        if missed > max(came, _FEW):
            return Complaint("lossy", f"{self._topic}: {missed} of {missed + came} frames were lost on the way in the "
                             f"last {period:.0f} s. {self._remedy}")
        if came == 0:
            return Complaint("silent", f"{self._topic} has {publishers} publisher(s), but no frame came for "
                             f"{period:.0f} s: the camera is silent, or its frames are lost. {self._remedy}")
        if expected_hz > 0.0 and came < 0.5 * expected_hz * period:
            return Complaint("slow", f"{self._topic}: {came / period:.1f} frames/s arrive, but expected_rate_hz is "
                             f"{expected_hz:g}: the camera is slow, or its frames are lost. {self._remedy}")
        return None


class StaleWatch:
    """Notices that every frame is too old, which points to a clock, not to a slow network."""

    _FRAMES = 15
    """So many stale frames in a row, with no other between them, are not an accident."""

    def __init__(self) -> None:
        self._run = 0
        self.complaint: Complaint | None = None

    def fresh(self) -> None:
        """A frame was young enough."""
        self._run, self.complaint = 0, None

    def stale(self, topic: str, age_s: float, max_age_s: float) -> None:
        """A frame of ``topic`` was too old."""
        self._run += 1
        if self._run >= self._FRAMES:
            self.complaint = Complaint(
                "stale", f"{topic}: {self._run} frames in a row are older than max_age_s = {max_age_s:g} s, the "
                f"last by {age_s:.1f} s. The camera's clock is off (synchronise it), or a recording is played without "
                "--clock and use_sim_time; setting max_age_s to 0 takes frames of any age")
