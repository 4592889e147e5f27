"""The comparison with visible-light models: figures against counting, and what it says where something is missing."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from training.data.driver_faces import FaceFrame
from training.landmarks.compare import MESH_TO_IBUG68, PARTS, by_part, errors_of, figures, main


def test_figures_of_known_errors():
    points = np.random.default_rng(0).uniform(20, 80, (54, 2)).astype(np.float32)
    points[36], points[45] = (30, 40), (70, 40)
    faces = [FaceFrame(Path("a"), np.zeros((100, 100), np.uint8), np.array([10, 10, 90, 90], np.float32), points)] * 2
    shift = np.zeros((54, 2))
    shift[:17, 0] = 8.0
    found = iter((points + shift, points + 2 * shift))
    errors = errors_of(lambda face: next(found), faces)
    result = figures(errors)
    assert result["nme_percent"] == pytest.approx(np.mean([8, 16]) / 40 * 17 / 54 * 100, rel=1e-4)
    assert result["nme_inner_percent"] == pytest.approx(0.0, abs=1e-5)
    assert result["failure_rate_8_percent"] == 50.0 and result["faces"] == 2
    parts = by_part(errors)
    # To the right by 20 and 40 % of the eyes' distance: 30 is what they share, and nothing lies lower.
    assert parts["jaw, lower"] == pytest.approx(
        {"error_percent": 30.0, "shift_down_percent": 0.0, "without_bias_percent": 10.0}, abs=1e-4)
    assert parts["mouth"]["error_percent"] == pytest.approx(0.0, abs=1e-4)
    assert parts["all"]["error_percent"] == pytest.approx(result["nme_percent"])


def test_points_that_lie_lower_are_told_by_part():
    points = np.random.default_rng(0).uniform(20, 80, (54, 2)).astype(np.float32)
    points[36], points[45] = (30, 40), (70, 40)
    face = FaceFrame(Path("a"), np.zeros((100, 100), np.uint8), np.array([10, 10, 90, 90], np.float32), points)
    lower = points.copy()
    lower[36:48, 1] += 4.0
    parts = by_part(errors_of(lambda face: lower, [face]))
    assert parts["eyes"] == pytest.approx(
        {"error_percent": 10.0, "shift_down_percent": 10.0, "without_bias_percent": 0.0}, abs=1e-4)
    assert sorted(point for name, points in PARTS.items() if name != "all" for point in points) == list(range(54))


def test_our_networks_are_measured_by_part(shared_data, capsys):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")
    assert main(["--data", str(shared_data), "--landmarks", "landmarks_tiny", "--step", "90", "--parts"]) == 0
    found = json.loads(capsys.readouterr().out)["landmarks_tiny"]
    assert found["faces"] == 6 and 3 < found["nme_percent"] < 15 and set(found["parts"]) == set(PARTS)
    assert main(["--data", str(shared_data), "--landmarks", "face_detector"]) == 1
    assert "a landmark network is needed here" in capsys.readouterr().err


def test_the_mesh_points_are_68_vertices_and_symmetric_ones_differ():
    assert len(MESH_TO_IBUG68) == 68 == len(set(MESH_TO_IBUG68))
    assert all(0 <= vertex < 468 for vertex in MESH_TO_IBUG68)


def test_without_a_model_there_is_nothing_to_measure(tmp_path, capsys, empty_drivers):
    assert main(["--data", str(tmp_path)]) == 1
    assert capsys.readouterr() == ("", "error: nothing to measure: give --landmarks, --mesh or --dlib\n")
    (empty_drivers / "labels" / "f_3.txt").unlink()
    assert main(["--data", str(tmp_path)]) == 1
    assert "no frame of the people 2_* has a label" in capsys.readouterr().err


def test_what_is_missing_is_told(tmp_path, capsys, shared_data):
    assert main(["--data", str(tmp_path)]) == 1
    assert "no sequences" in capsys.readouterr().err
    if (shared_data / "driver_faces").is_dir():
        assert main(["--data", str(shared_data), "--dlib", str(tmp_path / "none.dat")]) == 1
        assert "none.dat is missing" in capsys.readouterr().err
        if importlib.util.find_spec("dlib") is None:
            (tmp_path / "model.dat").touch()
            assert main(["--data", str(shared_data), "--dlib", str(tmp_path / "model.dat")]) == 1
            assert "install it" in capsys.readouterr().err
