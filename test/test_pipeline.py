"""The pipeline around its networks, which are replaced by ones that find hot spots."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from thermal_kd_ros import pipeline
from thermal_kd_ros.config import EngineConfig, FaceConfig, PerceptionConfig, ThermalConfig, with_values
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.models.checkpoint import ModelCard
from thermal_kd_ros.results import PerceptionResult

RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8
POINTS = get_layout("sf_tl54").points


class HotFace:
    """As a detector it finds the box of all that is hot. As a landmarker it knows upright, unmirrored faces alone.

    Of the two upper spots it calls the one at the left of the image the right eye, and the lower spot the chin.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert batch.dtype == np.float32 and np.isfinite(batch).all()
        assert batch.min() >= 0.0 and batch.max() <= 1.0
        outputs = [self._landmarks(image[0]) if self.card.task == "landmarks" else self._box(image[0])
                   for image in batch]
        first, second = zip(*outputs, strict=True)
        return np.stack(first).astype(np.float32), np.stack(second).astype(np.float32)

    def _box(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.nonzero(image > 0.75)
        if not len(rows):
            return np.zeros((1, 4)), np.zeros((1, len(self.card.classes)))
        box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
        return box, np.full((1, len(self.card.classes)), 0.9)

    def _landmarks(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, sigma = np.full((POINTS, 2), self.card.input_width / 2), np.full(POINTS, 1.0)
        y, x = (grid + 0.5 for grid in np.mgrid[: image.shape[0], : image.shape[1]])
        upper, left = y < image.shape[0] / 2, x < image.shape[1] / 2
        for index, where in ((RIGHT_EYE, upper & left), (LEFT_EYE, upper & ~left), (CHIN, ~upper)):
            weight = np.where(where & (image > 0.7), image, 0.0)
            if weight.sum() > 0:
                points[index] = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
        return points, sigma

    def describe(self) -> str:
        return "hot spots"


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {
        "detector_nano": ModelCard("objects", "detection", {}, 256, 320, ("person",)),
        "face_detector": ModelCard("faces", "detection", {}, 256, 320, ("face",)),
        "landmarks_light": ModelCard("landmarks", "landmarks", {"points": POINTS}, 112, 112, layout="sf_tl54"),
    }

    def load(model: str, task: str, config: EngineConfig) -> HotFace:
        return HotFace(cards[model])

    monkeypatch.setattr(pipeline, "load_engine", load)


EYE, OTHER_EYE, MOUTH = (150.0, 60.0, 38.0), (185.0, 62.0, 37.0), (168.0, 100.0, 36.0)
"""x, y and degrees Celsius of the subject's right eye, left eye and mouth in the upright image."""


def upright_scene() -> np.ndarray:
    """(256, 320) float32 degrees Celsius: a face of three spots in a cold room, not in its middle."""
    y, x = (grid + 0.5 for grid in np.mgrid[:256, :320])
    celsius = np.full((256, 320), 15.0)
    for u, v, temperature in (EYE, OTHER_EYE, MOUTH):
        celsius = np.maximum(celsius, np.where((x - u) ** 2 + (y - v) ** 2 < 36.0, temperature, 0.0))
    return celsius.astype(np.float32)


def seen_by(camera: np.ndarray, rotate: int, flip: bool, stamp: float | None = 0.0) -> PerceptionResult:
    config = PerceptionConfig(thermal=ThermalConfig(rotate=rotate, flip=flip), face=FaceConfig(nms_iou=0.5))
    perception = pipeline.ThermalPerception(config)
    return perception.process([ThermalFrame.from_array(camera, config.thermal, stamp)])[0]


@pytest.mark.parametrize(("rotate", "flip"), list(product((0, 90, 180, 270), (False, True))))
def test_results_lie_on_the_camera_s_own_pixels_however_it_is_mounted(rotate: int, flip: bool) -> None:
    upright = upright_scene()
    # What the camera delivers: turned anticlockwise, then mirrored, the reverse of what makes it upright.
    camera = np.rot90(upright, rotate // 90)
    camera = np.ascontiguousarray(camera[:, ::-1] if flip else camera)
    result = seen_by(camera, rotate, flip)
    rows, columns = np.nonzero(camera > 30)
    truth = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(result.detections.boxes, [truth], atol=1.0)
    np.testing.assert_allclose(result.faces.boxes, [truth], atol=1.0)
    assert result.detections.track_ids[0] >= 0 and result.faces.track_ids[0] >= 0
    for index, (_, _, temperature) in ((RIGHT_EYE, EYE), (LEFT_EYE, OTHER_EYE), (CHIN, MOUTH)):
        spot = np.argwhere(np.abs(camera - temperature) < 0.01).mean(axis=0)[::-1] + 0.5
        np.testing.assert_allclose(result.faces.points[0, index], spot, atol=1.0)
        assert result.faces.temperature[0, index] == pytest.approx(temperature, abs=0.01)


def test_without_flip_a_mirrored_camera_swaps_the_eyes() -> None:
    mirrored = np.ascontiguousarray(upright_scene()[:, ::-1])
    assert seen_by(mirrored, 0, False).faces.temperature[0, RIGHT_EYE] == pytest.approx(OTHER_EYE[2], abs=0.01)
    assert seen_by(mirrored, 0, True).faces.temperature[0, RIGHT_EYE] == pytest.approx(EYE[2], abs=0.01)


def test_an_impossible_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="thermal.rotate = 45: must be one of 0, 90, 180, 270"):
        with_values(PerceptionConfig(), {"thermal.rotate": 45})
