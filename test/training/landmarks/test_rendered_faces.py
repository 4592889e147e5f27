"""Rendered heads and the crops and scenes made of them."""

import os

import numpy as np
import pytest

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.layouts import get_layout
from training.data import face_renderer
from training.data.coco import DataError
from training.data.compositing import camera, foliage, motion_kernel, moved, place, similarity, with_legs
from training.data.face_heat import random_style
from training.data.face_mesh import random_shape
from training.data.face_renderer import BUST, PATCH, Pose, random_pose, render_head
from training.data.face_wear import stand_off
from training.data.head_cache import HeadCache, even_jaw
from training.data.rendered_faces import CropConfig, LandmarkCrops, RenderedFaceScenes

LAYOUT = get_layout("sf_tl54")


@pytest.fixture(scope="module")
def model(shared_data):
    path = shared_data / "render_assets" / "ict_face.npz"
    if not path.is_file():
        pytest.skip(f"the head model is not on this machine ({path})")
    from training.data.face_mesh import load_head

    return load_head(path)


@pytest.fixture(scope="module")
def cache_file(tmp_path_factory):
    """Six painted discs in place of heads: the data sets need no mesh."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:PATCH, :PATCH] + 0.5
    patches = np.zeros((6, PATCH, PATCH), np.uint16)
    patches[:, np.hypot(x - 96, y - 96) < 50] = 30700
    patches[:, 130:, 70:120] = 30000
    points = np.tile(96 + 40 * rng.uniform(-1, 1, (1, 54, 2)), (6, 1, 1)).astype(np.float32)
    points[:, 8], points[:, 27] = (96, 140), (96, 90)
    pose = np.zeros((6, 3), np.float32)
    pose[5, 0] = 170.0
    path = tmp_path_factory.mktemp("cache") / "heads.npz"
    axes = np.tile(np.array([[5, 0], [0, -5], [0, 0]], np.float32), (6, 1, 1))
    np.savez(path, patches=patches, points=points, surface_points=points, visible=np.ones((6, 54), bool),
             axes=axes, pose=pose, ambient=np.full(6, 22.0, np.float32))
    return path


class HerePool:
    """A pool of processes that does its work here."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, function, jobs, **_):
        return map(function, jobs)


@pytest.fixture
def no_mesh(monkeypatch):
    """Rendering without the head model: all heads are blank."""
    row = (np.zeros((PATCH, PATCH), np.uint16), *[np.zeros((54, 2), np.float32)] * 6)
    monkeypatch.setattr(face_renderer, "load_head", lambda path: None)
    monkeypatch.setattr(face_renderer, "workers", HerePool)
    monkeypatch.setattr(face_renderer, "_render_one", lambda job: row)


def test_a_cache_is_written_as_it_is_named_for_all_to_read(no_mesh, tmp_path):
    for name in ("heads.npz", "heads"):
        assert face_renderer.main(["--count", "2", "--assets", "-", "--output", str(tmp_path / "new" / name)]) == 0
        with np.load(tmp_path / "new" / name) as archive:
            assert archive["patches"].shape == (2, PATCH, PATCH)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "new" / "heads.npz").stat().st_mode & 0o777 == 0o666 & ~umask
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["heads", "heads.npz"]


def test_a_cache_on_a_full_disk_is_told_and_leaves_nothing_behind(no_mesh, tmp_path, little_room, capsys):
    with little_room():
        assert face_renderer.main(["--count", "2", "--assets", "-", "--output", str(tmp_path / "heads.npz")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: [Errno 27]")
    assert not list(tmp_path.iterdir())


def test_a_place_for_the_cache_is_looked_for_before_rendering(no_mesh, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(face_renderer, "_render_one", lambda job: pytest.fail("rendered"))
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "file" / "heads.npz", tmp_path):
        assert face_renderer.main(["--count", "2", "--assets", "-", "--output", str(where)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and str(tmp_path) in error and error.count("\n") == 1
    for option, value in (("--count", "0"), ("--seed", "-1"), ("--processes", "0")):
        assert face_renderer.main(["--assets", "-", "--output", str(tmp_path / "heads.npz"), option, value]) == 1
        assert capsys.readouterr().err.startswith(f"error: {option} {value}: give at least ")


def test_a_head_is_a_function_of_its_seed(model):
    first, second = (render_head(model, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.temperature, second.temperature)
    np.testing.assert_array_equal(first.points, second.points)


def test_ordinary_crops_show_a_face_that_fills_them_and_the_others_vary_more(cache_file):
    cache = HeadCache([cache_file])

    def boxes(ordinary):
        """Side and middle of the face's box in crops, as parts of the crop's."""
        crops = LandmarkCrops(cache, [], 3, CropConfig(size=64, ordinary=ordinary))
        found = []
        for crops.epoch in range(20):
            found += [face_box(crops[i][1]) / 64 for i in range(5)]
        found = np.array(found)
        return (found[:, 2:] - found[:, :2]).max(axis=1), np.abs((found[:, :2] + found[:, 2:]) / 2 - 0.5).max(axis=1)

    side, off = boxes(1.0)
    # A right box fills 1 / 1.3 of its crop; what the head is turned by makes its box a little larger.
    assert (side > 0.95 / 1.3 / 1.2).all() and (side < 1.15 / 1.3 / 0.85).all() and off.max() < 0.1
    wide, far = boxes(0.0)
    assert wide.std() > 1.5 * side.std() and far.max() > 1.3 * off.max()
    some = boxes(0.5)[0]
    assert side.std() < some.std()
    one, other = (LandmarkCrops(cache, [], 3, CropConfig(size=64, ordinary=part))[0] for part in (0.0, 1e-9))
    assert not np.array_equal(one[1], other[1])  # drawn from the same stream, after the choice


def test_glasses_stand_askew_and_their_temples_at_any_height(model):
    from training.data.face_heat import random_style
    from training.data.face_wear import glasses

    slopes, tilts = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        parts = glasses(random_style(rng), rng)
        lenses = [part.vertices for part in parts[0:4:2]]
        (left, right) = sorted((lens.reshape(-1, 3).mean(axis=0) for lens in lenses), key=lambda v: v[0])
        tilts.append(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
        temple = parts[1].vertices.reshape(-1, 3)
        front, back = temple[temple[:, 2].argmax()], temple[temple[:, 2].argmin()]
        slopes.append(np.degrees(np.arctan2(back[1] - front[1], front[2] - back[2])))
    assert 1.0 < np.std(tilts) < 4.0 and abs(np.mean(tilts)) < 1.0
    assert 3.0 < np.std(slopes) < 9.0 and abs(np.mean(slopes)) < 4.0


def test_landmarks_lie_on_the_head_and_fill_the_face_box(model):
    head = render_head(model, np.random.default_rng(2), Pose(0.0, 0.0, 0.0, 120.0))
    assert head.visible[27:48].mean() > 0.8 or head.style.glasses
    columns, rows = np.floor(head.surface_points).astype(int).T
    assert np.isfinite(head.temperature[rows, columns]).mean() > 0.9
    # Frontal: the subject's right is on the left of the image, the brows are above the chin.
    assert head.points[36, 0] < head.points[45, 0] and head.points[19, 1] < head.points[8, 1]
    box = face_box(head.points)
    assert (box[:2] <= head.points.min(0)).all() and (box[2:] >= head.points.max(0)).all()
    assert 15 < np.nanmedian(head.temperature) < 40


def test_turning_hides_the_far_side_and_slides_its_jaw_points_outwards(model):
    head = render_head(model, np.random.default_rng(4), Pose(45.0, 0.0, 0.0, 150.0))
    # The face looks to the image right: its left side is hidden, its jaw points move to the right-hand contour.
    assert (head.points[11:17, 0] >= head.surface_points[11:17, 0] - 1e-3).all()
    assert head.points[14, 0] > head.surface_points[14, 0] + 1.0
    np.testing.assert_array_equal(head.points[17:], head.surface_points[17:])


def test_axes_predict_where_a_centimetre_goes(model):
    head = render_head(model, np.random.default_rng(6), Pose(0.0, 0.0, 0.0, 200.0))
    assert head.axes[0, 0] > 0 and abs(head.axes[0, 1]) < 1e-3
    assert head.axes[1, 1] < 0
    assert np.linalg.norm(head.axes[0]) == pytest.approx(np.linalg.norm(head.axes[1]), rel=1e-3)


@pytest.mark.parametrize("distance", [45.0, 90.0, 250.0])
def test_axes_hold_in_the_plane_of_the_face_however_near_it_is(model, distance):
    """The eyes' outer corners lie there."""
    head = render_head(model, np.random.default_rng(6), Pose(0.0, 0.0, 0.0, distance))
    rng = np.random.default_rng(6)
    random_style(rng)
    right, left = random_shape(model, rng)[model.landmarks[[36, 45]]]
    seen = np.linalg.norm(head.surface_points[45] - head.surface_points[36])
    assert np.linalg.norm(head.axes[0]) * np.linalg.norm(left - right) == pytest.approx(seen, rel=0.05)


def test_a_bust_is_the_same_head_with_more_of_the_body(model):
    head, bust = (render_head(model, np.random.default_rng(2), size=size) for size in (PATCH, BUST))
    shift = (BUST - PATCH) // 2
    np.testing.assert_allclose(bust.points, head.points + (shift, 0), atol=1e-3)
    window = bust.temperature[:PATCH, shift : shift + PATCH]
    assert np.isclose(window, head.temperature, atol=0.01, equal_nan=True).mean() > 0.995
    assert np.isfinite(bust.temperature[PATCH:]).sum() > 0.2 * (BUST - PATCH) * BUST


def test_legs_hang_below_the_trunk_and_keep_the_head():
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 60), np.float32)
    mask[:, 20:40] = 1.0
    patch, cover = with_legs(30.0 * mask, mask, rng, 80)
    assert patch.shape == cover.shape == (120, 60)
    np.testing.assert_array_equal(patch[:40], 30.0 * mask)
    assert (cover[40:].sum(axis=1) > 2).all() and cover.min() >= 0 and cover.max() <= 1
    assert np.isfinite(patch).all() and (patch[cover == 0] == 0).all()
    # Two of them, with a gap between near the feet.
    assert np.count_nonzero(np.diff((cover[-5] > 0.5).astype(int)) == 1) in (1, 2)
    nothing = np.zeros((40, 60), np.float32)
    assert with_legs(nothing, nothing, rng)[0].shape == (40, 60)


def test_foliage_is_a_ragged_patch_near_air_temperature():
    image = np.full((120, 160), 20.0, np.float32)
    changed = 0
    for seed in range(5):
        drawn = image.copy()
        foliage(drawn, np.random.default_rng(seed), 20.0)
        assert np.isfinite(drawn).all() and abs(drawn - 20.0).max() < 30
        changed += int((abs(drawn - 20.0) > 0.05).sum())
    assert 0 < changed < 5 * 0.8 * image.size


def test_caches_of_different_patches_do_not_mix(cache_file, tmp_path):
    with np.load(cache_file) as archive:
        columns = {name: archive[name] for name in archive.files}
    columns["patches"] = np.pad(columns["patches"], ((0, 0), (0, 8), (0, 8)))
    np.savez(tmp_path / "larger.npz", **columns)
    with pytest.raises(DataError, match="different sizes"):
        HeadCache([cache_file, tmp_path / "larger.npz"])
    assert HeadCache([tmp_path / "larger.npz"]).head(0, np.random.default_rng(0))[0].shape == (200, 200)


def test_backs_of_heads_look_away():
    rng = np.random.default_rng(0)
    assert all(115 <= abs(random_pose(rng, away=True).yaw) <= 180 for _ in range(50))


def test_mirroring_twice_gives_the_points_back():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 100, (54, 2))
    flip = np.array([[-1.0, 0.0, 100.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(moved(points, flip, True), LAYOUT.mirrored(points, 100.0))
    np.testing.assert_allclose(moved(moved(points, flip, True), flip, True), points)


def test_pixels_and_points_move_together():
    y, x = np.mgrid[:192, :192] + 0.5
    patch = (100 * np.exp(-((x - 120) ** 2 + (y - 70) ** 2) / 50)).astype(np.float32)
    rng = np.random.default_rng(3)
    for flip in (False, True):
        matrix = similarity(rng, 0.6, np.array([96.0, 96.0]), 15.0, flip, np.array([70.0, 66.0]))
        canvas = np.zeros((130, 140), np.float32)
        place(canvas, patch, (patch > 0.0).astype(np.float32), matrix)
        rows, columns = np.mgrid[:130, :140] + 0.5
        found = np.array([(columns * canvas).sum(), (rows * canvas).sum()]) / canvas.sum()
        np.testing.assert_allclose(found, matrix[:, :2] @ (120.0, 70.0) + matrix[:, 2], atol=0.1)


def test_crops_repeat_for_the_same_seed_and_change_with_the_epoch(cache_file):
    crops = LandmarkCrops(HeadCache([cache_file]), [], seed=1)
    (a, p), (b, q) = crops[2], crops[2]
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(p, q)
    crops.epoch = 1
    assert not np.array_equal(crops[2][1], p)
    assert a.shape == (1, 112, 112) and a.dtype == p.dtype == np.float32
    assert 0.0 <= a.min() and a.max() <= 1.0


def test_scenes_label_faces_but_not_backs_of_heads(cache_file):
    scenes = RenderedFaceScenes(("person", "face"), cache_file.parent, cache_file.name, 30, seed=0)
    counts = 0
    for i in range(30):
        sample = scenes[i]
        assert sample.values.shape == (256, 320) and sample.values.dtype in (np.uint8, np.float32)
        assert sample.labelled.tolist() == [False, True]
        assert set(sample.labels.tolist()) <= {1, -1}
        assert (sample.boxes >= 0).all() and (sample.boxes <= (320, 256, 320, 256)).all()
        counts += len(sample.boxes)
    assert counts > 10
    assert len(scenes._away) == 1


def test_the_camera_gives_degrees_or_grey_levels():
    rng = np.random.default_rng(0)
    scene = np.random.default_rng(1).normal(25, 3, (60, 80)).astype(np.float32)
    kinds = {camera(scene, rng).dtype for _ in range(40)}
    assert kinds == {np.dtype(np.uint8), np.dtype(np.float32)}


def test_jaw_points_are_spread_evenly_between_their_ends():
    points = np.random.default_rng(0).uniform(0, 100, (54, 2))
    angle = np.linspace(0, np.pi, 17) ** 1.3
    points[:17] = np.stack([-50 * np.cos(angle), 50 * np.sin(angle)], axis=1)
    even = even_jaw(points)
    np.testing.assert_allclose(even[[0, 8, 16]], points[[0, 8, 16]])
    np.testing.assert_array_equal(even[17:], points[17:])
    for half in (even[:9], even[8:17]):
        steps = np.linalg.norm(np.diff(half, axis=0), axis=1)
        assert steps.std() / steps.mean() < 0.02


@pytest.mark.parametrize("seed", range(0, 200, 5))
def test_motion_blur_shifts_nothing(seed):
    kernel = motion_kernel(np.random.default_rng(seed))
    y, x = np.mgrid[:9, :9]
    assert kernel.sum() == pytest.approx(1.0) and kernel.min() >= 0.0
    assert ((kernel * x).sum(), (kernel * y).sum()) == (pytest.approx(4.0, abs=1e-5), pytest.approx(4.0, abs=1e-5))


def test_glasses_stand_off_as_far_as_the_face_reaches_through_them():
    rng = np.random.default_rng(0)
    place = rng.uniform(-6, 6, (20000, 2))
    ball = np.column_stack([place, np.sqrt(np.maximum(100.0 - (place ** 2).sum(axis=1), 0.0))])
    sheet = np.column_stack([rng.uniform(-5, 5, (500, 2)), np.full(500, 9.0)])
    through = np.sqrt(100.0 - (sheet[:, :2] ** 2).sum(axis=1)) - 9.0
    assert stand_off(sheet, ball) == pytest.approx(np.percentile(through, 95), abs=0.15)
    assert stand_off(sheet + (0, 0, 5.0), ball) == 0.0 and stand_off(sheet - (0, 0, 5.0), ball) == 1.2
