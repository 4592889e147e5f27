"""The picture sheet: the order of its faces, where truth and prediction are drawn, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.drawing import palette
from thermal_kd_ros.faces import normalise_crop
from thermal_kd_ros.geometry import FaceCrop
from training.landmarks import sheet
from training.landmarks.evaluate import Predictions

MARGIN = 0.15


def ranked(errors: list[float]) -> sheet.Ranked:
    """Faces of noise with given errors."""
    rng = np.random.default_rng(0)
    n = len(errors)
    points = rng.uniform(20, 80, (n, 54, 2))
    faces = [(rng.random((100, 100)).astype(np.float32), np.array([15.0, 15.0, 85.0, 85.0]), p) for p in points]
    return sheet.Ranked(faces, Predictions(points, points, np.ones((n, 54)), np.full(n, 70.0)), np.array(errors))


def test_rows_are_the_best_the_middle_and_the_worst_in_order() -> None:
    errors = [0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8]
    best, middle, worst = ranked(errors).chosen(2)
    assert [errors[i] for i in best] == [0.1, 0.2]
    assert [errors[i] for i in middle] == [0.3, 0.5]
    assert [errors[i] for i in worst] == [0.8, 0.9]


def test_a_sheet_has_a_row_for_each() -> None:
    picture = sheet.sheet(ranked([0.1, 0.2, 0.3, 0.4]), 3, MARGIN)
    assert picture.shape == (3 * sheet.TILE, 3 * sheet.TILE, 3) and picture.dtype == np.uint8


def test_points_are_drawn_where_they_are_on_the_face() -> None:
    image, box = np.zeros((100, 100), np.float32), np.array([10.0, 10.0, 90.0, 90.0])
    image[:50] = 1.0
    truth, found = np.full((54, 2), (30.0, 30.0)), np.full((54, 2), (60.0, 70.0))
    picture = sheet.tile((image, box, truth), found, np.ones(54), 0.1, MARGIN)
    crop = FaceCrop.around(box, sheet.TILE, MARGIN)
    changed = (picture != palette(normalise_crop(crop.apply(image)))).any(axis=2)
    changed[-25:, :60] = False  # the error in letters
    y, x = np.nonzero(changed)
    for point in (truth[0], found[0]):
        u, v = crop.forward(point)
        near = np.hypot(x - u, y - v) < 8
        assert near.any()
        x, y = x[~near], y[~near]
    assert not len(x)


def test_the_command_makes_it_from_rendered_heads(tmp_path: Path, shared_data: Path) -> None:
    assets = shared_data / "render_assets"
    if not (assets / "ict_face.npz").is_file():
        pytest.skip(f"the head model is not on this machine ({assets})")
    from training.data.face_renderer import render_cache

    render_cache(12, tmp_path / "heads.npz", assets, 5, 1)
    arguments = ["landmarks_light", str(tmp_path / "sheet.png"), "--heads", str(tmp_path / "heads.npz")]
    assert sheet.main([*arguments, "--columns", "2"]) == 0
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (3 * sheet.TILE, 2 * sheet.TILE, 3)


@pytest.mark.parametrize("arguments", [["landmarks_light", "--heads", "none.npz"], ["no_such_model", "--heads", "x"],
                                       ["landmarks_light", "--heads", "none.npz", "--columns", "0"]])
def test_mistakes_are_told_in_a_line(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model, *rest = arguments
    assert sheet.main([model, str(tmp_path / "sheet.png"), *rest]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "sheet.png").exists()
