"""A recording through the pipeline, without ROS: every frame in its order, as by a node that is never late."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..frames import FrameError, ThermalFrame
from ..pipeline import ThermalPerception
from ..results import PerceptionResult
from ..stream import FrameReader
from .bags import BagReader, Record, header_stamp
from .recording import Recording
from .report import Answer, Playback

Answered = tuple[int, int, PerceptionResult]
"""Index of the frame, its header's stamp in nanoseconds, and what was found."""


def look_through(bag: BagReader, recording: Recording, perception: ThermalPerception, playback: Playback,
                 tell: Callable[[str, str], None]) -> Iterator[Answered]:
    """What is found in each frame of ``recording``, kept in ``playback`` too.

    Frames that the node would drop whatever its speed are counted there: ``bad`` and ``frozen``. ``tell`` is given what
    a user should know of the images, as a kind ("note", "warning") and a sentence. Raises BagError and EngineError.
    """
    config = perception.config
    reader = FrameReader(config.thermal, say=lambda text: tell("note", text), warn=lambda text: tell("warning", text))
    playback.drops.update(bad=0, frozen=0)
    for index, record in zip(range(len(recording.stamps)), bag.records([recording.image_topic]), strict=False):
        playback.frames += 1
        try:
            frame = _frame(bag, record, reader)
            if reader.passes_over(config.thermal):
                playback.drops["frozen"] += 1
                continue
            (result,) = perception.process([frame])
        except FrameError as error:
            playback.drops["bad"] += 1
            tell("warning", f"a frame is dropped: {error}")
            continue
        playback.answers[index] = Answer(result.detections, result.faces)
        yield index, header_stamp(record.data), result


def _frame(bag: BagReader, record: Record, reader: FrameReader) -> ThermalFrame:
    """A recorded image as the pipeline takes it; raises FrameError."""
    # As in the node, what carries no stamp is tracked by the time at which it came.
    stamp = header_stamp(record.data) or record.stamp_ns
    return reader.read_message(bag.message(record), stamp * 1e-9)
