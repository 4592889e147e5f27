"""Rendered pairs: registration, truth, temperatures, determinism, and the bodies against the archive's own formula."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.mesh import box, quad, rotation
from thermal_kd_ros.simulation.render import View, intrinsics, looking
from training.data.coco import DataError
from training.data.pair_scenes import roadside
from training.data.pair_scenes import scene as scenes
from training.data.pair_scenes.ambience import Ambience
from training.data.pair_scenes.animals import quadruped, random_cat, random_dog
from training.data.pair_scenes.assets import AXES, HumanAssets
from training.data.pair_scenes.bodies import BodySpec, build_body
from training.data.pair_scenes.canvas import Canvas, Light
from training.data.pair_scenes.casting import Cast
from training.data.pair_scenes.coachwork import individual
from training.data.pair_scenes.displays import displayed, palette_grey
from training.data.pair_scenes.materials import COUNT, Look, Material, person_look
from training.data.pair_scenes.model import part
from training.data.pair_scenes.scene import MIN_INSIDE, MIN_SIZE_PX, MIN_UNCOVERED, PairScene, random_scene
from training.data.pair_scenes.sensors import MIN_CONTRAST, SENSORS, contrast, judged, measured, photograph, visible
from training.data.pair_scenes.stage import Road, build_stage
from training.data.pair_scenes.stand_ins import simple_body
from training.data.pair_scenes.vehicles import load_vehicles, vehicle_look
from training.data.render_pairs import CATEGORIES

NOTHING = Ambience(0.0, 0.0, 0.0)
DARK = Light(np.array([0.0, -1.0, 0.0]), np.zeros(3), np.zeros(3))


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast(None, bodies=8)


@pytest.fixture(scope="module")
def assets(shared_data: Path) -> Path:
    folder = shared_data / "render_assets"
    if not folder.is_dir():
        pytest.skip(f"the mesh archives are not on this machine ({folder})")
    return folder


def view(width: int = 120, height: int = 96) -> View:
    return View(intrinsics(width, height, 50.0), looking(0.1, 0.05, 0.03), np.array([0.0, -1.1, 0.0]), width, height)


def glowing() -> Look:
    """50 °C and bright in itself, whatever the light."""
    look = Look()
    look.celsius[:] = 50.0
    look.gain[:] = 0.0
    look.rgb[:] = 1.0
    look.emission[:] = 1.0
    return look


def test_both_images_show_an_object_in_the_same_pixels() -> None:
    canvas = Canvas(view(), 0.0, np.random.default_rng(0))
    body = simple_body(np.random.default_rng(3), "walk")
    place, turn = np.array([0.4, 0.0, 4.0]), rotation(0.7)
    footprint = canvas.draw(body, glowing(), turn, place, 5, NOTHING)
    mine = canvas.objects == 5
    assert mine.sum() > 200 and footprint is not None and footprint.pixels == mine.sum()
    np.testing.assert_array_equal(canvas.celsius > 25, mine)
    np.testing.assert_array_equal(canvas.lit(DARK).mean(2) > 0.5, mine)
    # Where a pinhole camera puts the vertices, computed here.
    own = view()
    camera = (body.vertices @ turn.T + place - own.position) @ own.rotation.T
    x = own.k[0, 0] * camera[:, 0] / camera[:, 2] + own.k[0, 2]
    y = own.k[1, 1] * camera[:, 1] / camera[:, 2] + own.k[1, 2]
    rows, columns = np.nonzero(mine)
    assert np.allclose([columns.min(), columns.max(), rows.min(), rows.max()],
                       [x.min(), x.max(), y.min(), y.max()], atol=1.01)


def test_what_is_nearer_hides_what_is_farther_in_any_order() -> None:
    wall = part(box((-3, -3, -0.1), (3, 0, 0.1), 0.0), Material.WALL)
    body = simple_body(np.random.default_rng(1), "stand")
    for order in ((0, 1), (1, 0)):
        canvas = Canvas(view(), 0.0, np.random.default_rng(0))
        things = [(wall, np.array([0.0, 0, 3.0]), 1), (body, np.array([0.0, 0, 5.0]), 2)]
        for i in order:
            canvas.draw(things[i][0], glowing(), np.eye(3), things[i][1], things[i][2], NOTHING)
        assert not (canvas.objects == 2).any() and (canvas.objects == 1).any()


def test_a_shadow_falls_where_the_rays_of_the_sun_are_cut() -> None:
    own = replace(view(), rotation=looking(0.0, 0.5), position=np.array([0.0, -3.0, 0.0]))
    canvas = Canvas(own, 10.0, np.random.default_rng(0))
    rays = own.rays() @ own.rotation.astype(np.float32)
    scale = 3.0 / np.maximum(rays[..., 1], 1e-6)
    canvas.ground[:] = rays[..., 1] > 0
    canvas.distance[:] = scale * np.linalg.norm(rays, axis=2)
    sun = np.array([0.6, -0.8, 0.0])
    block = part(box((-0.5, -1.0, -0.5), (0.5, 0, 0.5), 0.0), Material.WALL)
    light = replace(DARK, sun=sun, sun_rgb=np.ones(3))
    canvas.draw(block, Look(), np.eye(3), np.array([0.0, 0, 5.0]), 1, NOTHING, light)
    canvas.drop_shadows()
    x, z = rays[..., 0] * scale, rays[..., 2] * scale
    # A point of the ground lies in the shadow of the box if some height of the ray to the sun is inside it.
    height = np.linspace(0, 1, 200)[:, None, None]
    cut = ((np.abs(x + 0.75 * height) < 0.5) & (np.abs(z - 5.0) < 0.5)).any(0) & canvas.ground
    wrong = (canvas.shade > 0.5) != cut
    assert cut.sum() > 50 and wrong.sum() < 0.12 * cut.sum()


def test_the_truth_of_a_scene_against_brute_force(cast: Cast) -> None:
    labels = set()
    for seed in range(12):
        scene = random_scene(seed, 160, 128, cast)
        assert scene.celsius.shape == scene.objects.shape == scene.radiance.shape[:2] == (128, 160)
        assert np.isfinite(scene.celsius).all() and np.isfinite(scene.radiance).all() and scene.radiance.min() >= 0
        assert len(scene.numbers) == len(scene.labels) == len(scene.boxes) == len(scene.ignore)
        for number, label, hull, ignore in zip(scene.numbers, scene.labels, scene.boxes, scene.ignore, strict=True):
            pixels = np.argwhere(scene.objects == number)
            top, left = pixels.min(0)
            bottom, right = pixels.max(0) + 1
            assert hull.tolist() == [left, top, right, bottom]
            assert label in CATEGORIES
            if max(right - left, bottom - top) < MIN_SIZE_PX:
                assert ignore
            labels.add(label)
        unlabelled = set(np.unique(scene.objects)) - set(scene.numbers.tolist()) - {0}
        assert all((scene.objects == number).sum() < 4 for number in unlabelled)
    assert "person" in labels and len(labels) >= 3
    assert 0 < MIN_INSIDE < MIN_UNCOVERED < 1


def test_a_seed_gives_the_same_scene_whatever_came_before(cast: Cast) -> None:
    first = photograph(random_scene(21, 96, 80, cast), 21, 0.5)
    fresh = Cast(None, bodies=8)
    random_scene(4, 96, 80, fresh)
    again = photograph(random_scene(21, 96, 80, fresh), 21, 0.5)
    np.testing.assert_array_equal(first.thermal, again.thermal)
    np.testing.assert_array_equal(first.visible, again.visible)
    np.testing.assert_array_equal(first.scene.boxes, again.scene.boxes)
    other = random_scene(22, 96, 80, cast)
    assert not np.array_equal(first.scene.celsius, other.celsius)


def test_people_are_as_warm_as_people_are() -> None:
    rng = np.random.default_rng(5)
    covered, bare = (Material.TOP, Material.BOTTOM, Material.SHOE, Material.HAIR), (Material.SKIN, Material.HAND)
    for hour in ("day", "dusk", "night", "indoor") * 40:
        climate = random_climate(rng, hour)
        look = person_look(rng, climate.air, climate.sun)
        face = look.celsius[Material.FACE]
        assert 26 < face < 38
        low, high = min(climate.air, face) - 1.5, max(climate.air, face) + 8 * climate.sun + 1.5
        assert all(low <= look.celsius[m] <= high for m in (*covered, *bare))
        if climate.sun == 0 and climate.air < 25:
            assert look.celsius[Material.SHOE] < face and look.celsius[Material.BAG] < face
            assert look.celsius[Material.SKIN] > climate.air + 0.5 * (face - climate.air)


def test_indoor_people_stand_out_and_stay_in_the_range_of_bodies(cast: Cast) -> None:
    warmer = []
    for seed in range(14):
        scene = random_scene(seed, 128, 96, cast, "indoor")
        for number, label, ignore in zip(scene.numbers, scene.labels, scene.ignore, strict=True):
            if label == "person" and not ignore:
                body = scene.celsius[scene.objects == number]
                assert scene.air - 3 < body.min() and body.max() < 42
                warmer.append(body.mean() > scene.air)
    assert len(warmer) > 8 and np.mean(warmer) > 0.95


def test_a_running_engine_shows_at_the_front_and_glass_mirrors_a_cold_sky(assets: Path) -> None:
    cold = Climate(10.0, -25.0, 12, 12, 9, 10, 11, 8, 0.0)
    look = vehicle_look(np.random.default_rng(0), cold, running=True)
    parked = [vehicle_look(np.random.default_rng(i), cold, running=False) for i in range(20)]
    assert all(p.celsius[Material.GLASS] < 10.0 and p.celsius[Material.PAINT] <= 10.0 for p in parked)
    assert look.celsius[Material.HOT] > 20 and look.celsius[Material.TYRE] > 13
    for vehicle in load_vehicles(assets):
        assert 0.8 < vehicle.model.height < 4.2
        if vehicle.label != "car":
            continue
        depth = vehicle.model.vertices[:, 2]
        front = depth < np.quantile(depth, 0.2)
        assert vehicle.model.warmth[front].mean() > 3 * max(vehicle.model.warmth[depth > 0].mean(), 0.02)
        used = set(vehicle.model.material.tolist())
        assert {Material.TYRE, Material.GLASS, Material.HOOD, Material.HOT} <= used


def test_glossy_surfaces_mirror_what_lies_in_the_mirrored_direction() -> None:
    """A pane turned by every angle against one ray after the other, followed by hand."""
    around = Ambience(10.0, -30.0, 25.0)
    straight = View(intrinsics(33, 33, 20.0), np.eye(3), np.zeros(3), 33, 33)
    corners = np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], np.float32)
    look = Look().set(Material.GLASS, 15.0, np.full(3, 0.5, np.float32))
    seen = []
    for tilt in np.deg2rad([-60, -20, 0, 20, 45, 60]):
        pane = part(quad(corners, 0.0), Material.GLASS)
        canvas = Canvas(straight, 0.0, np.random.default_rng(0))
        canvas.grain[:] = 0
        canvas.draw(pane, look, rotation(0.0, float(tilt)), np.array([0, 0, 30.0]), 1, around)
        normal = rotation(0.0, float(tilt)) @ np.array([0, 0, -1.0])
        ray = np.array([0.0, 0.0, 1.0])  # through the middle of the picture
        out = ray - 2 * (ray @ normal) * normal
        if out[1] < -0.1:
            mirrored = around.sky + (around.air - 1.5 - around.sky) * np.exp(out[1] / 0.16)
        elif out[1] > 0.1:
            mirrored = around.ground
        else:
            mirrored = 0.5 * (around.air - 1.5) + 0.5 * around.ground
        share = 0.14 + (0.7 - 0.14) * (1 - abs(ray @ normal)) ** 2
        assert canvas.celsius[16, 16] == pytest.approx(15 + share * (mirrored - 15), abs=0.1)
        seen.append(float(canvas.celsius[16, 16]))
    assert max(seen) > 15 and min(seen) < 10


def test_the_ground_below_a_car_is_warmed_and_nothing_else() -> None:
    street = View(intrinsics(64, 48, 60.0), looking(0.0, 0.3, 0.0), np.array([0.0, -1.5, 0.0]), 64, 48)
    canvas = Canvas(street, 0.0, np.random.default_rng(0))
    rays = street.rays() @ street.rotation
    hits = rays[..., 1] > 0.05
    canvas.ground[hits] = True
    scale = 1.5 / np.where(hits, rays[..., 1], 1.0)
    canvas.distance[hits] = (scale * np.linalg.norm(rays, axis=2))[hits]
    canvas.heat_ground(np.array([0.5, 0, 6.0]), (0.8, 2.0), 0.4, 5.0)
    x, z = rays[..., 0] * scale - 0.5, rays[..., 2] * scale - 6.0
    for (i, j), warm in np.ndenumerate(canvas.celsius):
        along = x[i, j] * np.sin(0.4) + z[i, j] * np.cos(0.4)
        across = x[i, j] * np.cos(0.4) - z[i, j] * np.sin(0.4)
        outside = max(abs(across) - 0.8, abs(along) - 2.0)
        assert warm == pytest.approx(5 * min(max(0.5 - outside / 0.5, 0), 1) if hits[i, j] else 0, abs=0.02)
    assert canvas.celsius.max() > 4.9


def test_nobody_sees_into_a_car(assets: Path) -> None:
    """Rays from ahead and from behind, at the height of heads: what they meet first is glass or the frame around it."""
    for vehicle in load_vehicles(assets):
        if vehicle.label != "car":
            continue
        model = vehicle.model
        for side in (-1, 1):
            eye = np.array([0.0, -0.82 * model.height, 12.0 * side])
            ahead = View(intrinsics(64, 48, 10.0), looking(0.0 if side < 0 else np.pi, 0.0, 0.0), eye, 64, 48)
            canvas = Canvas(ahead, 0.0, np.random.default_rng(0))
            look = Look()
            look.celsius[:], look.gain[:] = 10.0, 0.0
            look.celsius[Material.GLASS] = 0.0
            canvas.draw(model, look, np.eye(3), np.zeros(3), 1, Ambience(5.0, 5.0, 5.0))
            window = canvas.objects[20:29, 27:37] == 1
            if window.mean() > 0.9:  # not over the bed of a pick-up
                assert np.median(canvas.celsius[20:29, 27:37][window]) < 5, (vehicle.label, side)


def test_a_place_on_the_road_is_moved_beside_it_and_no_other() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        road = Road(rng.normal(0, 0.5), rng.uniform(-5, 5), rng.uniform(2, 7))
        kerb = rotation(road.angle) @ np.array([1.0, 0, 0])
        ahead = rotation(road.angle) @ np.array([0, 0, 1.0])
        place = np.array([rng.uniform(-20, 20), 0.0, rng.uniform(2, 60)])
        moved = road.beside(place, 0.5)
        off, after = place @ kerb - road.middle, moved @ kerb - road.middle
        assert abs(after) >= road.half + 0.5 - 1e-4
        assert moved @ ahead == pytest.approx(place @ ahead, abs=1e-4)
        if abs(off) >= road.half + 0.5:
            np.testing.assert_array_equal(moved, place)
        else:
            assert np.sign(after) == np.sign(off)
        across, along = rng.uniform(-9, 9), rng.uniform(0, 50)
        there = road.at(across, along)
        assert there @ kerb - road.middle == pytest.approx(across, abs=1e-4)
        assert there @ ahead == pytest.approx(along, abs=1e-4)


def test_streets_alone_have_a_road() -> None:
    for kind in ("street", "yard", "indoor"):
        stage = build_stage(np.random.default_rng(2), kind, view())
        assert (stage.road is not None) == (kind == "street")


def test_contrast_against_counting_pixel_by_pixel() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        picture = rng.normal(20, 3, (14, 17)).astype(np.float32)
        mask = np.zeros((14, 17), bool)
        top, left = rng.integers(0, 10, 2)
        mask[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = True
        across = [abs(picture[i, j] - picture[i + di, j + dj]) for i in range(14) for j in range(17)
                  for di, dj in ((0, 4), (4, 0)) if i + di < 14 and j + dj < 17 and mask[i, j] != mask[i + di, j + dj]]
        wanted = max(np.mean(across) if across else 0.0, np.std(picture[mask]))
        assert contrast(picture, mask) == pytest.approx(wanted, rel=1e-4)
    assert contrast(np.full((8, 8), 3.0, np.float32), np.eye(8, dtype=bool)) == 0
    assert contrast(np.ones((8, 8), np.float32), np.zeros((8, 8), bool)) == 0


@pytest.mark.parametrize("kelvin", [0.0, 0.4 * MIN_CONTRAST, 3 * MIN_CONTRAST])
def test_what_the_picture_does_not_show_is_not_judged(kelvin: float) -> None:
    """Two squares on a slope of one unit: one as warm as what is around it or hardly warmer, one far warmer."""
    picture = np.tile(np.linspace(0, 1, 48, dtype=np.float32)[:, None], (1, 64))
    objects = np.zeros((48, 64), np.int16)
    objects[20:30, 8:18], objects[20:30, 40:50] = 1, 2
    flat = np.float32(picture[25, 0])
    picture[14:36] = flat
    picture[objects == 1] = flat + kelvin
    picture[objects == 2] = flat + 0.3
    scene = PairScene("yard", picture, np.zeros((48, 64, 3), np.float32), picture, objects, 0.0, False,
                      np.array([1, 2]), ("car", "person"), np.array([[8, 20, 18, 30], [40, 20, 50, 30]], np.float32),
                      np.zeros(2, bool))
    assert judged(scene, picture).ignore.tolist() == [kelvin < MIN_CONTRAST, False]
    assert judged(replace(scene, ignore=np.array([False, True])), picture).ignore[1]
    assert not scene.ignore.any()


def test_every_car_is_another_with_plates_lamps_and_rims(assets: Path) -> None:
    for vehicle in load_vehicles(assets):
        if vehicle.saddle is not None:
            continue
        cars = [individual(np.random.default_rng(i), vehicle.model) for i in range(12)]
        again = individual(np.random.default_rng(3), vehicle.model)
        np.testing.assert_array_equal(cars[3].vertices, again.vertices)
        sizes = np.array([np.ptp(car.vertices, axis=0) for car in cars])
        assert len(np.unique(sizes.round(3), axis=0)) == 12
        usual = np.ptp(vehicle.model.vertices, axis=0)
        assert (np.abs(sizes / usual - 1) < 0.25).all()
        for car in cars:
            assert abs(car.vertices[:, 1].max() - vehicle.model.vertices[:, 1].max()) < 0.05
            # What is fitted on sits on the body.
            assert np.abs(car.vertices[car.faces[car.material == Material.PLATE]][..., 2]).max(initial=0) < (
                0.5 * np.ptp(car.vertices[:, 2]) + 0.1)
        kinds = set(np.concatenate([car.material for car in cars]).tolist())
        assert {Material.PLATE, Material.LAMP, Material.BUMPER} <= kinds
        if vehicle.label == "car":
            assert all((car.material == Material.METAL).any() for car in cars)
    assert not (vehicle.model.material == Material.PLATE).any()  # the archive's own is as it was


def test_a_body_is_posed_as_the_archive_says(assets: Path) -> None:
    """The formula of the archive's README, one joint and one vertex after the other in float64."""
    human = HumanAssets(assets)
    a = human.arrays
    shape = {"male-young-averagemuscle-averageweight": 1.0, "caucasian-male-young": 1.0}
    pose = a["pose_rot"][human.poses["walk_2"]]
    model = build_body(np.random.default_rng(0), human, BodySpec(shape, pose, (), False, False, False))
    weights = np.zeros(len(a["target_names"]))
    for name, value in shape.items():
        weights[human.targets[name]] = value
    rest = a["vertices"] + np.tensordot(weights, a["target_delta"].astype(float), 1) * float(a["target_unit_m"])
    joints = a["joint_rest"] + np.tensordot(weights, a["joint_target_delta"].astype(float), 1)
    globe: list[np.ndarray] = []
    for j, parent in enumerate(a["joint_parent"].tolist()):
        local = np.eye(4)
        local[:3, :3] = pose[j]
        local[:3, 3] = joints[j] - pose[j] @ joints[j]
        globe.append(local if parent < 0 else globe[parent] @ local)
    picked = np.unique(a["faces"])[::97]
    expected = []
    for v in picked:
        point = np.zeros(3)
        for joint, weight in zip(a["skin_joint"][v], a["skin_weight"][v].astype(float), strict=True):
            point += weight * (globe[joint] @ np.append(rest[v], 1))[:3]
        expected.append(point)
    used = np.unique(a["faces"])
    # The body comes first in the model; both up to the shift that puts it on the ground.
    got = model.vertices[np.searchsorted(used, picked)] * AXES
    np.testing.assert_allclose(got - got[0], np.array(expected) - expected[0], atol=2e-3)
    assert model.vertices[:, 1].max() == pytest.approx(0, abs=1e-6) and model.height == pytest.approx(1.75, abs=0.1)


def test_clothes_hide_skin_and_split_at_the_waist(assets: Path) -> None:
    human = HumanAssets(assets)
    shape = {"female-young-averagemuscle-averageweight": 1.0, "asian-female-young": 1.0}
    pose = human.arrays["pose_rot"][human.poses["standing01"]]
    spec = BodySpec(shape, pose, ("male_casualsuit06", "shoes01"), False, True, False)
    model = build_body(np.random.default_rng(0), human, spec)
    height = -model.vertices[model.faces].mean(1)[:, 1] / model.height
    top, bottom = (np.median(height[model.material == m]) for m in (Material.TOP, Material.BOTTOM))
    assert top > 0.55 > bottom
    assert height[model.material == Material.SHOE].max() < 0.2 < height[model.material == Material.FACE].min()
    bare = build_body(np.random.default_rng(0), human, replace(spec, items=()))
    assert (model.material == Material.SKIN).sum() < 0.6 * (bare.material == Material.SKIN).sum()


@pytest.mark.parametrize("make", [roadside.palm, roadside.great_tree, roadside.lantern, roadside.traffic_light,
                                  roadside.post, roadside.utility_pole])
def test_what_lines_a_street_stands_upright_on_the_ground(make) -> None:
    heights = []
    for seed in range(12):
        climate = random_climate(np.random.default_rng(seed), "day")
        model, look = make(np.random.default_rng(seed), climate)
        again, _ = make(np.random.default_rng(seed), climate)
        assert np.array_equal(model.vertices, again.vertices) and np.array_equal(model.warmth, again.warmth)
        assert np.isfinite(model.vertices).all() and np.isfinite(model.warmth).all()
        assert model.faces.max() < len(model.vertices)
        firm = model.vertices[model.faces[model.material != Material.LEAF].ravel()]
        foot = firm[firm[:, 1] > -0.05 * model.height]
        assert -0.01 < model.vertices[:, 1].max() < 0.7  # a rounded end is in the ground
        assert np.abs(foot[:, [0, 2]]).max() < 1.6
        used = look.celsius[np.unique(model.material)]
        assert (used > climate.air - 15).all() and (used < climate.air + 45).all()
        heights.append(model.height)
    assert 0.4 < min(heights) and max(heights) < 30 and np.ptp(heights) > 0.3


def test_coarse_models_keep_their_outline(assets: Path) -> None:
    model = Cast(assets, bodies=2).person(np.random.default_rng(0), "stand")
    coarse = model.coarse(0.03)
    assert len(coarse.faces) < 0.35 * len(model.faces)
    assert set(coarse.material.tolist()) <= set(model.material.tolist())
    np.testing.assert_allclose(coarse.vertices.min(0), model.vertices.min(0), atol=0.03)
    np.testing.assert_allclose(coarse.vertices.max(0), model.vertices.max(0), atol=0.03)
    assert coarse.faces.max() < len(coarse.vertices) == len(coarse.warmth)


def test_dogs_and_cats_stand_on_four_legs() -> None:
    for seed, spotted in enumerate((False, False, True)):
        rng = np.random.default_rng(seed)
        build = random_cat(rng) if spotted else random_dog(rng)
        model = quadruped(rng, build, "stand", spotted)
        low = model.vertices[model.vertices[:, 1] > -0.05 * build.shoulder]
        quarters = {(x > 0, z > 0) for x, _, z in low}
        assert len(quarters) == 4 and model.vertices[:, 1].max() < 0.06 * build.shoulder
        assert 0.8 * build.shoulder < model.height < 2.2 * build.shoulder
        spots = (model.material == Material.SPOT).mean()
        assert spots > 0.05 if spotted else spots < 0.2


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_sensors_neither_shift_nor_bias(sensor: object) -> None:
    y, x = np.mgrid[0:96, 0:120]
    spot = np.exp(-((x - 70.3) ** 2 + (y - 41.8) ** 2) / 60.0).astype(np.float32)
    near = np.hypot(x - 70, y - 42) < 18
    shifts, errors = [], []
    for seed in range(9):
        seen = measured(20 + 15 * spot, np.random.default_rng(seed), sensor)
        weight = np.clip(seen - np.median(seen) - 5, 0, None) * near
        shifts.append(((weight * x).sum() / weight.sum() - 70.3, (weight * y).sum() / weight.sum() - 41.8))
        errors.append(np.median(seen[:20]) - 20)
    # Medians: a dead pixel beside the spot moves its centre.
    assert np.abs(np.median(shifts, axis=0)).max() < 0.3 and np.abs(errors).max() < 3.5


def test_a_pair_of_cameras_sees_the_same_spot() -> None:
    y, x = np.mgrid[0:96, 0:120]
    spot = (np.hypot(x - 40.0, y - 60.0) < 12).astype(np.float32)
    for seed in range(8):
        scene = PairScene("yard", 10 + 20 * spot, np.repeat(spot[..., None], 3, 2) * 0.5, 5 * np.ones_like(spot),
                          np.zeros(spot.shape, np.int16), 10.0, False, np.zeros(0), (), np.zeros((0, 4), np.float32),
                          np.zeros(0, bool))
        pair = photograph(scene, seed, 0.0)
        assert pair.thermal.dtype == np.uint16 and pair.visible.dtype == np.uint8
        hot = pair.thermal / 100 - 273.15 > 20
        bright = pair.visible.mean(2) > 110
        for mask in (hot, bright):
            rows, columns = np.nonzero(mask)
            assert abs(rows.mean() - 60) < 0.7 and abs(columns.mean() - 40) < 0.7


def test_night_pictures_are_noisier_than_day_pictures() -> None:
    flat = np.ones((64, 64, 3), np.float32)
    noise = [np.mean([visible(level * flat, np.random.default_rng(seed)).astype(float).std(axis=(0, 1)).mean()
                      for seed in range(6)]) for level in (0.6, 0.02)]
    assert noise[1] > 2 * noise[0]


def test_false_colours_lose_the_order_of_temperatures_and_iron_keeps_it() -> None:
    assert (np.diff(palette_grey("rainbow").astype(int)) < 0).sum() > 20
    assert (np.diff(palette_grey("iron").astype(int)) >= 0).all()
    noise = np.random.default_rng(0).normal(0, 3, (48, 64)).astype(np.float32)
    picture = displayed(20 + noise, np.random.default_rng(1))
    assert picture.dtype == np.uint8 and picture.shape == (48, 64)


def test_missing_and_strange_archives_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="human.npz is missing.*stand-ins"):
        Cast(tmp_path)
    (tmp_path / "human.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="damaged or not a mesh archive"):
        Cast(tmp_path)
    np.savez_compressed(tmp_path / "human.npz", vertices=np.random.default_rng(0).random(300))
    whole = (tmp_path / "human.npz").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:500] + bytes(100) + whole[600:]):
        (tmp_path / "human.npz").write_bytes(damaged)
        with pytest.raises(DataError, match="damaged or not a mesh archive"):
            Cast(tmp_path)
    np.savez(tmp_path / "human.npz", vertices=np.zeros(3))
    with pytest.raises(DataError, match="lacks the arrays faces"):
        Cast(tmp_path)
    assert len(Look().celsius) == COUNT


def test_somebody_is_right_before_the_lens_in_a_part_of_the_scenes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def heights(share: float) -> list[float]:
        """Of the thing drawn first, as parts of the picture's; 0 where that is nobody."""
        monkeypatch.setattr(scenes, "_FACING_SHARE", share)
        found = []
        for seed in range(40, 52):
            scene = random_scene(seed, 160, 128, cast)
            box = next((box for number, label, box in zip(scene.numbers, scene.labels, scene.boxes, strict=True)
                        if number == 1 and label == "person"), np.zeros(4))
            found.append(float(box[3] - box[1]) / 128)
        return found

    assert np.mean([height > 0.4 for height in heights(1.0)]) > 0.8
    assert np.mean([height > 0.4 for height in heights(0.0)]) < 0.5


def test_spectacles_are_before_the_eyes_and_orbits_are_warm(assets: Path) -> None:
    human = HumanAssets(assets)
    shape = {"male-young-averagemuscle-averageweight": 1.0, "caucasian-male-young": 1.0}
    for pose in ("standing01", "lie_side_left", "look_down"):
        spec = BodySpec(shape, human.arrays["pose_rot"][human.poses[pose]], (), False, False, True)
        model = build_body(np.random.default_rng(0), human, spec)

        eyes, lenses, face = (model.vertices[np.unique(model.faces[model.material == material])]
                              for material in (Material.EYE, Material.LENS, Material.FACE))
        assert len(lenses) and Material.LENS not in build_body(
            np.random.default_rng(0), human, replace(spec, glasses=False)).material
        shift = lenses.mean(axis=0) - eyes.mean(axis=0)
        assert 0.012 < np.linalg.norm(shift) < 0.03
        # Away from the head's middle, and every lens at its eye.
        assert shift @ (eyes.mean(axis=0) - face.mean(axis=0)) > 0
        assert np.linalg.norm(lenses[:, None] - eyes[None], axis=2).min(axis=1).max() < 0.05
        skin = np.unique(model.faces[model.material == Material.FACE])
        near = np.linalg.norm(model.vertices[skin][:, None] - eyes[None], axis=2).min(axis=1) < 0.015
        assert model.warmth[skin][near].mean() > np.median(model.warmth[skin])
