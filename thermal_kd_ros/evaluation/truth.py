"""The truth that a recording brings along for its images."""

from __future__ import annotations

from typing import Any

from ..reading import detections_from_message, landmarks_from_message
from ..results import FaceLandmarks
from .bags import BagError, BagReader, header_stamp
from .report import IGNORE, FrameTruth
from .topics import TruthTopics

TRUE_CLASSES = ("person", "car", "bicycle", IGNORE)
"""Classes that come first in the truth's labels; others follow as they come."""
_DETECTIONS_TYPE = "vision_msgs/msg/Detection2DArray"
_LANDMARKS_TYPE = "sensor_msgs/msg/PointCloud2"


def read_truth(bag: BagReader, stamps: dict[int, int], topics: TruthTopics) -> dict[int, FrameTruth]:
    """The truth by index of the frame; empty if the recording has none on ``topics``.

    ``stamps`` is {header stamp of the image: index}. Raises BagError for a truth that cannot be understood.
    """
    if topics.detections not in bag.topics:
        return {}
    for topic, kind in ((topics.detections, _DETECTIONS_TYPE), (topics.landmarks, _LANDMARKS_TYPE)):
        if bag.topics.get(topic, kind) != kind:
            raise BagError(f"{bag.path}: {topic} carries {bag.topics[topic]}, and truth is {kind}; name another topic")
    messages: dict[tuple[int, str], Any] = {}
    for record in bag.records([topics.detections, topics.landmarks]):
        index = stamps.get(header_stamp(record.data))
        if index is not None:
            messages[index, record.topic] = bag.message(record)
    return {index: _truth(bag, topics, index, message, messages.get((index, topics.landmarks)))
            for (index, topic), message in messages.items() if topic == topics.detections}


def _truth(bag: BagReader, topics: TruthTopics, index: int, detections: Any, cloud: Any) -> FrameTruth:
    try:
        faces = FaceLandmarks.empty("", 0) if cloud is None else landmarks_from_message(cloud, detections)
        return FrameTruth(detections_from_message(detections, TRUE_CLASSES), faces)
    except ValueError as error:
        named = topics.detections if cloud is None else f"{topics.detections} and {topics.landmarks}"
        raise BagError(f"{bag.path}: the truth of frame {index} on {named} cannot be used: {error}; docs/outputs.md "
                       "says what it must be") from None
