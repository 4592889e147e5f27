"""A recording of one camera: which topics it has, when its images were taken, and the images one by one."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from .bags import COMPRESSED_TYPE, BagError, BagReader, header_stamp


@dataclass(frozen=True)
class Recording:
    """What is known of a recording before its images are looked at."""

    image_topic: str
    compressed: bool
    """Whether its images are sensor_msgs/CompressedImage."""
    info_topic: str | None
    stamps: tuple[int, ...]
    """When each image was recorded, nanoseconds."""
    headers: dict[int, int]
    """{header stamp: index of the image}."""
    rate_hz: float

    @classmethod
    def of(cls, bag: BagReader, topic: str | None, limit: int | None, default_rate_hz: float) -> Recording:
        """Look through a recording; raises BagError."""
        images = bag.image_topic(topic)
        info = images.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
        stamps: list[int] = []
        headers: dict[int, int] = {}
        for record in bag.records([images]):
            if limit is not None and len(stamps) == limit:
                break
            headers.setdefault(header_stamp(record.data), len(stamps))
            stamps.append(record.stamp_ns)
        if not stamps:
            raise BagError(f"{bag.path}: has no message on {images}")
        steps = [b - a for a, b in zip(stamps, stamps[1:], strict=False) if b > a]
        rate = 1e9 / statistics.median(steps) if steps else default_rate_hz
        compressed = bag.topics[images] == COMPRESSED_TYPE
        return cls(images, compressed, info if info in bag.topics else None, tuple(stamps), headers, rate)

    @property
    def seconds(self) -> float:
        """How long it is, the last frame's time included."""
        return (self.stamps[-1] - self.stamps[0]) * 1e-9 + 1.0 / self.rate_hz

    def frames(self, bag: BagReader) -> Iterator[tuple[int, bytes, bytes | None]]:
        """(index, image, camera_info) of every frame; the camera_info is the latest before it."""
        index, info = 0, None
        for record in bag.records([self.image_topic, *([self.info_topic] if self.info_topic else [])]):
            if record.topic != self.image_topic:
                info = record.data
            elif index < len(self.stamps):
                yield index, record.data, info
                index += 1
