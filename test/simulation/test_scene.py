"""The truth about a scene agrees with what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.simulation.actors import Behaviour, MeshActor, Path, PersonActor
from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.config import KINDS
from thermal_kd_ros.simulation.mesh import Mesh, box
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.portrait import Traits
from thermal_kd_ros.simulation.recipes import build_scene
from thermal_kd_ros.simulation.render import Canvas, View, intrinsics, looking
from thermal_kd_ros.simulation.scene import MIN_SIZE_PX, MIN_VISIBLE, Scene, SceneSpec
from thermal_kd_ros.simulation.vehicles import SHAPES, car, two_wheeler

W, H = 320, 256


def _scene(actors: tuple, scenery: tuple[Mesh, ...] = (), eye: float = 1.2) -> Scene:
    view = View(intrinsics(W, H, 45.0), looking(0, 0), np.array([0.0, -eye, 0.0]), W, H)
    canvas = Canvas(np.full((H, W), 15.0, np.float32), np.full((H, W), np.inf, np.float32))
    return Scene(SceneSpec(view, 0.0, 0.0, canvas, scenery, actors, 12.0), W, H)


def _person(z: float, heading: float = 0.0, x: float = 0.0, seed: int = 0) -> PersonActor:
    person = Person(np.random.default_rng(seed), 15.0, Traits())
    person.height = 1.7
    return PersonActor(person, Path(x, z, heading), Behaviour(wander=0.0))


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_tight_around_the_drawn_objects(kind: str) -> None:
    boxes = 0
    for seed in range(3):
        scene = build_scene(kind, np.random.default_rng(seed), intrinsics(W, H, 45.0), W, H)
        for t in (0.0, 2.3):
            image = scene.render(t)
            assert (
                len(image.boxes) == len(image.labels) == len(image.ignore) == len(image.visible) == len(image.numbers)
            )
            assert np.isfinite(image.celsius).all() and -60 < image.celsius.min() and image.celsius.max() < 130
            for number, found, label in zip(image.numbers, image.boxes, image.labels, strict=True):
                rows, columns = np.nonzero(image.objects == number)
                np.testing.assert_array_equal(found, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                assert label in ("person", "car", "bicycle")
                boxes += 1
            for number in set(np.unique(image.objects)) - set(image.numbers) - {0}:
                unlabelled = scene.spec.actors[number - 1].label is None
                assert unlabelled or np.count_nonzero(image.objects == number) < 4
            for face in image.faces:
                np.testing.assert_array_equal(face.box, face_box(face.landmarks))
                assert face.landmarks.shape == (54, 2) and face.visible.shape == (54,)
    assert boxes > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hfov", [45.0, 90.0, 130.0])
def test_the_camera_never_turns_beyond_its_backdrop(kind: str, hfov: float) -> None:
    width, height = 64, 48
    x, y = np.meshgrid([0, width - 1], [0, height - 1])
    corners = np.stack([x.ravel(), y.ravel(), np.ones(4)])
    moved = 0.0
    for seed in range(3):
        scene = build_scene(kind, np.random.default_rng(seed), intrinsics(width, height, hfov), width, height)
        wide = scene.spec.view
        for t in np.linspace(0, 100, 300):
            view = scene.view(t)
            u, v, z = wide.k @ wide.rotation @ view.rotation.T @ np.linalg.inv(view.k) @ corners
            assert (z > 0).all()
            assert (np.stack([u, v]) / z >= 0).all()
            assert (u / z <= wide.width - 1).all() and (v / z <= wide.height - 1).all()
            moved = max(moved, float(np.abs(u / z - (corners[0] + (wide.width - width) / 2)).max()))
    assert moved > 1.0


def test_person_stands_where_the_camera_geometry_says() -> None:
    image = _scene((_person(4.0),)).render(0.0)
    (found,) = image.boxes
    focal = image.k[0, 0]
    top, bottom = H / 2 + focal * (1.2 - 1.7) / 4.0, H / 2 + focal * 1.2 / 4.0
    assert image.labels == ("person",) and not image.ignore[0]
    np.testing.assert_allclose([found[1], found[3]], [top, bottom], atol=0.05 * (bottom - top))
    assert image.visible[0] > 0.99


def test_half_hidden_and_hidden_objects() -> None:
    def wall(top: float) -> tuple[Mesh, ...]:
        return (box((-3, -top, 2.5), (3, 0, 2.6), 14.0),)

    half = _scene((_person(4.0),), wall(1.2)).render(0.0)
    assert 0.1 < half.visible[0] < 0.6
    hidden = _scene((_person(4.0),), wall(2.5)).render(0.0)
    assert len(hidden.boxes) == 0 and len(hidden.faces) == 0
    crown = _scene((_person(4.0, heading=np.pi),), wall(1.42)).render(0.0)
    assert crown.visible[0] < MIN_VISIBLE and crown.ignore[0]


def test_small_objects_are_ignored() -> None:
    image = _scene((_person(170.0),)).render(0.0)
    assert len(image.boxes) == 0 or (np.ptp(image.boxes[0, 1::2]) < MIN_SIZE_PX and image.ignore[0])


def test_faces_that_count_and_faces_that_do_not() -> None:
    close = _scene((_person(1.6),), eye=1.5).render(0.0)
    (face,) = close.faces
    assert not face.ignore and face.visible.mean() > 0.7
    width, height = face.box[2:] - face.box[:2]
    assert 0.8 < width / height < 1.5
    assert _scene((_person(1.6, heading=np.pi),), eye=1.5).render(0.0).faces == ()
    (profile,) = _scene((_person(1.6, heading=np.radians(85)),), eye=1.5).render(0.0).faces
    assert profile.ignore
    far = _scene((_person(6.0),), eye=1.5).render(0.0)
    assert all(face.ignore for face in far.faces)


def test_turning_right_shows_the_left_side_of_the_face() -> None:
    (face,) = _scene((_person(1.6, heading=0.6),), eye=1.5).render(0.0).faces
    nose, right, left = face.landmarks[30, 0], face.landmarks[36, 0], face.landmarks[45, 0]
    assert nose - right < left - nose


def test_walking_moves_the_person_and_the_clock_is_all_that_matters() -> None:
    actor = _person(5.0)
    walker = PersonActor(actor.person, Path(-1.0, 5.0, -np.pi / 2, 1.0, 10.0), Behaviour("walk"))
    scene = _scene((walker,))
    first, later, again = scene.render(0.0), scene.render(1.0), scene.render(0.0)
    assert later.boxes[0, 0] > first.boxes[0, 0] + 20
    np.testing.assert_array_equal(first.celsius, again.celsius)


def test_parked_cars_after_sunset_are_darker_than_the_road_and_running_cars_have_hot_hoods() -> None:
    climate = Climate(air=10, sky=-25, road=15, pavement=14, grass=8, tree=10, wall=12, roof=6, sun=0)
    rng = np.random.default_rng(0)
    for style in SHAPES:
        cold, hot = car(rng, climate, "cold", style), car(rng, climate, "running", style)
        assert np.median(cold.temperature) < climate.road - 3
        front = hot.vertices[:, 2] < -0.2 * np.ptp(hot.vertices[:, 2])
        assert hot.temperature[front].mean() > cold.temperature[front].mean() + 2
        length, width = np.ptp(cold.vertices[:, 2]), np.ptp(cold.vertices[:, 0])
        assert 3.5 < length < 5.6 and 1.6 < width < 2.2 and np.abs(cold.vertices[:, 1].max()) < 0.02


def test_still_and_moving_copies_of_a_thing_are_drawn_alike() -> None:
    climate = random_climate(np.random.default_rng(2), "night")
    bike = two_wheeler(np.random.default_rng(1), climate, False, "bicycle")
    still = _scene((MeshActor(bike, Path(0.3, 5.0, 0.8), "bicycle"),)).render(0.0)
    moving = _scene((MeshActor(bike, Path(0.3, 5.0, 0.8, speed=1e-9, length=1.0), "bicycle"),)).render(0.0)
    np.testing.assert_allclose(still.boxes, moving.boxes, atol=1.0)
    assert still.labels == moving.labels == ("bicycle",)
