"""Letterbox and face crop: exact inverses, and pixels where the coordinates say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.geometry import PAD_VALUE, FaceCrop, Letterbox, Orientation

SIZES = st.integers(1, 900)


@settings(max_examples=100, deadline=None)
@given(SIZES, SIZES, st.sampled_from([(512, 640), (256, 320), (96, 64)]), st.integers(0, 2**16))
def test_letterbox_inverse_is_exact(height, width, canvas, seed):
    letterbox = Letterbox(height, width, *canvas)
    points = np.random.default_rng(seed).uniform(0, 1, (20, 2)) * (width, height)
    there = letterbox.forward(points)
    assert (there >= -1e-9).all() and (there <= np.array([canvas[1], canvas[0]]) + 1e-9).all()
    np.testing.assert_allclose(letterbox.inverse(there), points, atol=1e-9 * max(height, width))


@pytest.mark.parametrize("height, width", [(512, 640), (256, 320), (480, 640), (120, 160), (1024, 1280), (700, 333)])
def test_letterboxed_pixels_lie_where_the_coordinates_say(height, width):
    # The centre of mass of a Gaussian spot survives resizing.
    x, y = 0.37 * width, 0.61 * height
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (0.05 * width) ** 2)).astype(np.float32)
    letterbox = Letterbox(height, width, 512, 640)
    canvas = letterbox.apply(spot)
    assert canvas.shape == (512, 640)
    left, top = letterbox.offset
    inner_width, inner_height = letterbox.inner
    inner = canvas[top : top + inner_height, left : left + inner_width]
    margin = canvas.size - inner.size
    assert (canvas == np.float32(PAD_VALUE)).sum() >= margin
    columns, rows = np.meshgrid(np.arange(inner_width) + left + 0.5, np.arange(inner_height) + top + 0.5)
    found = np.array([(columns * inner).sum(), (rows * inner).sum()]) / inner.sum()
    np.testing.assert_allclose(found, letterbox.forward(np.array([x, y])), atol=0.15)


def test_matching_size_is_passed_through_without_a_copy():
    image = np.zeros((512, 640), np.float32)
    assert Letterbox(512, 640, 512, 640).apply(image) is image


def test_inverse_boxes_are_clipped_to_the_source():
    boxes = Letterbox(240, 320, 512, 640).inverse_boxes(np.array([[-50.0, -50.0, 900.0, 900.0]]))
    np.testing.assert_allclose(boxes, [[0, 0, 320, 240]])


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 400), st.floats(-50, 300), st.floats(4, 300), st.floats(4, 300))
def test_face_crop_inverse_is_exact(x, y, width, height):
    crop = FaceCrop.around(np.array([x, y, x + width, y + height]), 112, 0.15)
    points = np.random.default_rng(0).uniform(0, 112, (10, 2))
    np.testing.assert_allclose(crop.forward(crop.inverse(points)), points, atol=1e-6)
    assert crop.apply(np.zeros((240, 320), np.float32)).shape == (112, 112)


@pytest.mark.parametrize("box", [(100, 80, 180, 170), (60, 60, 260, 220), (150, 100, 190, 130)])
def test_cropped_pixels_lie_where_the_coordinates_say(box):
    x, y = (box[0] + box[2]) / 2 + 5.0, (box[1] + box[3]) / 2 - 4.0
    columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2)).astype(np.float32)
    crop = FaceCrop.around(np.array(box, np.float32), 112, 0.15)
    image = crop.apply(spot)
    columns, rows = np.meshgrid(np.arange(112) + 0.5, np.arange(112) + 0.5)
    found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
    np.testing.assert_allclose(crop.inverse(found), [x, y], atol=0.1)


def test_a_window_beyond_the_border_repeats_the_border():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    crop = FaceCrop(-2, -1, 6, 6)
    np.testing.assert_array_equal(crop.apply(image), np.pad(image, ((1, 2), (2, 0)), mode="edge"))


TURNS = st.sampled_from([(rotate, flip) for rotate in (0, 90, 180, 270) for flip in (False, True)])


@given(st.integers(1, 40), st.integers(1, 40), TURNS, st.integers(0, 2**16))
def test_upright_pixels_lie_where_the_coordinates_say(height, width, turn, seed):
    orientation = Orientation(height, width, *turn)
    image = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    upright = orientation.apply(image)
    assert upright.flags.c_contiguous and upright.shape == ((width, height) if turn[0] % 180 else (height, width))
    row, column = np.mgrid[:height, :width]
    centres = np.stack([column, row], axis=-1) + 0.5
    there = orientation.forward(centres)
    np.testing.assert_array_equal(upright[np.floor(there[..., 1]).astype(int), np.floor(there[..., 0]).astype(int)],
                                  image)
    points = np.random.default_rng(seed).uniform(0, 1, (7, 2)) * (width, height)
    np.testing.assert_allclose(orientation.inverse(orientation.forward(points)), points, atol=1e-12)
    back = orientation.inverse(centres.reshape(-1, 2))
    np.testing.assert_array_equal(orientation.forward(back), centres.reshape(-1, 2))


@given(TURNS)
def test_turned_boxes_keep_their_corners_in_order_and_hold_the_same_pixels(turn):
    orientation = Orientation(30, 50, *turn)
    image = np.zeros((30, 50), np.uint8)
    image[4:10, 20:45] = 1
    rows, columns = np.nonzero(orientation.apply(image))
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    np.testing.assert_array_equal(orientation.inverse_boxes(box), [[20, 4, 45, 10]])
    assert orientation.inverse_boxes(np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_a_quarter_turn_is_clockwise_and_after_the_mirror():
    image = np.array([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(Orientation(2, 3, 90).apply(image), [[4, 1], [5, 2], [6, 3]])
    np.testing.assert_array_equal(Orientation(2, 3, 90, True).apply(image), [[6, 3], [5, 2], [4, 1]])
    assert Orientation(2, 3).apply(image) is image
