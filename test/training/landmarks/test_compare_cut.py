"""Faces that the frame's border cuts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from training.data.driver_faces import DriverFaces, FaceFrame
from training.landmarks.compare_cut import SIDES, cut, main, measure, mirrored
from training.landmarks.head_pose import pipeline


def test_what_is_left_of_a_face():
    values = np.arange(100 * 200, dtype=np.int32).reshape(100, 200)
    points = np.tile(np.array([[60.0, 50.0]], np.float32), (54, 1))
    whole = FaceFrame(Path("a"), values, np.array([40, 20, 80, 70], np.float32), points)
    expected = {"left": ((50, 0, 200, 100), [0, 20, 30, 70]), "right": ((0, 0, 70, 100), [40, 20, 70, 70]),
                "top": ((0, 32, 200, 100), [40, 0, 80, 38]), "bottom": ((0, 0, 200, 58), [40, 20, 80, 58])}
    assert set(expected) == set(SIDES)
    for side, ((left, top, right, bottom), box) in expected.items():
        part = cut(whole, side, 0.25)
        # Half a pixel rounds to the even one: 12.5 of 50 rows are 32 or 58 from the top.
        np.testing.assert_array_equal(part.values, values[top:bottom, left:right])
        np.testing.assert_array_equal(part.box, box)
        # A point stays on its pixel, inside of the frame or not.
        np.testing.assert_array_equal(part.points[0], [60 - left, 50 - top])
        same = cut(whole, side, 0.0)
        np.testing.assert_array_equal(same.values, values)
        np.testing.assert_array_equal(same.box, whole.box)


def test_a_mirrored_face_is_cut_at_the_other_side():
    rng = np.random.default_rng(0)
    values = np.arange(100 * 200, dtype=np.int32).reshape(100, 200)
    whole = FaceFrame(Path("a"), values, np.array([40, 20, 80, 70], np.float32),
                      rng.uniform(20, 70, (54, 2)).astype(np.float32))
    seen, other = cut(mirrored(whole), "left", 0.25), mirrored(cut(whole, "right", 0.25))
    np.testing.assert_array_equal(seen.values, other.values)
    np.testing.assert_allclose(seen.box, other.box)
    np.testing.assert_allclose(seen.points, other.points, atol=1e-4)
    np.testing.assert_allclose(mirrored(whole).points[36], [200 - whole.points[45, 0], whole.points[45, 1]])


def test_a_face_that_is_half_there_is_found_less_often_and_is_less_sure(shared_data):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")
    frames = DriverFaces(shared_data / "driver_faces", "2", 60)
    faces, perception = [frames[i] for i in range(len(frames))], pipeline()
    whole = measure(perception, faces)
    assert whole["recall"] == 1.0 and whole["confidence"] > 0.8 and whole["nme_percent"] < 9
    for side in ("right", "top"):
        half = measure(perception, [cut(face, side, 0.5) for face in faces])
        assert half["recall"] < 0.3 and half["nme_percent"] > 1.5 * whole["nme_percent"], (side, half)
        # It says so: no surer than it is right, but for a tenth.
        assert half["confidence"] < min(0.5, half["within_tolerance"] + 0.1), (side, half)
    chinless = measure(perception, [cut(face, "bottom", 0.3) for face in faces])
    assert chinless["recall"] > 0.7 and chinless["nme_percent"] < 11, chinless


def test_what_is_missing_is_told(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--parts", "1.5"]) == 1
    assert capsys.readouterr() == ("", "error: --parts 1.5: give a value in 0..0.9\n")
    assert main(["--data", str(tmp_path)]) == 1
    assert "no sequences" in capsys.readouterr().err
