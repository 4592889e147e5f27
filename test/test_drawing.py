"""Pictures: the palette, what stands beside a box, and that nothing odd in a result breaks them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from thermal_kd_ros import drawing
from thermal_kd_ros.config import ContrastConfig, ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.results import Detections, FaceLandmarks, PerceptionResult

SIZES = ((512, 640), (240, 320))


def result_of(boxes: list[list[float]], faces: list[list[float]] | None = None) -> PerceptionResult:
    count = len(boxes)
    objects = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.linspace(0.9, 0.5, count, dtype=np.float32),
                         np.arange(count) % 2, ("person", "car"), np.arange(count))
    face_boxes = np.array(faces or [], np.float32).reshape(-1, 4)
    middle = (face_boxes[:, None, :2] + face_boxes[:, None, 2:]) / 2
    points = np.repeat(middle, 54, axis=1).astype(np.float32)
    ones = np.ones((len(face_boxes), 54), np.float32)
    return PerceptionResult(objects, FaceLandmarks(face_boxes, ones[:, 0], points, ones, ones, "sf_tl54"), {},
                            ThermalFrame(np.zeros((1, 1), np.uint8), "display8"))


def captions(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    seen: list[tuple] = []
    original = drawing.caption
    monkeypatch.setattr(drawing, "caption", lambda *given: (seen.append(given), original(*given))[1])
    return seen


def test_the_palette_gets_brighter_from_cold_to_hot() -> None:
    colours = drawing.palette(np.linspace(0, 1, 256, dtype=np.float32)[None])[0].astype(float)
    brightness = colours @ (0.114, 0.587, 0.299)
    assert brightness[0] < 5 and brightness[-1] > 230
    assert (np.diff(brightness) > -1.0).all()
    assert (drawing.palette(np.array([[np.nan, -1.0, 2.0]])) == drawing.palette(np.array([[0.0, 0.0, 1.0]]))).all()


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("scale", (1, 2))
def test_a_picture_has_the_image_s_size_and_leaves_the_image_alone(height: int, width: int, scale: int) -> None:
    image = np.random.default_rng(0).random((height, width), np.float32)
    before = image.copy()
    picture = drawing.draw(image, result_of([[20, 30, 90, 150]], [[100, 100, 180, 190]]), None, scale)
    assert picture.shape == (height * scale, width * scale, 3) and picture.dtype == np.uint8
    assert (image == before).all()
    assert (picture != drawing.draw(image, result_of([]), None, scale)).any()


def test_the_temperature_is_the_warm_part_of_the_box_not_its_hottest_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captions(monkeypatch)
    celsius = np.full((120, 160), 20.0, np.float32)
    celsius[40:80, 50:70] = 36.0
    celsius[50, 60] = 400.0
    celsius[51, 60] = np.nan
    drawing.draw(celsius / 40, result_of([[40, 30, 80, 90]]), celsius)
    assert seen[0][3] == pytest.approx(36.0)
    drawing.draw(celsius / 40, result_of([[40, 30, 80, 90]]), None)
    assert np.isnan(seen[1][3])


def test_a_radiometric_frame_shows_degrees_and_a_display_image_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captions(monkeypatch)
    counts = np.full((60, 80), 30315, np.uint16)
    counts[:10] = 29000
    for values in (counts, (counts >> 8).astype(np.uint8)):
        frame = ThermalFrame.from_array(values, ThermalConfig())
        drawing.annotate(replace(result_of([[10, 20, 40, 50]]), frame=frame), ContrastConfig())
    assert seen[0][3] == pytest.approx(30.0, abs=0.01)
    assert np.isnan(seen[1][3])


def test_a_caption_leaves_out_what_is_not_known() -> None:
    assert drawing.caption("person", 0.912, 3, 36.24) == "person #3 0.91 36.2\N{DEGREE SIGN}C"
    assert drawing.caption("car", 0.5) == "car 0.50"
    assert drawing.caption("car", float("nan"), -1, 4.0) == "car 4.0\N{DEGREE SIGN}C"


@pytest.mark.parametrize("box", ([-500, -500, -400, -400], [600, 500, 700, 600], [10, 10, 10, 10], [0, 0, 5e6, 5e6],
                                 [np.nan] * 4, [np.inf, 0, 1, 1]))
def test_boxes_and_points_anywhere_are_drawn_or_left_out(box: list[float]) -> None:
    result = result_of([box], [box])
    result.faces.points[0, 1] = (np.inf, 1e9)
    picture = drawing.draw(np.zeros((120, 160), np.float32), result, np.zeros((120, 160), np.float32))
    assert picture.shape == (120, 160, 3)


@pytest.mark.parametrize("height, width", SIZES)
def test_captions_never_cover_each_other(height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[tuple[int, int, int, int]] = []

    class Spy(drawing._Labels):
        def place(self, *given) -> None:  # type: ignore[no-untyped-def]
            super().place(*given)
            placed[:] = self.taken

    monkeypatch.setattr(drawing, "_Labels", Spy)
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, (width - 40, height - 40), (40, 2))
    boxes = np.hstack([corners, corners + rng.uniform(8, 40, (40, 2))])
    drawing.draw(np.zeros((height, width), np.float32), result_of(boxes.tolist()), None)
    assert len(placed) > 10
    for i, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        for other in placed[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_confidence_shows_in_the_colour_of_a_point() -> None:
    shown = []
    for sure in (0.0, 1.0):
        result = result_of([], [[20, 20, 60, 60]])
        result.faces.confidence[:] = sure
        shown.append(drawing.draw(np.zeros((80, 80), np.float32), result, None)[39, 39].astype(int))
    assert np.abs(shown[0] - shown[1]).sum() > 60
