"""Recordings: reading MCAP files and rosbag2 folders, and writing MCAP. Needs no ROS to read.

Messages stay the bytes that were recorded (CDR) until somebody asks for their fields: a recording is played without
being taken apart.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compressed import decode_compressed
from ..frames import decode
from ..output import written_aside

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
RECORDINGS = (".mcap", ".db3")
"""What files of recordings end in."""


class BagError(RuntimeError):
    """A recording cannot be used; the message names the file, what is wrong and what to do."""


@dataclass(frozen=True)
class Record:
    """One recorded message."""

    topic: str
    type: str
    """As in ``sensor_msgs/msg/Image``."""
    stamp_ns: int
    """When it was recorded, nanoseconds."""
    data: bytes
    """The message in CDR."""


class BagReader:
    """A recording opened for reading; a context manager. Raises BagError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: Any = None

    def __enter__(self) -> BagReader:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore

        if not self.path.exists():
            raise BagError(f"{self.path}: there is no such recording; correct the path")
        if self.path.is_file() and self.path.suffix not in RECORDINGS:
            raise BagError(f"{self.path}: not a recording of ROS 2; give an .mcap file or a rosbag2 folder")
        if self.path.is_dir() and not (self.path / "metadata.yaml").is_file():
            raise BagError(f"{self.path}: a folder without metadata.yaml is no recording; {self._instead()}")
        with self._named("cannot be opened"):
            reader = AnyReader([self.path], default_typestore=get_typestore(Stores.ROS2_HUMBLE))
            reader.open()
        self._reader = reader
        return self

    def __exit__(self, *error: object) -> None:
        if self._reader is not None:
            self._reader.close()

    @property
    def topics(self) -> dict[str, str]:
        """{topic: message type}, sorted."""
        return {c.topic: c.msgtype for c in sorted(self._reader.connections, key=lambda c: c.topic)}

    def require(self, topic: str) -> None:
        """Raises BagError if the recording has not ``topic``."""
        if topic not in self.topics:
            raise BagError(f"{self.path}: has no topic '{topic}', only {_listed(self.topics)}")

    def image_topic(self, wanted: str | None = None) -> str:
        """The topic with thermal images: ``wanted``, or the only one, or the only one with "thermal" in its name.

        Raw or compressed, but raw ones where the same camera has both; compressed depth is none.
        """
        raw = [topic for topic, kind in self.topics.items() if kind == IMAGE_TYPE]
        images = raw + [topic for topic, kind in self.topics.items() if kind == COMPRESSED_TYPE
                        and topic.removesuffix("/compressed") not in raw and not topic.endswith("compressedDepth")]
        if wanted is not None and self.topics.get(wanted) == COMPRESSED_TYPE:
            return wanted
        if wanted is not None:
            if wanted not in images:
                raise BagError(f"{self.path}: has no images on '{wanted}'; image topics: {', '.join(images) or 'none'}")
            return wanted
        thermal = [topic for topic in images if "thermal" in topic]
        for found in (images, thermal):
            if len(found) == 1:
                return found[0]
        if not images:
            raise BagError(f"{self.path}: has no topic of {IMAGE_TYPE} or {COMPRESSED_TYPE}, only "
                           f"{_listed(self.topics)}; record the camera's images")
        raise BagError(f"{self.path}: has several image topics ({', '.join(images)}); choose one with --topic")

    def records(self, topics: Iterable[str]) -> Iterator[Record]:
        """The messages of ``topics`` in the order of recording."""
        wanted = set(topics)
        connections = [c for c in self._reader.connections if c.topic in wanted]
        if not connections:
            return
        with self._named("is damaged"):
            for connection, stamp, data in self._reader.messages(connections):
                yield Record(connection.topic, connection.msgtype, stamp, bytes(data))

    def message(self, record: Record) -> Any:
        """The fields of a record, named as in ROS; arrays are NumPy arrays. Raises BagError."""
        if record.type not in self._reader.typestore.fielddefs:
            self._learn(record.type)
        with self._named(f"has a message on {record.topic} that cannot be read"):
            return self._reader.deserialize(record.data, record.type)

    def _learn(self, kind: str) -> None:
        """Take the definition of a type from this machine: recordings of Humble in SQLite have none of their own."""
        from rosbags.typesys import get_types_from_msg

        try:
            text = message_definition(kind)
        except BagError as error:
            raise BagError(f"{self.path}: has {kind} without its definition, and {error}") from None
        self._reader.typestore.register(get_types_from_msg(text, kind))

    def _instead(self) -> str:
        """What to do with a folder that is no recording."""
        if files := sorted(path for suffix in RECORDINGS for path in self.path.glob(f"*{suffix}")):
            return f"give {files[0]}, or write it anew with 'ros2 bag reindex'"
        return "of images, give inspect one and demo the folder with --images"

    def _named(self, what: str) -> _Named:
        return _Named(f"{self.path}: {what}")


class _Named:
    """Turns whatever the reading libraries raise into a BagError; they have no common base."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, BagError):
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BagError(f"{self.what} ({first}); if the recording was cut off, repair it with "
                           "'mcap recover' or 'ros2 bag reindex', else copy it again") from error


def image_values(message: Any) -> np.ndarray:
    """Pixels (H, W) or (H, W, channels) of a sensor_msgs/Image or CompressedImage; raises FrameError."""
    return image_and_encoding(message)[0]


def image_and_encoding(message: Any) -> tuple[np.ndarray, str]:
    """``image_values`` with their encoding, which of a compressed image is that of its pixels."""
    if hasattr(message, "format"):
        return decode_compressed(message.data, message.format)
    return decode(message.data, message.height, message.width, message.encoding, message.step,
                  bool(message.is_bigendian)), str(message.encoding)


def header_stamp(data: bytes) -> int:
    """Nanoseconds of the header with which a CDR message begins."""
    seconds, nanoseconds = struct.unpack_from(_stamp_format(data), data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def with_header_stamp(data: bytes, stamp_ns: int) -> bytes:
    """The same CDR message with another stamp in the header with which it begins."""
    changed = bytearray(data)
    struct.pack_into(_stamp_format(data), changed, 4, *divmod(stamp_ns, 1_000_000_000))
    return bytes(changed)


def _stamp_format(data: bytes) -> str:
    # Bytes 0 to 3 are the representation, whose lowest bit says little endian; then the stamp.
    return "<iI" if data[1] & 1 else ">iI"


class BagWriter:
    """Writes an MCAP file with its schemas; a context manager, and the file appears when it ends well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}

    def __enter__(self) -> BagWriter:
        from mcap.writer import CompressionType, Writer

        with contextlib.ExitStack() as opened:
            file = opened.enter_context(opened.enter_context(written_aside(self._path)).open("wb"))
            self._writer = Writer(file, compression=CompressionType.LZ4)
            self._writer.start("ros2", "thermal_kd_ros")
            self._opened = opened.pop_all()
        return self

    def add(self, record: Record) -> None:
        """Append one message; raises BagError where the definition of its type is not installed."""
        if record.topic not in self._channels:
            if record.type not in self._schemas:
                text = message_definition(record.type).encode()
                self._schemas[record.type] = self._writer.register_schema(record.type, "ros2msg", text)
            self._channels[record.topic] = self._writer.register_channel(
                record.topic, "cdr", self._schemas[record.type])
        self._writer.add_message(self._channels[record.topic], record.stamp_ns, record.data, record.stamp_ns)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self._opened.__exit__(kind, error, trace)
            return
        with self._opened:
            # The end of the file is written here, and on closing; there is no file where that fails.
            self._writer.finish()


def message_definition(name: str) -> str:
    """The definition of a type with those of all types in it, as MCAP's ``ros2msg`` wants it; raises BagError."""
    texts = {name: _definition_file(name)}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for inner in _types_in(texts[current], current.partition("/")[0]):
            if inner not in texts:
                texts[inner] = _definition_file(inner)
                waiting.append(inner)
    parts = [texts.pop(name)]
    parts += [f"MSG: {inner.replace('/msg/', '/')}\n{text}" for inner, text in texts.items()]
    return ("\n" + "=" * 80 + "\n").join(parts)


_FIELD = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[a-z]\w*\s*(?:[^=\s].*)?$")
_PLAIN = {"bool", "byte", "char", "string", "wstring", *(f"float{n}" for n in (32, 64)),
          *(f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64))}


def _types_in(text: str, package: str) -> list[str]:
    """The message types that fields of a definition have."""
    found: list[str] = []
    for line in text.splitlines():
        match = _FIELD.match(line.partition("#")[0])
        if match is None or match[1] in _PLAIN:
            continue
        owner, _, name = match[1].rpartition("/")
        found.append(f"{owner.removesuffix('/msg') or package}/msg/{name}")
    return found


def _definition_file(name: str) -> str:
    """Text of the .msg file of a type, from the ROS installation or from this environment."""
    package, _, short = name.partition("/msg/")
    prefixes = [Path(entry) for entry in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    for prefix in (*prefixes, Path(sys.prefix)):
        path = prefix / "share" / package / "msg" / f"{short}.msg"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise BagError(f"the definition of {name} is not installed; install ros-<distribution>-{package.replace('_', '-')}")


def _listed(topics: dict[str, str]) -> str:
    return ", ".join(f"{topic} ({kind})" for topic, kind in topics.items()) or "nothing"
