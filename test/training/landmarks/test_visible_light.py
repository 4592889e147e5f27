"""Heads in visible light, textures from photographs, and the variations painted into cached thermal heads."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")  # the crops are torch data sets

from training.data.coco import DataError
from training.data.face_light import (
    HELD_OUT,
    Photograph,
    decoded,
    encoded,
    load_photographs,
    skin_texture,
    thin_plate,
)
from training.data.face_renderer import PATCH, Pose, main, render_head
from training.data.head_cache import HeadCache
from training.data.head_variation import vary_below_jaw, vary_regions, warm_orbits
from training.data.paired_crops import conventional, photograph_crop


@pytest.fixture(scope="module")
def model(shared_data):
    path = shared_data / "render_assets" / "ict_face.npz"
    if not path.is_file():
        pytest.skip(f"the head model is not on this machine ({path})")
    from training.data.face_mesh import load_head

    return load_head(path)


def test_the_visible_twin_has_the_same_geometry_and_leaves_the_thermal_image_alone(model):
    thermal = render_head(model, np.random.default_rng(11), Pose(10.0, 5.0, 0.0, 120.0))
    both = render_head(model, np.random.default_rng(11), Pose(10.0, 5.0, 0.0, 120.0), textures=[])
    np.testing.assert_array_equal(both.temperature, thermal.temperature)
    np.testing.assert_array_equal(both.points, thermal.points)
    assert thermal.colour is None and both.colour.shape == (PATCH, PATCH, 3) and both.colour.dtype == np.uint8
    outside = np.isnan(both.temperature)
    assert (both.colour[outside] == 0).all()
    assert 20 < both.colour[~outside].mean() < 235


def test_light_from_another_side_changes_the_colours_but_not_the_heads_outline(model):
    first, second = (render_head(model, np.random.default_rng(seed), Pose(0.0, 0.0, 0.0, 150.0), []).colour
                     for seed in (3, 4))
    assert not np.array_equal(first, second)


def test_texture_puts_the_photographs_landmarks_on_the_models(model):
    """A photograph with a dot at the nose tip: the texture has it at the neutral nose tip."""
    places = model.neutral[model.landmarks]
    points = np.stack([192 + 20 * places[:, 0], 200 - 20 * places[:, 1]], axis=1)
    image = np.full((400, 384, 3), 60, np.uint8)
    cv2.circle(image, tuple(int(v) for v in points[30]), 6, (250, 250, 250), -1)
    texture = skin_texture(Photograph(None, image, points.astype(np.float32)), model.neutral[model.landmarks])
    row, column = np.unravel_index(texture.mean(axis=2).argmax(), texture.shape[:2])
    x, y = np.linspace(-8, 8, texture.shape[1])[column], np.linspace(11, -9, texture.shape[0])[row]
    np.testing.assert_allclose((x, y), model.neutral[model.landmarks[30], :2], atol=0.5)


def test_thin_plates_pass_through_their_ties_and_keep_affine_maps():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(-5, 5, (12, 2)), rng.uniform(0, 100, (12, 2))
    np.testing.assert_allclose(thin_plate(source, target, source), target, atol=1e-6)
    linear, shift = rng.normal(0, 1, (2, 2)), rng.normal(0, 1, 2)
    places = rng.uniform(-9, 9, (30, 2))
    np.testing.assert_allclose(thin_plate(source, source @ linear + shift, places), places @ linear + shift, atol=1e-6)


def test_encoding_is_the_inverse_of_decoding():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(encoded(decoded(values)), values)


def test_held_out_photographs_are_others(shared_data):
    root = shared_data / "rgb_faces"
    if not root.is_dir():
        pytest.skip("the photographs are not on this machine")
    kept, held = load_photographs(root), load_photographs(root, held_out=True)
    assert not {p.path for p in kept} & {p.path for p in held}
    assert len(held) == (len(kept) + len(held)) // HELD_OUT
    crop, points, _ = photograph_crop(held[0], 96)
    assert crop.shape == (3, 96, 96) and 0 <= crop.min() and crop.max() <= 1
    assert ((points > 0) & (points < 96)).all()


def test_photographs_points_go_up_or_down_as_the_thermal_layout_asks(shared_data):
    points = np.zeros((54, 2))
    points[:17] = np.stack([np.linspace(-80, 80, 17), 40 + 60 * np.cos(np.linspace(-1.5, 1.5, 17))], axis=1)
    points[36], points[45] = (-45, 0), (45, 0)
    moved = conventional(points)
    assert moved[36, 1] < 0 and moved[51, 1] > 0  # eyes are marked higher, lower lips lower
    np.testing.assert_allclose(conventional(2 * points), 2 * moved, atol=1e-4)


@pytest.mark.parametrize("make, word", [
    (lambda folder: None, "is missing"),
    (lambda folder: (folder / "landmarks68.json").write_text('{"a.jpg": [[1, 2]]}'), "cannot be read"),
    (lambda folder: (folder / "landmarks68.json").write_bytes(b"\xff\xfe"), "not names of photographs"),
    (lambda folder: (folder / "landmarks68.json").write_text("[]"), "not names of photographs"),
    (lambda folder: (folder / "landmarks68.json").write_text('{"a.jpg": ["x"]}'), "not names of photographs"),
])
def test_broken_folders_of_photographs_are_told(tmp_path, make, word, capsys, shared_data):
    make(tmp_path)
    with pytest.raises(DataError, match=word):
        load_photographs(tmp_path)
    if (shared_data / "render_assets" / "ict_face.npz").is_file():
        assert main(["--count", "1", "--output", str(tmp_path / "out.npz"), "--processes", "1", "--visible",
                     str(tmp_path), "--assets", str(shared_data / "render_assets")]) == 1
        assert word in capsys.readouterr().err and not (tmp_path / "out.npz").exists()


def test_a_cache_of_pairs_holds_colours(model, shared_data, tmp_path):
    path = tmp_path / "pairs.npz"
    assert main(["--count", "2", "--output", str(path), "--processes", "1", "--visible", "none", "--assets",
                 str(shared_data / "render_assets")]) == 0
    cache = HeadCache([path], visible_light=True)
    assert cache.colours.shape == (2, PATCH, PATCH, 3)
    assert ((cache.colours.sum(axis=3) > 0) <= (cache.patches > 0)).all()
    assert HeadCache([path]).colours is None


def _head():
    """A warm disc with an oval of points, a centimetre being five pixels."""
    y, x = np.mgrid[:PATCH, :PATCH] + 0.5
    mask = (np.hypot(x - 96, (y - 100) / 1.3) < 55).astype(np.float32)
    points = np.zeros((54, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([96 + 37 * np.cos(angle), 80 + 55 * np.sin(angle)], axis=1)
    points[17:27] = np.stack([np.linspace(66, 126, 10), np.full(10, 68.0)], axis=1)
    points[27:31] = np.stack([np.full(4, 96.0), np.linspace(80, 98, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(90, 102, 5), np.full(5, 104.0)], axis=1)
    points[36:42], points[42:48] = (80, 80), (112, 80)
    points[48:54] = ((84, 117), (96, 112), (108, 117), (96, 122), (96, 116), (96, 117))
    return (33.0 * mask).astype(np.float32), mask, points, np.array([[5, 0], [0, -5], [0, 0]], np.float32)


def test_variations_stay_on_the_head_and_finite_and_below_the_jaw_reach_the_neck():
    patch, mask, points, axes = _head()
    reached = np.zeros(patch.shape, bool)
    for seed in range(40):
        varied = patch.copy()
        vary_below_jaw(varied, mask, points, axes, 22.0, np.random.default_rng(seed))
        assert varied.dtype == np.float32 and np.isfinite(varied).all()
        np.testing.assert_array_equal(varied[mask == 0], 0)
        assert varied[mask > 0].min() > 10 and varied.max() < 45
        reached |= np.abs(varied - patch) > 1.0
    assert reached[150:165, 90:102].mean() > 0.9  # the neck
    assert reached[75:110, 90:102].mean() < 0.1  # the nose


def test_regions_change_where_their_points_are_and_not_the_forehead_or_glasses():
    patch, mask, points, axes = _head()
    patch[78:84, 70:122] = 24.0  # glasses
    reached = np.zeros(patch.shape, bool)
    for seed in range(40):
        varied = patch.copy()
        vary_regions(varied, mask, points, np.ones(54, bool), axes, np.random.default_rng(seed))
        assert np.isfinite(varied).all()
        reached |= np.abs(varied - patch) > 0.5
    assert reached[116:118, 90:102].all() and reached[100:103, 94:98].all()  # lips and nose
    assert not reached[40:66].any() and not reached[79:83, 72:120].any()


def test_nothing_is_painted_through_a_face_mask():
    patch, mask, points, axes = _head()
    visible = np.ones(54, bool)
    visible[31:36] = visible[48:54] = False
    for seed in range(40):
        varied = patch.copy()
        vary_regions(varied, mask, points, visible, axes, np.random.default_rng(seed))
        np.testing.assert_array_equal(varied, patch)


def test_lips_have_no_corners_but_at_their_sides():
    """Painted lips reach further than the rhombus of their four points, by about what an ellipse through them does."""
    patch, mask, points, axes = _head()
    rhombus = 0.5 * (points[50, 0] - points[48, 0]) * (points[51, 1] - points[49, 1])
    for seed in range(60):
        varied = patch.copy()
        vary_regions(varied, mask, points, np.ones(54, bool), axes, np.random.default_rng(seed))
        changed = np.abs(varied - patch)[108:126, 78:114]
        if changed[8:10, 16:20].min() > 1.0:  # the lips had their turn
            area = changed.sum() / changed.max()
            assert area == pytest.approx(np.pi / 2 * rhombus, rel=0.25)
            return
    raise AssertionError("no lips were painted")


def test_warm_orbits_do_not_warm_glasses():
    patch, mask, points, axes = _head()
    patch[74:87, 70:90] = 24.0  # over one eye
    varied = patch.copy()
    warm_orbits(varied, mask, points, axes, np.random.default_rng(0))
    np.testing.assert_array_equal(varied[74:87, 70:90], patch[74:87, 70:90])
    assert (varied - patch)[78:82, 110:114].min() > 0.05


@pytest.mark.parametrize("axes", [np.zeros((3, 2)), np.array([[5, 0], [0, -5], [0, 0]]) * 0.1,
                                  np.array([[0.1, 0], [0, -5], [5, 0]])])
def test_heads_in_profile_or_tiny_are_left_alone_below_the_jaw(axes):
    patch, mask, points, _ = _head()
    varied = patch.copy()
    vary_below_jaw(varied, mask, points, axes.astype(np.float32), 22.0, np.random.default_rng(0))
    np.testing.assert_array_equal(varied, patch)
