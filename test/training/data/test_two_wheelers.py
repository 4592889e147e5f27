"""Two-wheelers built part by part: as large as asked for, on two wheels, in one piece, steered about their axis."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from thermal_kd_ros.simulation.mesh import rotation
from thermal_kd_ros.simulation.raster import rasterize
from thermal_kd_ros.simulation.render import View, intrinsics, looking
from training.data.pair_scenes import scene as scenes
from training.data.pair_scenes.ambience import Ambience
from training.data.pair_scenes.canvas import Canvas, Light
from training.data.pair_scenes.casting import Cast
from training.data.pair_scenes.materials import Look, Material
from training.data.pair_scenes.scene import random_scene
from training.data.pair_scenes.stage import Road
from training.data.pair_scenes.two_wheelers import KINDS, built_cycle, random_cycle

CYCLES = [random_cycle(np.random.default_rng(seed)) for seed in range(40)]
ONE_OF_EACH = [next(cycle for cycle in CYCLES if cycle.kind == kind) for kind in KINDS]


def of(model, material):
    """(N, 3) vertices of the faces of a material."""
    return model.vertices[np.unique(model.faces[model.material == material])]


@pytest.mark.parametrize("number", range(0, 40, 5))
def test_it_stands_on_two_wheels_as_far_apart_and_as_large_as_asked(number):
    cycle = replace(CYCLES[number], steer=0.0)
    model = built_cycle(cycle).model
    assert abs(model.vertices[:, 1].max()) < 1e-6
    tyres = of(model, Material.TYRE)
    for side in (-1, 1):
        own = tyres[tyres[:, 2] * side > 0]
        low, high = own.min(0), own.max(0)
        np.testing.assert_allclose(high[1:] - low[1:], 2 * cycle.wheel, rtol=0.02)
        assert abs(0.5 * (low[2] + high[2]) - side * cycle.base / 2) < 0.01 and high[1] > -0.01
    assert cycle.bars < model.height < cycle.bars + 0.6
    wide = 2 * (cycle.wide + (0.0 if cycle.kind == "bicycle" else 0.1))
    assert abs(np.ptp(model.vertices[:, 0]) - wide) < 0.12


@pytest.mark.parametrize("cycle", ONE_OF_EACH, ids=list(KINDS))
def test_it_is_in_one_piece_whatever_it_carries(cycle):
    for luggage in ((), ("basket",), ("parcel",), ("panniers",), ("child seat",), ("mudguards", "chain guard")):
        model = built_cycle(replace(cycle, luggage=frozenset(luggage))).model
        pixels = np.column_stack([200 * model.vertices[:, 2] + 300, 200 * model.vertices[:, 1] + 350,
                                  5 + model.vertices[:, 0]])
        mask = rasterize(pixels, model.faces, 400, 600).mask
        # Spokes are thinner than these pixels; two of them are a centimetre.
        near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        count, pieces = cv2.connectedComponents(near)
        assert np.bincount(pieces.ravel())[1:].max() > 0.97 * near.sum(), (count, luggage)


@pytest.mark.parametrize("cycle", ONE_OF_EACH, ids=list(KINDS))
def test_its_shadow_has_every_tube(cycle):
    own = View(intrinsics(240, 192, 50.0), looking(0.0, 0.5), np.array([0.0, -3.0, 0.0]), 240, 192)
    canvas = Canvas(own, 10.0, np.random.default_rng(0))
    canvas.ground[:] = True
    sun, place = np.array([0.6, -0.8, 0.0]), np.array([0.0, 0.0, 5.0])
    model = built_cycle(cycle).model
    canvas.draw(model, Look(), rotation(0.4), place, 1, Ambience(0.0, 0.0, 0.0), Light(sun, np.ones(3), np.zeros(3)))
    canvas.drop_shadows()
    # Where the rays of the sun through its vertices meet the ground, seen by a pinhole; triangles filled eight times
    # as fine, of which the middle of each pixel counts.
    world = model.vertices @ rotation(0.4).T + place
    flat = world + np.outer(-world[:, 1] / sun[1], sun)
    camera = (flat - own.position) @ own.rotation.T
    x, y = (8 * (own.k[i, i] * camera[:, i] / camera[:, 2] + own.k[i, 2] + 0.5) - 0.5 for i in (0, 1))
    fine = np.zeros((8 * 192, 8 * 240), np.uint8)
    for corners in np.column_stack([x, y])[model.faces]:
        cv2.fillConvexPoly(fine, np.round(corners).astype(np.int32), 1)
    expected = (fine[4::8, 4::8] > 0) & canvas.ground
    found = canvas.shade > 0.5
    assert expected.sum() > 150 and (found & expected).sum() > 0.85 * expected.sum()
    assert (found & ~expected).sum() < 0.15 * expected.sum()


@pytest.mark.parametrize("cycle", ONE_OF_EACH, ids=list(KINDS))
def test_steering_turns_the_front_about_its_axis_and_nothing_else(cycle):
    straight, turned = (built_cycle(replace(cycle, steer=steer)).model.vertices for steer in (0.0, 0.6))
    moved = np.abs(straight - turned).max(axis=1) > 1e-3
    # What is turned may lift both wheels off the ground by a little: the whole is set down again.
    lift = turned[~moved, 1] - straight[~moved, 1] if (~moved).any() else 0.0
    assert np.abs(lift).max(initial=0) < 1e-3
    slope = np.array([0, -1.0, np.tan(cycle.rake)]) / np.hypot(1, np.tan(cycle.rake))
    origin = np.array([0, -cycle.wheel, -cycle.base / 2])

    def away(points):
        """Distance from the steering axis, through the front axle and leaning back."""
        off = points - origin
        return np.linalg.norm(off - np.outer(off @ slope, slope), axis=1)

    def along(points):
        return (points - origin) @ slope

    np.testing.assert_allclose(away(turned[moved]), away(straight[moved]), atol=2e-3)
    np.testing.assert_allclose(along(turned[moved]), along(straight[moved]), atol=2e-3)
    front = straight[:, 2] < -0.25 * cycle.base
    assert moved[front].mean() > 0.6 and not moved[straight[:, 2] > 0.1].any()


def test_engines_are_warm_and_bicycles_have_none():
    for cycle in CYCLES:
        model = built_cycle(cycle).model
        assert (len(of(model, Material.HOT)) == 0) == (cycle.kind == "bicycle")
        assert (model.warmth.max() > 1) == (cycle.kind != "bicycle")
        warm = model.vertices[model.warmth > 1]
        assert (warm[:, 1] > -cycle.saddle).all()


def test_no_two_are_alike_and_the_same_seed_gives_the_same():
    assert {cycle.kind for cycle in CYCLES} == set(KINDS)
    sizes = np.array([(c.wheel, c.base, c.saddle, c.bars) for c in CYCLES])
    assert (sizes.std(axis=0) > (0.02, 0.08, 0.04, 0.05)).all()
    again = built_cycle(random_cycle(np.random.default_rng(3))).model
    np.testing.assert_array_equal(again.vertices, built_cycle(CYCLES[3]).model.vertices)


def test_riders_sit_on_their_saddles_and_ride_along_the_road(monkeypatch):
    drawn = []
    original = scenes._Director.draw

    def draw(self, model, look, label, position, heading, lean=0.0):
        drawn.append((self.stage.road, model, label, np.asarray(position, np.float64), heading, lean))
        original(self, model, look, label, position, heading, lean)

    monkeypatch.setattr(scenes._Director, "draw", draw)
    cast, rows = Cast(None, 8), 0
    known = [cast.cycle(np.random.default_rng(i)) for i in range(900)]
    saddles = {id(vehicle.model): vehicle.saddle for vehicle in known}
    monkeypatch.setattr(scenes, "_CYCLISTS", 1.0)
    monkeypatch.setattr(scenes, "_PARKED_CYCLES", 0.0)
    for seed in range(6):
        drawn.clear()
        random_scene(seed, 96, 80, cast, "street")
        for first, second in zip(drawn, drawn[1:], strict=False):
            (road, cycle, label, place, heading, lean), (_, body, other, at, own, _) = first, second
            if label != "bicycle" or other != "person" or own != heading or body.seat is None:
                continue
            seat = at + rotation(heading) @ rotation(0, 0, lean) @ (body.seat * (0, 1, 0))
            saddle = place + rotation(heading) @ rotation(0, 0, lean) @ saddles[id(cycle)]
            np.testing.assert_allclose(seat, saddle, atol=1e-5)
            off = (heading - road.angle + np.pi / 2) % np.pi - np.pi / 2
            rows += abs(off) < 0.5
    assert rows >= 6


def test_one_drives_away_on_the_right_and_comes_towards_the_camera_on_the_left():
    road = Road(0.3, 1.0, 4.0)
    for across in (-3.0, 3.0):
        front = rotation(road.facing(across)) @ (0, 0, -1)
        ahead = road.at(across, 11.0) - road.at(across, 10.0)
        np.testing.assert_allclose(front, np.sign(across) * ahead, atol=1e-6)


def test_rows_of_parked_ones_stand_apart_and_lean(monkeypatch):
    monkeypatch.setattr(scenes, "_PARKED_CYCLES", 1.0)
    monkeypatch.setattr(scenes, "_CYCLISTS", 0.0)
    cast = Cast(None, 8)
    most = 0
    for seed in range(12):
        labels = random_scene(seed, 160, 128, cast, "street").labels
        most = max(most, labels.count("bicycle"))
    assert most >= 3
