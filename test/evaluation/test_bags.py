"""Recordings: what is written is read again, stamps can be changed in place, and damage is named."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from thermal_kd_ros.evaluation.bags import (
    COMPRESSED_TYPE,
    BagError,
    BagReader,
    BagWriter,
    Record,
    header_stamp,
    image_and_encoding,
    image_values,
    message_definition,
    with_header_stamp,
)

STORE = get_typestore(Stores.ROS2_HUMBLE)
IMAGE = "sensor_msgs/msg/Image"
VALUES = np.arange(12, dtype=np.uint16).reshape(3, 4) + 30000


def image(seconds: int = 5, nanoseconds: int = 7) -> bytes:
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="thermal")
    message = types[IMAGE](header=header, height=3, width=4, encoding="mono16", is_bigendian=0, step=8,
                           data=VALUES.view(np.uint8).reshape(-1))
    return bytes(STORE.serialize_cdr(message, IMAGE))


def compressed() -> bytes:
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](sec=5, nanosec=7)
    message = types[COMPRESSED_TYPE](header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="thermal"),
                                     format="mono16; png compressed mono16",
                                     data=cv2.imencode(".png", VALUES)[1].reshape(-1))
    return bytes(STORE.serialize_cdr(message, COMPRESSED_TYPE))


def text(words: str) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types["std_msgs/msg/String"](data=words), "std_msgs/msg/String"))


def definitions_are_installed() -> bool:
    try:
        return bool(message_definition(IMAGE))
    except BagError:
        return False


needs_definitions = pytest.mark.skipif(not definitions_are_installed(), reason="message definitions are not installed")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "some" / "recording.mcap"
    with BagWriter(path) as bag:
        for i in range(5):
            bag.add(Record("/thermal/image", IMAGE, 1000 + i, image(i)))
            bag.add(Record("/words", "std_msgs/msg/String", 1000 + i, text(f"word {i}")))
    return path


@needs_definitions
def test_a_recording_is_read_as_it_was_written(recording: Path) -> None:
    with BagReader(recording) as bag:
        assert bag.topics == {"/thermal/image": IMAGE, "/words": "std_msgs/msg/String"}
        assert bag.image_topic() == "/thermal/image"
        records = list(bag.records(["/thermal/image"]))
        assert [record.stamp_ns for record in records] == [1000, 1001, 1002, 1003, 1004]
        assert records[3].data == image(3)
        assert (image_values(bag.message(records[0])) == VALUES).all()
        assert [bag.message(record).data for record in bag.records(["/words"])] == [f"word {i}" for i in range(5)]
        assert list(bag.records(["/absent"])) == []


@needs_definitions
@pytest.mark.parametrize(("topics", "chosen"), [
    ({"/thermal/image/compressed": COMPRESSED_TYPE}, "/thermal/image/compressed"),
    ({"/thermal/image": IMAGE, "/thermal/image/compressed": COMPRESSED_TYPE}, "/thermal/image"),
    ({"/rgb/image": IMAGE, "/thermal/image/compressed": COMPRESSED_TYPE}, "/thermal/image/compressed"),
    ({"/thermal/image": IMAGE, "/depth/image/compressedDepth": COMPRESSED_TYPE}, "/thermal/image"),
    ({"/a/image": IMAGE, "/b/image/compressed": COMPRESSED_TYPE}, ""),
])
def test_compressed_images_are_images_too(tmp_path: Path, topics: dict[str, str], chosen: str) -> None:
    with BagWriter(tmp_path / "r.mcap") as bag:
        for i, (topic, kind) in enumerate(topics.items()):
            bag.add(Record(topic, kind, i, image() if kind == IMAGE else compressed()))
    with BagReader(tmp_path / "r.mcap") as bag:
        if chosen:
            assert bag.image_topic() == chosen
        else:
            with pytest.raises(BagError, match="several image topics.*/b/image/compressed.*--topic"):
                bag.image_topic()
        for topic in topics:
            if not topic.endswith("compressedDepth"):
                assert bag.image_topic(topic) == topic
                values, encoding = image_and_encoding(bag.message(next(bag.records([topic]))))
                assert (values == VALUES).all() and values.dtype == np.uint16 and encoding == "mono16"


@pytest.fixture
def without_definitions(tmp_path: Path) -> Path:
    """A recording as Humble makes it: SQLite, and no definition of any type."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(_VISION_CLASS, "vision_msgs/msg/VisionClass"))
    kind = store.types["vision_msgs/msg/VisionClass"]
    with Writer(tmp_path / "humble", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection("/class", kind.__msgtype__, typestore=store)
        writer.write(connection, 1000, store.serialize_cdr(kind(class_id=7, class_name="person"), kind.__msgtype__))
    with contextlib.closing(sqlite3.connect(tmp_path / "humble" / "humble.db3")) as database:
        database.execute("delete from message_definitions")
        database.commit()
    return tmp_path / "humble"


_VISION_CLASS = "uint16 class_id\nstring class_name\n"


@needs_definitions
def test_a_type_that_a_recording_does_not_define_is_known_from_this_machine(without_definitions: Path) -> None:
    message_definition("vision_msgs/msg/VisionClass")
    with BagReader(without_definitions) as bag:
        message = bag.message(next(bag.records(["/class"])))
        assert (message.class_id, message.class_name) == (7, "person")


def test_a_type_that_nobody_defines_is_named(without_definitions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    monkeypatch.setattr("sys.prefix", str(without_definitions))
    with BagReader(without_definitions) as bag, pytest.raises(BagError, match="install ros-<distribution>-vision-msgs"):
        bag.message(next(bag.records(["/class"])))


@needs_definitions
def test_the_schemas_are_those_that_other_readers_need(recording: Path) -> None:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    with recording.open("rb") as file:
        decoded = [(channel.topic, message) for _, channel, _, message in
                   make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages()]
    images = [message for topic, message in decoded if topic == "/thermal/image"]
    assert len(images) == 5 and images[2].header.stamp.sec == 2 and bytes(images[2].data) == VALUES.tobytes()


@needs_definitions
def test_definitions_carry_every_type_in_them_once() -> None:
    parts = message_definition("sensor_msgs/msg/PointCloud2").split("=" * 80)
    names = sorted(part.strip().splitlines()[0] for part in parts[1:])
    assert names == ["MSG: builtin_interfaces/Time", "MSG: sensor_msgs/PointField", "MSG: std_msgs/Header"]
    with pytest.raises(BagError, match="no-such-msgs"):
        message_definition("no_such_msgs/msg/Nothing")


@needs_definitions
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), BagWriter(tmp_path / "half.mcap") as bag:
        bag.add(Record("/thermal/image", IMAGE, 1, image()))
        raise RuntimeError("on purpose")
    assert list(tmp_path.iterdir()) == []


@needs_definitions
def test_a_full_disk_leaves_no_half_recording(
        tmp_path: Path, little_room: Callable[[], AbstractContextManager[None]]) -> None:
    # Messages wait in memory for the end of their chunk, so that the disk is full only when the recording is finished.
    with pytest.raises(OSError), little_room(), BagWriter(tmp_path / "full.mcap") as bag:
        for i in range(40):
            bag.add(Record("/words", "std_msgs/msg/String", i, np.random.default_rng(i).bytes(400)))
    assert list(tmp_path.iterdir()) == []


def test_a_rosbag2_folder_is_read_too(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=8) as writer:
        connection = writer.add_connection("/camera/image_raw", IMAGE, typestore=STORE)
        writer.write(connection, 42, image())
    with BagReader(tmp_path / "bag") as bag:
        record = next(bag.records([bag.image_topic()]))
        assert (record.stamp_ns, record.data) == (42, image())


def test_a_stamp_is_changed_and_nothing_else() -> None:
    data = image(5, 7)
    assert header_stamp(data) == 5_000_000_007
    changed = with_header_stamp(data, 1_700_000_000_123_456_789)
    assert header_stamp(changed) == 1_700_000_000_123_456_789
    assert changed[12:] == data[12:] and len(changed) == len(data)
    big = bytes([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7]) + b"rest"
    assert header_stamp(big) == 5_000_000_007
    assert with_header_stamp(big, 6_000_000_001) == bytes([0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1]) + b"rest"


def fails(path: Path, then: Any = None) -> str:
    with pytest.raises(BagError) as error, BagReader(path) as bag:
        (then or (lambda bag: list(bag.records(bag.topics))))(bag)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_that_is_no_recording_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    message = fails(tmp_path)
    assert "without metadata.yaml is no recording" in message and "--images" in message and "recover" not in message
    (tmp_path / "a_0.mcap").write_bytes(b"")
    assert f"give {tmp_path / 'a_0.mcap'}" in fails(tmp_path)


def test_useless_files_are_named(tmp_path: Path) -> None:
    assert "no such recording" in fails(tmp_path / "absent.mcap")
    for name, data in {"empty.mcap": b"", "text.mcap": b"hello", "movie.avi": b"RIFF", "x.db3": b"no"}.items():
        (tmp_path / name).write_bytes(data)
        fails(tmp_path / name)
    (tmp_path / "folder").mkdir()
    fails(tmp_path / "folder")


@needs_definitions
@pytest.mark.parametrize("part", (0.1, 0.5, 0.95))
def test_a_cut_recording_is_named_with_the_remedy(recording: Path, part: float) -> None:
    data = recording.read_bytes()
    recording.write_bytes(data[: int(part * len(data))])
    assert "mcap recover" in fails(recording)


@needs_definitions
def test_damage_in_the_middle_is_named(recording: Path) -> None:
    data = bytearray(recording.read_bytes())
    at = len(data) // 4
    data[at : at + 200] = bytes(200)
    recording.write_bytes(data)
    fails(recording)


@needs_definitions
def test_the_image_topic_must_be_clear(tmp_path: Path) -> None:
    def write(*topics: tuple[str, str, bytes]) -> Path:
        path = tmp_path / "bag.mcap"
        with BagWriter(path) as bag:
            for topic, kind, data in topics:
                bag.add(Record(topic, kind, 1, data))
        return path

    path = write(("/words", "std_msgs/msg/String", text("a")))
    assert "/words" in fails(path, lambda bag: bag.image_topic())
    path = write(("/left/image", IMAGE, image()), ("/right/image", IMAGE, image()))
    assert "--topic" in fails(path, lambda bag: bag.image_topic())
    assert "/left/image" in fails(path, lambda bag: bag.image_topic("/middle/image"))
    path = write(("/thermal/image", IMAGE, image()), ("/colour/image", IMAGE, image()))
    with BagReader(path) as bag:
        assert bag.image_topic() == "/thermal/image"
        assert bag.image_topic("/colour/image") == "/colour/image"
