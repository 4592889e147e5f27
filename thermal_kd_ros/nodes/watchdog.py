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
    """absent: nobody publishes; foreign: what is published are no images; silent: somebody does, nothing arrives;
    lossy: most frames are lost on the way; slow: fewer arrive than expected; stale: all that arrive are too old;
    ahead: all that arrive are stamped later than now."""
    text: str

    @property
    def nothing_came(self) -> bool:
        """Whether no frame came at all lately, so that nothing can be said of frames."""
        return self.kind in ("absent", "foreign", "silent")


@dataclass(frozen=True)
class _Sample:
    time: float
    received: int
    lost: int


def remapping(name: str, owner: str) -> str:
    """How a topic is remapped, whichever way the node was started; ``front/image`` is one of several cameras'."""
    _, several, argument = name.rpartition("/")
    naming = ", {camera} for the camera's name" if several else ""
    return (f"{argument}:=<topic of {owner}{naming}> for ros2 launch, "
            f"--ros-args -r {name}:=<topic of {owner}> for ros2 run")


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
            return Complaint("absent", f"nobody publishes on {self._topic}; start the camera, or remap the topic: "
                             f"{remapping(self._name, 'the camera')}")
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


class ClockWatch:
    """Notices that every frame is too old, or from the future, which points to a clock, not to a slow network."""

    _FRAMES = 15
    """So many such frames in a row, with no other between them, are not an accident."""
    _AHEAD_S = 0.5
    """Clocks of two machines that are kept together differ by less."""

    def __init__(self) -> None:
        self._kind, self._run = "", 0
        self.complaint: Complaint | None = None

    def restart(self) -> None:
        """What came before is of no interest any more."""
        self._kind, self._run, self.complaint = "", 0, None

    def check(self, topic: str, age_s: float | None, max_age_s: float) -> str:
        """Whether a frame of ``topic`` is ``stale``, ``ahead``, or as it should be: empty.

        ``age_s`` is None for a frame without a stamp; a ``max_age_s`` of 0 lets frames be of any age.
        """
        kind = ""
        if age_s is not None:
            kind = "stale" if 0.0 < max_age_s < age_s else "ahead" if age_s < -self._AHEAD_S else ""
        if not kind or kind != self._kind:
            self.restart()
        if kind:
            assert age_s is not None
            self._kind, self._run = kind, self._run + 1
            if self._run >= self._FRAMES:
                self.complaint = Complaint(kind, self._text(topic, age_s, max_age_s))
        return kind

    def _text(self, topic: str, age_s: float, max_age_s: float) -> str:
        if self._kind == "ahead":
            return (f"{topic}: {self._run} frames in a row are stamped later than now, the last by {-age_s:.1f} s. The "
                    "camera's clock is off (synchronise it), or use_sim_time is true and nobody publishes /clock; "
                    "max_age_s has no effect on such frames, and they fit no transform of the present")
        return (f"{topic}: {self._run} frames in a row are older than max_age_s = {max_age_s:g} s, the "
                f"last by {age_s:.1f} s. The camera's clock is off (synchronise it), or a recording is played without "
                "--clock and use_sim_time; setting max_age_s to 0 takes frames of any age")
