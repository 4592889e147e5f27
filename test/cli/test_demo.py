"""The demo: a short recording through the real node in its own process, and what goes wrong on the way."""

from __future__ import annotations

import array
import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_kd_ros import __main__
from thermal_kd_ros.evaluation.bags import (
    COMPRESSED_TYPE,
    BagReader,
    BagWriter,
    Record,
    header_stamp,
    image_values,
    with_header_stamp,
)

pytestmark = pytest.mark.ros

FILES = ["input.mcap", "node.log", "output.mcap", "overlay.mp4", "sheet.png", "summary.json"]


def demo(*arguments: Any) -> int:
    return __main__.main(["demo", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, model_options: list[str]) -> Path:
    """The folder that a demo with a rendered recording of 40 frames left."""
    out: Path = tmp_path_factory.mktemp("demo") / "out"
    code = demo("--frames", 40, "--size", "320x256", "--out", out, "--set", "detector.score_threshold=0.0",
                "--set", "detector.max_detections=5", "--set", "face.score_threshold=0.0", "--set", "face.max_faces=2",
                "--set", "face.min_landmark_confidence=0.0",
                *model_options)
    assert code == 0
    return out


def test_the_topics_of_the_truth_are_named_where_recordings_are_described(repository: Path) -> None:
    from thermal_kd_ros.evaluation.topics import TruthTopics

    topics = TruthTopics()
    (paragraph,) = [part for part in (repository / "README.md").read_text().split("\n\n") if "make demo BAG=" in part]
    assert f"`{topics.detections}`" in paragraph and f"`{topics.landmarks}`" in paragraph


def test_it_leaves_every_file_whole(rendered: Path) -> None:
    assert sorted(path.name for path in rendered.iterdir()) == FILES
    sheet = cv2.imread(str(rendered / "sheet.png"))
    assert sheet is not None and sheet.shape[1] > 4 * 320
    film = cv2.VideoCapture(str(rendered / "overlay.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == 40
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0, abs=0.1)


def test_the_summary_says_what_happened(rendered: Path) -> None:
    summary = json.loads((rendered / "summary.json").read_text())
    assert summary["frames_in"] == 40 and 38 <= summary["results_out"] <= 40
    assert sum(summary["drops"].values()) >= 40 - summary["results_out"]
    assert {"superseded", "stale", "bad", "lost"} <= summary["drops"].keys()
    latency = summary["latency_ms"]
    assert 0.0 < latency["p50"] <= latency["p95"] <= latency["p99"] < 5000.0
    assert 0.0 < summary["fps"] < 15.0 and 0.0 < summary["realtime_factor"] <= 1.0
    assert summary["recorded_rate_hz"] == pytest.approx(10.0, rel=0.01)
    assert 0 < sum(summary["detections"].values()) <= 5 * 40 and summary["faces"] > 0
    assert 0.0 <= summary["map50"] < 0.05 and 0.0 <= summary["face_recall"] <= 1.0, "untrained networks find nothing"


@pytest.mark.slow
def test_the_shipped_detector_finds_what_the_recording_shows(rendered: Path, tmp_path: Path) -> None:
    # A busy machine may leave frames unanswered, which is no failure here, but counts against the accuracy.
    assert demo("--bag", rendered / "input.mcap", "--out", tmp_path, "--no-faces") in (0, 1)
    assert json.loads((tmp_path / "summary.json").read_text())["map50"] > 0.15


def test_the_recording_holds_radiometric_images_and_truth(rendered: Path) -> None:
    with BagReader(rendered / "input.mcap") as bag:
        assert bag.topics == {
            "/thermal/camera_info": "sensor_msgs/msg/CameraInfo",
            "/thermal/image": "sensor_msgs/msg/Image",
            "/thermal/truth/detections": "vision_msgs/msg/Detection2DArray",
            "/thermal/truth/landmarks": "sensor_msgs/msg/PointCloud2",
        }
        images = [bag.message(record) for record in bag.records(["/thermal/image"])]
        assert len(images) == 40
        assert {(image.encoding, image.width, image.height) for image in images} == {("mono16", 320, 256)}
        values = np.asarray(images[20].data).view(np.uint16)
        assert -60.0 < np.median(values) / 100 - 273.15 < 60.0
        truths = [bag.message(record) for record in bag.records(["/thermal/truth/detections"])]
        names = {found.results[0].hypothesis.class_id for truth in truths for found in truth.detections}
        assert {"person", "car", "face"} <= names
        clouds = [bag.message(record) for record in bag.records(["/thermal/truth/landmarks"])]
        assert {cloud.width for cloud in clouds} == {54} and any(cloud.height for cloud in clouds)


def test_the_answers_are_kept_as_they_came(rendered: Path) -> None:
    summary = json.loads((rendered / "summary.json").read_text())
    with BagReader(rendered / "output.mcap") as bag:
        assert set(bag.topics) == {"/thermal/detections", "/thermal/landmarks", "/thermal/label_info", "/diagnostics"}
        found = list(bag.records(["/thermal/detections"]))
        clouds = list(bag.records(["/thermal/landmarks"]))
        assert len(found) == len(clouds) == summary["results_out"]
        assert {header_stamp(r.data) for r in found} == {header_stamp(r.data) for r in clouds}
        message = bag.message(found[0])
        assert message.header.frame_id == "thermal_camera_optical_frame"
        (labels,) = (bag.message(record) for record in bag.records(["/thermal/label_info"]))
        assert [entry.class_name for entry in labels.class_map] == ["person", "car", "bicycle", "face"]


def as_png(bag: BagReader, record: Record) -> bytes:
    """A recorded image as a compressed one."""
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import CompressedImage

    message = CompressedImage(format="mono16; png compressed mono16")
    message.data = array.array("B", cv2.imencode(".png", image_values(bag.message(record)))[1].tobytes())
    return with_header_stamp(serialize_message(message), header_stamp(record.data))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_recording_of_others_is_played_without_truth(rendered: Path, tmp_path: Path, model_options: list[str],
                                                       capsys: pytest.CaptureFixture[str], compressed: bool) -> None:
    with BagReader(rendered / "input.mcap") as bag, BagWriter(tmp_path / "theirs.mcap") as copy:
        for record in itertools.islice(bag.records(["/thermal/image"]), 12):
            if compressed:
                data = as_png(bag, record)
                copy.add(Record("/lepton/image_raw/compressed", COMPRESSED_TYPE, record.stamp_ns, data))
            else:
                copy.add(Record("/lepton/image_raw", record.type, record.stamp_ns, record.data))
    out = tmp_path / "out"
    assert demo("--bag", tmp_path / "theirs.mcap", "--frames", 10, "--out", out, *model_options, "--no-faces") == 0
    assert sorted(path.name for path in out.iterdir()) == FILES[1:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["frames_in"] == 10 and summary["map50"] is None and summary["nme"] is None
    assert summary["faces"] == 0
    assert "results out" in capsys.readouterr().out


def test_a_node_that_cannot_start_is_reported_and_old_results_go(rendered: Path, tmp_path: Path,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    out, model = tmp_path / "out", tmp_path / "corrupt.safetensors"
    out.mkdir()
    (out / "summary.json").write_text("old")
    model.write_bytes(b"nonsense")
    code = demo("--bag", rendered / "input.mcap", "--out", out, "--model", model, "--no-faces")
    assert code == 1
    message = capsys.readouterr().err
    assert model.name in message and "cannot be configured" in message
    assert sorted(path.name for path in out.iterdir()) == ["node.log"]


def test_mistyped_names_are_told_before_the_work_and_old_results_stay(rendered: Path, tmp_path: Path,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text("old")
    for options, said in ((["--model", "no_such_model"], "no_such_model"),
                          (["--bag", rendered / "input.mcap", "--topic", "/termal/image"], "/termal/image")):
        assert demo(*options, "--out", out) == 1
        message = capsys.readouterr().err
        assert said in message and len(message.splitlines()) == 1
        assert [path.name for path in out.iterdir()] == ["summary.json"]


def test_a_node_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    from thermal_kd_ros.demo.errors import DemoError
    from thermal_kd_ros.demo.node_process import NodeProcess

    with NodeProcess("/short_life", {"detector.nms_iou": 7.5}, tmp_path / "node.log") as node:
        node._process.wait(60)
        with pytest.raises(DemoError, match="exit code 1") as error:
            node.check()
    assert "nms_iou" in str(error.value)


def test_useless_recordings_and_folders_are_named(tmp_path: Path, rendered: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corrupt.mcap").write_bytes((rendered / "input.mcap").read_bytes()[:5000])
    with BagReader(rendered / "input.mcap") as bag, BagWriter(tmp_path / "no_image.mcap") as copy:
        for record in bag.records(["/thermal/camera_info"]):
            copy.add(record)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.png").write_text("no picture")
    cases = [("--seed", "-1", "cannot be rendered"), ("--bag", "corrupt.mcap", "mcap recover"),
             ("--bag", "absent.mcap", "no such recording"),
             ("--bag", "no_image.mcap", "camera_info"), ("--images", "empty", "has no image"),
             ("--images", "absent", "no such file"), ("--images", "text", "none of its 1 images")]
    for option, name, words in cases:
        assert demo(option, name if option == "--seed" else tmp_path / name, "--out", tmp_path / "out") == 1
        message = capsys.readouterr().err
        assert name in message and words in message and "Traceback" not in message


def test_a_recording_is_not_removed_as_an_old_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "output.mcap").write_bytes(b"of a user")
    assert demo("--bag", tmp_path / "output.mcap", "--out", tmp_path / "x" / "..") == 1
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "output.mcap").read_bytes() == b"of a user"


@pytest.mark.parametrize("source, out", [("images", "images"), ("images", "images/results"), ("images", "link/results"),
                                         ("images/sheet.png", "images"), ("elsewhere", "images"), ("bag", "bag")])
def test_results_do_not_take_the_place_of_what_is_played(tmp_path: Path, source: str, out: str,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("images/sheet.png", "bag/output.mcap"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("of a user")
    (tmp_path / "link").symlink_to(tmp_path / "images")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").symlink_to(tmp_path / "images" / "sheet.png")
    assert demo("--bag" if source == "bag" else "--images", tmp_path / source, "--out", tmp_path / out) == 1
    said = capsys.readouterr().err
    assert "; choose a" in said and len(said.splitlines()) == 1
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["sheet.png"]
    for name in ("images/sheet.png", "bag/output.mcap"):
        assert (tmp_path / name).read_text() == "of a user"


def test_senseless_options_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        demo("--size", "large", "--out", tmp_path / "out")
    assert "--size: large: must read like 640x512" in capsys.readouterr().err
    for options in (["--size", "100000x100000"], ["--frames", "0"], ["--set", "x=1"],
                    ["--topic", "/image"], ["--bag", "a.mcap", "--seed", "0"], ["--images", ".", "--size", "64x64"]):
        assert demo(*options, "--out", tmp_path / "out") == 2
        assert "error:" in capsys.readouterr().err


def test_images_become_a_recording_that_keeps_their_values(tmp_path: Path) -> None:
    from thermal_kd_ros.demo.recording import from_images

    images = [np.full((8, 10), 30000, np.uint16), np.full((8, 10), 21.5, np.float32),
              np.full((8, 10, 3), 9, np.uint8), np.full((8, 10), 9, np.uint8)]
    for i, values in enumerate(images):
        np.save(tmp_path / f"{i}.npy", values)
    from_images(tmp_path / "bag.mcap", tmp_path, 4.0, None)
    with BagReader(tmp_path / "bag.mcap") as bag:
        records = list(bag.records([bag.image_topic()]))
        assert np.diff([record.stamp_ns for record in records]).tolist() == [250_000_000] * 3
        for record, values in zip(records, images, strict=True):
            read = image_values(bag.message(record))
            assert read.dtype == values.dtype and (read == values).all()


def test_the_truth_of_a_face_at_the_border_ends_there() -> None:
    from thermal_kd_ros.demo.recording import _truth_of
    from thermal_kd_ros.simulation import SimulatedCamera, SimulationConfig

    reached = 0
    for seed in range(4):
        camera = SimulatedCamera(SimulationConfig(seed=seed, width=320, height=256, scene="indoor", rate_hz=1.0))
        for index in (0, 3):
            frame = camera.frame(index)
            reached += any((face.box < 0).any() or (face.box > (320, 256, 320, 256)).any() for face in frame.faces)
            objects, faces = _truth_of(frame)
            for boxes in (objects.boxes, faces.boxes):
                assert (boxes >= 0).all() and (boxes <= (320, 256, 320, 256)).all()
            assert len(faces) == sum(not face.ignore for face in frame.faces)
    assert reached


def test_the_sheet_of_a_short_recording_shows_all_of_it(tmp_path: Path) -> None:
    from thermal_kd_ros.config import PerceptionConfig
    from thermal_kd_ros.demo.recording import from_images
    from thermal_kd_ros.evaluation.pictures import draw_pictures

    for i in range(6):
        np.save(tmp_path / f"{i}.npy", np.full((60, 480), 30000 + i, np.uint16))
    from_images(tmp_path / "bag.mcap", tmp_path, 4.0, None)
    with BagReader(tmp_path / "bag.mcap") as bag:
        draw_pictures(bag, bag.image_topic(), {}, 6, PerceptionConfig(), tmp_path / "out", 4.0)
    sheet = cv2.imread(str(tmp_path / "out" / "sheet.png"))
    tile = 60 + 24
    assert sheet.shape[:2] == (2 * tile + 3 * 6, 4 * 480 + 5 * 6)


@pytest.mark.parametrize("shape", [(1, 1), (24, 32), (60, 80), (4, 400)])
def test_pictures_of_small_cameras_are_drawn(shape: tuple[int, int]) -> None:
    from thermal_kd_ros.config import PerceptionConfig
    from thermal_kd_ros.evaluation.pictures import _Artist

    artist = _Artist(PerceptionConfig())
    values = (30000 + np.arange(np.prod(shape))).reshape(shape).astype(np.uint16)
    picture = artist.picture(artist.frame(values, "mono16", 1.0), None, 0)
    assert picture.shape[1] == 2 * shape[1] and picture.shape[0] > 2 * shape[0]


def recording_of(frames: int, rate_hz: float) -> Any:
    from thermal_kd_ros.evaluation.recording import Recording

    stamps = tuple(round(i * 1e9 / rate_hz) for i in range(frames))
    return Recording("/image", False, None, stamps, {}, rate_hz)


def played(frames: int, answered: int, seconds: float) -> Any:
    from thermal_kd_ros.evaluation.report import Answer, Playback
    from thermal_kd_ros.results import Detections, FaceLandmarks

    answer = Answer(Detections.empty(()), FaceLandmarks.empty("", 0))
    return Playback(frames, dict.fromkeys(range(answered), answer), {}, seconds)


@pytest.mark.parametrize("most_hz, rates", [(50.0, [10.0]), (9.7, [10.0]), (6.0, [10.0, 4.8]), (2.0, [10.0, 1.6]),
                                            (0.1, [10.0, 160 / 120])])
def test_a_recording_is_played_at_its_own_rate_unless_the_node_cannot_follow(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], most_hz: float,
        rates: list[float]) -> None:
    """The node is one that answers at most ``most_hz`` frames a second."""
    from unittest.mock import MagicMock

    from thermal_kd_ros.demo import node_process, play, player, run

    def at(_player: Any, _node: Any, recording: Any, _bag: Any, rate_hz: float) -> Any:
        count = len(recording.stamps)
        return played(count, round(count * min(1.0, most_hz / rate_hz)), count / rate_hz)

    monkeypatch.setattr(node_process, "NodeProcess", MagicMock())
    monkeypatch.setattr(player, "Player", MagicMock())
    for name in ("wait_until_active", "wait_until_answering", "diagnostics", "class_names"):
        monkeypatch.setattr(play, name, MagicMock())
    monkeypatch.setattr(play, "play", at)
    settings = run.Settings(tmp_path, None, None, None, None, 10.0, (640, 512), 0, 1.0, {})
    result = run._play(settings, recording_of(160, 10.0), MagicMock())
    assert result.rates == pytest.approx(rates) and len(result.results) == len(rates)
    said = capsys.readouterr().out
    assert "160 frames at 10.0 Hz" in said and said.count("playing again") == len(rates) - 1


def test_slower_plays_of_a_machine_that_is_much_too_slow_are_bounded() -> None:
    from thermal_kd_ros.demo.play import slower_rate

    hour = recording_of(36_000, 10.0)
    assert slower_rate(10.0, played(36_000, 360, 3600.0), hour) == pytest.approx(2.5)
    assert slower_rate(5.0, played(36_000, 360, 7200.0), hour) == pytest.approx(2.5)
    assert slower_rate(2.5, played(36_000, 360, 14_400.0), hour) is None
    assert slower_rate(10.0, played(36_000, 0, 0.0), hour) == pytest.approx(2.5)
    short = recording_of(12, 10.0)
    assert 12 / slower_rate(10.0, played(12, 1, 1.2), short) < 120.1
    assert slower_rate(10.0, played(1, 0, 0.0), recording_of(1, 10.0)) == pytest.approx(1 / 120)
