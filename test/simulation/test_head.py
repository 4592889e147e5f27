"""Landmarks lie where they are drawn, expressions move what they should, temperatures are physiological."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54, LAYOUTS
from thermal_kd_ros.simulation.head import NEUTRAL, Expression, HeadShape
from thermal_kd_ros.simulation.head_heat import Skin, skin_temperature
from thermal_kd_ros.simulation.mesh import ellipsoid, rotation
from thermal_kd_ros.simulation.portrait import COARSE, FINE, MEDIUM, Portrait, Traits, random_traits
from thermal_kd_ros.simulation.raster import interpolate, rasterize, vertex_visibility
from thermal_kd_ros.simulation.render import Canvas, View, intrinsics

BARE = Traits(hair="none")
IDENTITY = np.zeros(HeadShape.IDENTITIES)


def _view(size: int = 320) -> View:
    return View(intrinsics(size, size, 22.0), np.eye(3), np.zeros(3), size, size)


def _empty(view: View, celsius: float = 23.0) -> Canvas:
    shape = (view.height, view.width)
    return Canvas(np.full(shape, celsius, np.float32), np.full(shape, np.inf, np.float32))


@pytest.mark.parametrize("detail", [FINE, MEDIUM, COARSE])
@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.35])
def test_surface_drawn_at_a_landmark_is_the_landmark(detail: tuple[int, int], yaw: float) -> None:
    shape = HeadShape(np.random.default_rng(3).standard_normal(HeadShape.IDENTITIES), *detail)
    skin = shape.posed(Expression(jaw_open=0.4, smile=0.5))
    view = _view()
    turn, away = rotation(yaw, 0.1), np.array([0.0, 0.0, 0.9])
    camera = skin @ turn.T + away
    pixels = view.project(camera)
    fragments = rasterize(pixels, shape.faces, 320, 320, inverse_depth=1 / camera[:, 2], cull_backfaces=True)
    drawn = interpolate(fragments, shape.faces, skin)
    points = shape.landmarks68(skin)
    projected = view.project(points @ turn.T + away)
    surface = np.stack([projected[:, 0], projected[:, 1], (points @ turn.T + away)[:, 2]], axis=1)
    checked = 0
    for point, (column, row, depth) in zip(points, surface, strict=True):
        column, row = int(np.rint(column)), int(np.rint(row))
        if abs(fragments.depth[row, column] - depth) < 0.003:  # not hidden, nor just beside the silhouette
            # Half a pixel is about 0.5 mm here, and more on slopes.
            assert np.linalg.norm(drawn[row, column] - point) < 0.004
            checked += 1
    assert checked > 40


def test_marker_placed_on_a_landmark_appears_at_its_projection() -> None:
    posed = Portrait(BARE, 23.0, MEDIUM).posed()
    view = _view()
    turn, away = rotation(0.2, -0.1), np.array([0.02, 0.01, 0.9])
    for index in (8, 30, 36, 42, 48, 50):
        point = posed.landmarks[index] @ turn.T + away
        canvas = _empty(view)
        canvas.draw(ellipsoid(point, (0.006, 0.006, 0.006), 90.0, 24, 24), view, 1, 23.0)
        row, column = (axis.mean() for axis in np.nonzero(canvas.objects == 1))
        np.testing.assert_allclose([column, row], view.project(point[None])[0, :2], atol=0.3)


def test_layouts_agree_and_the_mean_head_is_symmetric() -> None:
    shape = HeadShape(IDENTITY)
    skin = shape.posed(Expression(jaw_open=0.5, smile=0.5))
    all68, some54 = shape.landmarks68(skin), shape.landmarks54(skin)
    np.testing.assert_array_equal(some54, all68[list(IBUG68_TO_SF_TL54)])
    mirrored = all68[list(LAYOUTS["ibug68"].mirror)] * np.array([-1, 1, 1])
    np.testing.assert_allclose(mirrored, all68, atol=0.0012)
    right_eye, left_eye = all68[36:42].mean(axis=0), all68[42:48].mean(axis=0)
    assert right_eye[0] < 0 < left_eye[0]  # the subject's right is on the image's left
    assert all68[8, 1] > all68[57, 1] > all68[30, 1] > right_eye[1] > all68[19, 1]


def test_expressions_move_their_landmarks() -> None:
    shape = HeadShape(IDENTITY)
    rest = shape.landmarks68(shape.posed(Expression()))
    yawn = shape.landmarks68(shape.posed(Expression(jaw_open=1.0)))
    assert yawn[66, 1] - yawn[62, 1] > 0.02 > rest[66, 1] - rest[62, 1]
    assert yawn[8, 1] > rest[8, 1] + 0.01
    np.testing.assert_allclose(yawn[17:48], rest[17:48], atol=0.002)
    smile = shape.landmarks68(shape.posed(Expression(smile=1.0)))
    assert smile[54, 0] - smile[48, 0] > rest[54, 0] - rest[48, 0] + 0.006
    blink = shape.landmarks68(shape.posed(Expression(blink=1.0)))
    assert blink[41, 1] - blink[37, 1] < 0.5 * (rest[41, 1] - rest[37, 1])
    raised = shape.landmarks68(shape.posed(Expression(brow_raise=1.0)))
    assert np.all(raised[17:27, 1] < rest[17:27, 1] - 0.001)


def test_identity_keeps_the_order_of_the_face() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        shape = HeadShape(rng.standard_normal(HeadShape.IDENTITIES) * 1.5, *COARSE)
        points = shape.landmarks68(shape.neutral)
        assert np.all(np.diff(points[36:40, 0]) > 0) and np.all(np.diff(points[42:46, 0]) > 0)
        assert points[8, 1] > points[57, 1] > points[51, 1] > points[33, 1] > points[27, 1]


def _region(shape: HeadShape, points: tuple[int, ...], heat: np.ndarray, radius: float = 0.006) -> float:
    centre = shape.landmarks68(shape.neutral)[list(points)]
    distance = np.linalg.norm(shape.neutral[:, None] - centre[None], axis=2).min(axis=1)
    return float(heat[distance < radius].mean())


@pytest.mark.parametrize("ambient", [-5.0, 10.0, 22.0, 35.0])
def test_inner_canthi_are_the_warmest(ambient: float) -> None:
    shape = HeadShape(IDENTITY)
    rng = np.random.default_rng(1)
    for seed in range(5):
        heat = skin_temperature(shape.template, Skin(offset=rng.normal(0, 0.3), seed=seed), ambient)
        canthi = _region(shape, (39, 42), heat, 0.0035)
        assert 33.0 < canthi < 37.0
        for other in ((30,), (8,), (19, 24), (51, 57), (2, 14), (27,)):
            assert canthi > _region(shape, other, heat)
        assert heat.max() < 37.5
        if ambient < 30:
            assert _region(shape, (30,), heat) < _region(shape, (27,), heat) < canthi


def _drawn(traits: Traits, breath: float = 0.0, expression: Expression = NEUTRAL) -> tuple[Canvas, np.ndarray]:
    view, away = _view(), np.array([0.0, 0.0, 0.9])
    posed = Portrait(traits, 22.0).posed(expression, breath)
    canvas = _empty(view)
    canvas.draw(posed.mesh.moved(translation=away), view, 1, 22.0)
    return canvas, view.project(posed.landmarks + away)


def test_glasses_hide_the_eyes_and_are_colder_than_skin() -> None:
    bare, points = _drawn(BARE)
    worn, same = _drawn(replace(BARE, glasses=True))
    np.testing.assert_array_equal(points, same)
    column, row = np.rint(points[36:48, :2].mean(axis=0)).astype(int)
    for eye in (points[36:42], points[42:48]):
        column, row = np.rint(eye[:, :2].mean(axis=0)).astype(int)
        assert worn.celsius[row, column] < bare.celsius[row, column] - 4.0
        assert worn.celsius[row, column] > 20.0
    visible = vertex_visibility(same, worn.fragments(), 0.006)
    assert not visible[36:48].any() and visible[[8, 48, 49, 50]].all()


def test_mask_and_beard_cover_the_mouth_and_breath_changes_it() -> None:
    _, points = _drawn(BARE)
    column, row = np.rint(points[33, :2]).astype(int)
    out, _ = _drawn(replace(BARE, mask=True), 1.0)
    drawn_in, _ = _drawn(replace(BARE, mask=True), -1.0)
    assert out.celsius[row, column] > drawn_in.celsius[row, column] + 0.5
    hidden = vertex_visibility(points, out.fragments(), 0.006)
    assert not hidden[48:].any() and hidden[36:48].all()
    bearded, _ = _drawn(replace(BARE, beard="full"))
    bare, _ = _drawn(BARE)
    chin_column, chin_row = np.rint(points[8, :2] - (0, 6)).astype(int)
    assert bearded.celsius[chin_row, chin_column] < bare.celsius[chin_row, chin_column] - 1.0


def test_every_resolution_shows_the_same_head() -> None:
    traits = random_traits(np.random.default_rng(11))
    fine, coarse = (Portrait(traits, 22.0, detail).posed().landmarks for detail in (FINE, COARSE))
    assert np.abs(fine - coarse).max() < 0.003
