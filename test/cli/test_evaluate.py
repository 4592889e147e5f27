"""A recording measured without ROS: what is found, what is counted, and what goes wrong on the way."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_kd_ros import __main__
from thermal_kd_ros.evaluation.bags import BagReader, BagWriter, Record, with_header_stamp

pytestmark = pytest.mark.ros

FRAMES = 12
EVERYTHING = ["--set", "detector.score_threshold=0.0", "--set", "detector.max_detections=5", "--set",
              "face.score_threshold=0.0", "--set", "face.max_faces=2", "--set", "face.min_landmark_confidence=0.0"]
"""Never trained networks are sure of nothing."""
WITHOUT_ROS = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rclpy", "sensor_msgs", "vision_msgs", "std_msgs"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
from thermal_kd_ros.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def evaluate(*arguments: Any) -> int:
    return __main__.main(["evaluate", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered recording with its truth."""
    pytest.importorskip("vision_msgs")
    from thermal_kd_ros.demo.recording import render

    path: Path = tmp_path_factory.mktemp("recording") / "rendered.mcap"
    render(path, FRAMES, 10.0, (320, 256), 0)
    return path


@pytest.fixture(scope="module")
def changed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a copy of the recording with other records: each goes through a function that gives those to write."""
    def copy(change: Callable[[int, Record], list[Record]]) -> Path:
        path: Path = tmp_path_factory.mktemp("changed") / "changed.mcap"
        with BagReader(recording) as bag, BagWriter(path) as output:
            counts = dict.fromkeys(bag.topics, 0)
            for record in bag.records(bag.topics):
                for written in change(counts[record.topic], record):
                    output.add(written)
                counts[record.topic] += 1
        return path

    return copy


def summary_of(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text())


def test_it_leaves_every_file_whole_and_answers_every_frame(recording: Path, tmp_path: Path, model_options: list[str],
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("overlay.mp4", "summary.json"):
        (tmp_path / name).write_text("old")
    assert evaluate(recording, "--out", tmp_path, *model_options, *EVERYTHING) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json", "overlay.mp4", "sheet.png",
                                                                "summary.json"]
    summary = summary_of(tmp_path)
    assert summary["frames_in"] == summary["results_out"] == FRAMES
    assert summary["drops"] == {"bad": 0, "frozen": 0} and summary["topic"] == "/thermal/image"
    assert 0.0 <= summary["map50"] < 0.05 and 0.0 <= summary["face_recall"] <= 1.0, "untrained networks find nothing"
    images = json.loads((tmp_path / "found.json").read_text())["images"]
    assert [image["frame"] for image in images] == list(range(FRAMES))
    assert images[3]["stamp"] == {"sec": 1_700_000_000, "nanosec": 300_000_000}
    assert all({"box", "score", "class", "track", "temperature"} <= one.keys()
               for image in images for one in image["detections"])
    assert sum(len(image["detections"]) for image in images) == sum(summary["detections"].values()) > 0
    assert sum(len(image["faces"]) for image in images) == summary["faces"]
    film = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES
    assert "results out" in capsys.readouterr().out


def test_it_needs_no_ros(recording: Path, repository: Path, model_options: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_ROS, "evaluate", str(recording), *model_options],
                          cwd=repository, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "mAP50" in done.stdout, done.stderr


def test_a_perfect_answer_measures_perfectly(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             model_options: list[str]) -> None:
    """With the truth put in the place of what the networks found."""
    from thermal_kd_ros.evaluation.recording import Recording
    from thermal_kd_ros.evaluation.report import IGNORE
    from thermal_kd_ros.evaluation.topics import TruthTopics
    from thermal_kd_ros.evaluation.truth import read_truth
    from thermal_kd_ros.pipeline import ThermalPerception
    from thermal_kd_ros.results import PerceptionResult

    with BagReader(recording) as bag:
        truths = read_truth(bag, Recording.of(bag, None, None, 1.0).headers, TruthTopics())
    assert len(truths) == FRAMES
    coming = itertools.count()

    def process(self: Any, frames: Any) -> Any:
        truth = truths[next(coming)]
        found = truth.detections
        kept = found.select(np.array([found.class_names[label] != IGNORE for label in found.labels], bool))
        return [PerceptionResult(kept, truth.faces, {}, frames[0])]

    monkeypatch.setattr(ThermalPerception, "process", process)
    assert evaluate(recording, "--out", tmp_path, *model_options) == 0
    summary = summary_of(tmp_path)
    assert summary["map50"] == summary["precision"] == summary["recall"] == 1.0
    assert summary["nme"] == 0.0 and summary["face_recall"] == summary["face_precision"] == 1.0


def test_frames_that_a_node_drops_are_counted(changed: Callable[..., Path], tmp_path: Path, model_options: list[str],
                                              capsys: pytest.CaptureFixture[str]) -> None:
    def change(index: int, record: Record) -> list[Record]:
        if record.topic != "/thermal/image":
            return [record]
        if index == 2:  # its last rows are missing: the encoding's name says four bytes a pixel
            return [Record(record.topic, record.type, record.stamp_ns, record.data.replace(b"mono16", b"32SC1\0"))]
        if index == 5:
            again = with_header_stamp(record.data, 1_700_000_000_550_000_000)
            return [record, Record(record.topic, record.type, record.stamp_ns + 50_000_000, again)]
        return [record]

    path = changed(change)
    assert evaluate(path, "--out", tmp_path, "--set", "thermal.frozen_policy=skip", *model_options) == 0
    summary = summary_of(tmp_path)
    assert summary["frames_in"] == FRAMES + 1 and summary["results_out"] == FRAMES - 1
    assert summary["drops"] == {"bad": 1, "frozen": 1}
    assert "a frame is dropped" in capsys.readouterr().err
    images = json.loads((tmp_path / "found.json").read_text())["images"]
    assert [image["frame"] for image in images] == [i for i in range(FRAMES + 1) if i not in (2, 6)]


def test_a_recording_without_truth_or_with_truth_elsewhere(changed: Callable[..., Path], tmp_path: Path,
                                                           model_options: list[str]) -> None:
    def rename(index: int, record: Record) -> list[Record]:
        return [Record(record.topic.replace("/thermal/truth/", "/labels/"), record.type, record.stamp_ns, record.data)]

    path = changed(rename)
    assert evaluate(path, "--frames", 3, "--no-faces", "--out", tmp_path / "a", *model_options) == 0
    summary = summary_of(tmp_path / "a")
    assert summary["map50"] is None and summary["frames_in"] == 3 and summary["faces"] == 0
    assert evaluate(path, "--truth-detections", "/labels/detections", "--truth-landmarks", "/labels/landmarks", "--out",
                    tmp_path / "b", *model_options) == 0
    assert summary_of(tmp_path / "b")["map50"] is not None and summary_of(tmp_path / "b")["face_recall"] is not None


def test_truth_that_cannot_be_used_is_named(recording: Path, changed: Callable[..., Path],
                                            model_options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import PointCloud2, PointField
    from vision_msgs.msg import Detection2D, Detection2DArray

    def with_other(topic: str, message: Any) -> Path:
        def change(index: int, record: Record) -> list[Record]:
            data = with_header_stamp(serialize_message(message), 1_700_000_000_000_000_000 + index * 100_000_000)
            return [Record(record.topic, record.type, record.stamp_ns, data if record.topic == topic else record.data)]

        return changed(change)

    classless = with_other("/thermal/truth/detections", Detection2DArray(detections=[Detection2D()]))
    foreign = with_other("/thermal/truth/landmarks", PointCloud2(fields=[PointField(name="range")]))
    for arguments, words in (((classless,), "has no result"), ((foreign,), "a cloud of range"),
                             ((recording, "--truth-detections", "/thermal/image"), "carries sensor_msgs/msg/Image"),
                             ((recording, "--truth-landmarks", "/nowhere"), "has no topic '/nowhere'")):
        assert evaluate(*arguments, *model_options) == 1
        said = capsys.readouterr().err
        assert words in said and len(said.splitlines()) == 1, said


def test_useless_recordings_are_named_and_nothing_is_left(recording: Path, tmp_path: Path, model_options: list[str],
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corrupt.mcap").write_bytes(recording.read_bytes()[:5000])
    (tmp_path / "text.txt").write_text("no recording")
    for name, words in (("corrupt.mcap", "mcap recover"), ("absent.mcap", "no such recording"),
                        ("text.txt", "not a recording")):
        assert evaluate(tmp_path / name, "--out", tmp_path / "out", *model_options) == 1
        said = capsys.readouterr().err
        assert name in said and words in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_recording_of_bad_images_alone_fails(changed: Callable[..., Path], tmp_path: Path, model_options: list[str],
                                               capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(lambda index, record: [Record(record.topic, record.type, record.stamp_ns,
                                                 record.data.replace(b"mono16", b"32SC1\0"))])
    assert evaluate(path, "--out", tmp_path, *model_options) == 1
    assert f"none of the {FRAMES} frames" in capsys.readouterr().err
    assert summary_of(tmp_path)["results_out"] == 0
    assert json.loads((tmp_path / "found.json").read_text()) == {"images": []}


def test_senseless_options_are_refused(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "sheet.png"
    taken.symlink_to(recording)
    for options in (["--frames", 0], ["--set", "x=1"], ["--out", tmp_path]):
        assert evaluate(recording, *options) == 2
        assert "error:" in capsys.readouterr().err
    assert recording.stat().st_size > 1000
