"""``inspect``: what it says of good and odd images, and its picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_kd_ros import __main__


def celsius(height: int = 96, width: int = 120) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    body = 14.0 * np.exp(-((x - width / 2) ** 2 / 200 + (y - height / 2) ** 2 / 800))
    return (19.0 + body + np.random.default_rng(0).normal(0, 0.1, (height, width))).astype(np.float32)


def inspect(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    assert __main__.main(["inspect", *(str(a) for a in arguments)]) == 0
    return capsys.readouterr().out


def test_a_radiometric_image(tmp_path: Path, capsys: pytest.CaptureFixture[str], model_options: list[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), ((celsius() + 273.15) * 100).astype(np.uint16))
    said = inspect(capsys, tmp_path / "a.png", *model_options)
    for part in ("120 x 96", "uint16", "read as      centikelvin", "median 19", "percentile:", "objects sees 160 x 128",
                 "faces sees"):
        assert part in said, part
    assert "note" not in said


def test_the_picture_shows_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    for name, values in (("c", celsius()), ("n", np.where(celsius() > 30, np.nan, celsius())),
                         ("r", (celsius() * 50).astype(np.uint16)), ("one", np.ones((1, 1), np.float32))):
        np.save(tmp_path / f"{name}.npy", values)
        output = tmp_path / "out" / f"{name}.png"
        assert str(output) in inspect(capsys, tmp_path / f"{name}.npy", "--output", output)
        picture = cv2.imread(str(output))
        assert picture.shape[1] > 1000 and picture.std() > 10
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["c.png", "n.png", "one.png", "r.png"]


@pytest.mark.parametrize(("values", "words"), [
    (np.full((8, 8), 30000, np.uint16), ["all values are the same"]),
    (((celsius() + 273.15) * 100).astype(np.uint16).byteswap(), ["raw_counts", "is_bigendian"]),
    ((celsius() * 10 + 1000).astype(np.uint16), ["raw_counts", "optris 19"]),
    ((celsius() * 100).astype(np.uint16) * 16, ["lowest bits"]),
    (np.where(celsius() > 30, np.nan, celsius()), ["NaN", "celsius"]),
    (celsius() + 273.15, ["kelvin: the middle"]),
    (np.clip(celsius(), 19, 25), ["smallest value, 19", "largest value, 25"]),
    (np.dstack([celsius().astype(np.uint8)] * 3), ["display8", "3 channels", "palette", "unknown"]),
])
def test_odd_images_are_told(values: np.ndarray, words: list[str], tmp_path: Path,
                             capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", values)
    said = inspect(capsys, tmp_path / "a.npy")
    for word in words:
        assert word in said, said


def test_chosen_parameters_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", (celsius() * 10 + 1000).astype(np.uint16))
    said = inspect(capsys, tmp_path / "a.npy", "--set", "thermal.input_mode=optris", "--set", "contrast.method=fixed",
                   "--set", "contrast.fixed_low_c=10")
    assert "optris: set by thermal.input_mode" in said and "fixed: 10.0 C becomes black, 45.0 C white" in said


def test_what_black_hot_does_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.arange(12, dtype=np.uint8).reshape(3, 4) * 10)
    said = inspect(capsys, tmp_path / "a.npy", "--set", "thermal.black_hot=true")
    assert "145 to 255" in said and "turned this picture round" in said
    np.save(tmp_path / "b.npy", (celsius() * 100 + 27315).astype(np.uint16))
    assert "does nothing here" in inspect(capsys, tmp_path / "b.npy", "--set", "thermal.black_hot=true")


def test_an_image_of_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rosbags")
    from rosbags.typesys import Stores, get_typestore

    from thermal_kd_ros.evaluation.bags import BagError, BagWriter, Record

    store = get_typestore(Stores.ROS2_HUMBLE)
    kind = "sensor_msgs/msg/Image"
    counts = ((celsius() + 273.15) * 100).astype(np.uint16)
    stamp = store.types["builtin_interfaces/msg/Time"](sec=1, nanosec=2)
    message = store.types[kind](header=store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="t"), height=96,
                                width=120, encoding="mono16", is_bigendian=0, step=240,
                                data=counts.view(np.uint8).reshape(-1))
    path = tmp_path / "a.mcap"
    try:
        with BagWriter(path) as bag:
            bag.add(Record("/thermal/image", kind, 1000, bytes(store.serialize_cdr(message, kind))))
    except BagError:
        pytest.skip("message definitions are not installed")
    said = inspect(capsys, path)
    assert "120 x 96, mono16" in said and "centikelvin" in said
    assert __main__.main(["inspect", str(path), "--frame", "5"]) == 1
    assert "--frame" in capsys.readouterr().err
    assert __main__.main(["inspect", str(path), "--topic", "/other"]) == 1
    assert "/thermal/image" in capsys.readouterr().err


@pytest.mark.parametrize(("path", "options", "words"), [
    ("a.mcap", ["--frame", "-1"], "counted from 0"), ("a.mcap", ["--timeout", "3"], "--timeout does not apply"),
    ("a.npy", ["--frame", "7"], "an image file"), ("a.npy", ["--topic", "/x"], "--topic does not apply"),
    ("a.npy", ["--timeout", "3"], "--timeout does not apply"), ("/some/topic", ["--topic", "/x"], "a topic"),
    ("a.npy", ["--output", "look.xyz"], "look.xyz: its name says no format"), ("a.npy", ["--output", "look"], ".png"),
])
def test_options_that_would_be_ignored_are_refused(path: str, options: list[str], words: str,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["inspect", path, *options]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and len(captured.err.splitlines()) == 1 and not captured.out


def test_a_picture_has_the_format_of_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "a.npy", celsius())
    inspect(capsys, tmp_path / "a.npy", "--output", tmp_path / "look.jpg")
    assert (tmp_path / "look.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_picture_does_not_take_the_place_of_the_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), ((celsius() + 273.15) * 100).astype(np.uint16))
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    for output in ("a.png", "link.png"):
        assert __main__.main(["inspect", str(tmp_path / "a.png"), "--output", str(tmp_path / output)]) == 2
        assert f"--output {tmp_path / output}: would be written over the input" in capsys.readouterr().err
    assert (tmp_path / "a.png").read_bytes() == before and (tmp_path / "link.png").is_symlink()


def test_pages_that_are_not_shown_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwritemulti(str(tmp_path / "a.tiff"), [((celsius() + 273.15) * 100).astype(np.uint16)] * 3)
    assert __main__.main(["inspect", str(tmp_path / "a.tiff")]) == 0
    assert f"warning: {tmp_path / 'a.tiff'}: only the first of its 3 pages" in capsys.readouterr().err


def test_what_cannot_be_read_or_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "nan.npy", np.full((4, 4), np.nan, np.float32))
    for path in (tmp_path / "absent.png", tmp_path / "nan.npy", tmp_path / "absent.mcap", "~image"):
        assert __main__.main(["inspect", str(path)]) == 1
        assert str(path) in capsys.readouterr().err
    assert __main__.main(["inspect", "a.png", "--set", "contrast.method=loud"]) == 2
    assert "clahe" in capsys.readouterr().err


def test_a_package_that_a_recording_needs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recording.mcap").write_bytes(b"")
    monkeypatch.delitem(sys.modules, "rosbags.highlevel", raising=False)
    monkeypatch.setitem(sys.modules, "rosbags", None)
    assert __main__.main(["inspect", str(tmp_path / "recording.mcap")]) == 1
    said = capsys.readouterr().err
    assert "rosbags is not installed" in said
