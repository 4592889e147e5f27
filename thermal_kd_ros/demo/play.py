"""One play of a recording: how fast the node is, the frames in their own rhythm, and the answers to them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import PointCloud2
from tqdm import tqdm
from vision_msgs.msg import Detection2DArray, LabelInfo

from ..evaluation.bags import BagReader, header_stamp
from ..evaluation.recording import Recording
from ..evaluation.report import FACE, Answer, Playback
from ..nodes.diagnostics import values_from_message
from ..reading import detections_from_message, landmarks_from_message
from .errors import DemoError
from .node_process import NodeProcess
from .player import DETECTIONS, DIAGNOSTICS, LABELS, LANDMARKS, Player

_RESEND_S = 2.0
_SHARE = 0.8
"""A slower play has at most this part of the rate at which the node answered in the one before."""
_SLOWEST = 4.0
"""A slower play lasts at most so many times as long as the recording ..."""
_LONGEST_S = 120.0
"""... or so long, if that is longer."""


def wait_until_active(player: Player, node: NodeProcess, timeout_s: float) -> None:
    """Wait for the node's latched labels and its diagnostics to say active; raises DemoError."""
    deadline = time.monotonic() + timeout_s

    def ready() -> bool:
        node.check()
        state = diagnostics(player)
        if "cannot be configured" in state.get("message", ""):
            raise DemoError(f"the node {state['message']}")
        return bool(player.received(LABELS)) and state.get("state") == "active" and player.camera_is_matched()

    if not player.wait(ready, max(0.0, deadline - time.monotonic())):
        raise DemoError(f"the node was not active after {timeout_s:.0f} s; raise --startup-timeout if this machine is "
                        f"slow. Its last words:\n{node.last_words()}")


def wait_until_answering(player: Player, node: NodeProcess, recording: Recording, bag: BagReader, timeout_s: float
                         ) -> None:
    """Send the first frame until the node answers it: what is sent before they have met is lost. Raises DemoError."""
    _, image, info = next(recording.frames(bag))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        stamp = player.send(image, info)

        def answered(sent: int = stamp) -> bool:
            node.check()
            return player.arrival(sent) is not None

        if player.wait(answered, _RESEND_S):
            return
    raise DemoError(f"the node did not answer a frame within {timeout_s:.0f} s. Its last words:\n{node.last_words()}")


def slower_rate(rate_hz: float, played: Playback, recording: Recording) -> float | None:
    """The rate of another play, after one at ``rate_hz`` in which too few frames were answered; None if none is left.

    Half of it, or less where the node answered even fewer frames a second: it takes the newest frame whenever it can,
    so what it answered is what it is able to. Bounded, so that a machine that is much too slow does not play for hours.
    """
    answered_hz = len(played.answers) / played.duration_s if played.duration_s > 0.0 else 0.0
    slowest = recording.rate_hz / max(_SLOWEST, _LONGEST_S / recording.seconds)
    slower = max(min(rate_hz / 2, _SHARE * answered_hz), slowest)
    return slower if slower < rate_hz else None


def play(player: Player, node: NodeProcess, recording: Recording, bag: BagReader, rate_hz: float) -> Playback:
    """Send every frame when its time has come, then wait for the answers. Raises DemoError if the node dies."""
    before = _next_diagnostics(player, node)
    slower = recording.rate_hz / rate_hz
    sent: dict[int, int] = {}
    began = time.monotonic()
    with tqdm(total=len(recording.stamps), desc=f"play at {rate_hz:.1f} Hz", unit="frame", disable=None) as bar:
        for index, image, info in recording.frames(bag):
            due = began + (recording.stamps[index] - recording.stamps[0]) * 1e-9 * slower
            time.sleep(max(0.0, due - time.monotonic()))
            node.check()
            sent[player.send(image, info)] = index
            bar.update()
    _wait_for_answers(player, node, list(sent))
    answers = _answers(player, sent)
    arrivals = [t for t in map(player.arrival, sent) if t is not None]
    after = _next_diagnostics(player, node)
    duration = (max(arrivals) - min(sent)) * 1e-9 if arrivals else 0.0
    return Playback(len(sent), answers, _drops(before, after, len(sent)), duration)


def _wait_for_answers(player: Player, node: NodeProcess, stamps: list[int]) -> None:
    """Until all are there, or no further one comes for a while."""
    missing = set(stamps)
    while missing:
        count = len(missing)

        def progress(before: int = count) -> bool:
            node.check()
            missing.difference_update([stamp for stamp in missing if player.arrival(stamp) is not None])
            return len(missing) < before

        if not player.wait(progress, 3.0):
            return


def _answers(player: Player, sent: Mapping[int, int]) -> dict[int, Answer]:
    names = class_names(player)
    clouds = {header_stamp(record.data): record.data for record in player.received(LANDMARKS)}
    found: dict[int, Answer] = {}
    for record in player.received(DETECTIONS):
        stamp = header_stamp(record.data)
        arrival = player.arrival(stamp)
        if stamp not in sent or arrival is None:
            continue
        message = deserialize_message(record.data, Detection2DArray)
        faces = landmarks_from_message(deserialize_message(clouds[stamp], PointCloud2), message)
        found[sent[stamp]] = Answer(detections_from_message(message, names), faces, (arrival - stamp) * 1e-6)
    return found


def class_names(player: Player) -> tuple[str, ...]:
    """The classes of objects that the node named on ``label_info``."""
    labels = deserialize_message(player.received(LABELS)[-1].data, LabelInfo)
    return tuple(entry.class_name for entry in labels.class_map if entry.class_name != FACE)


def diagnostics(player: Player) -> dict[str, str]:
    """The latest state of the node of this demo; empty before the first."""
    for record in reversed(player.received(DIAGNOSTICS)):
        message = deserialize_message(record.data, DiagnosticArray)
        values = values_from_message(message, f"{player.namespace.strip('/')}/")
        if values is not None:
            return values
    return {}


def _next_diagnostics(player: Player, node: NodeProcess) -> dict[str, str]:
    """A state that the node gave after this call; the latest one if none comes."""
    known = len(player.received(DIAGNOSTICS))

    def newer() -> bool:
        node.check()
        return len(player.received(DIAGNOSTICS)) > known

    player.wait(newer, 5.0)
    return diagnostics(player)


def _drops(before: Mapping[str, Any], after: Mapping[str, Any], sent: int) -> dict[str, int]:
    """Frames without an answer by reason; ``lost``: they never reached the node."""
    word = "dropped "
    drops = {key.removeprefix(word): int(after[key]) - int(before.get(key, 0)) for key in after if key.startswith(word)}
    if "frames received" in after:
        received = int(after["frames received"]) - int(before.get("frames received", 0))
        drops["lost"] = max(0, sent - received)
    return drops
