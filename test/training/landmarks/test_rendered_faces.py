"""Rendered heads and the crops and scenes made of them."""

import numpy as np
import pytest

from thermal_kd_ros.layouts import get_layout
from training.data.compositing import camera, moved, place, similarity
from training.data.face_renderer import PATCH, Pose, face_box, random_pose, render_head
from training.data.head_cache import HeadCache, even_jaw
from training.data.rendered_faces import LandmarkCrops, RenderedFaceScenes

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


def test_a_head_is_a_function_of_its_seed(model):
    first, second = (render_head(model, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.temperature, second.temperature)
    np.testing.assert_array_equal(first.points, second.points)


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
