"""The warp of training images against sampling point by point, its coordinates, its borders, and what it smooths."""

import numpy as np
import pytest

from training.data.warping import warped


def test_values_are_those_of_the_point_that_the_matrix_takes_there():
    rng = np.random.default_rng(0)
    image = rng.random((40, 50)).astype(np.float32)
    matrix = np.array([[1.1, 0.3, -4.2], [-0.25, 0.95, 3.7]])
    found = warped(image, matrix, 30, 36, 0.25)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    for row in range(30):
        for column in range(36):
            x, y, _ = inverse @ (column + 0.5, row + 0.5, 1)
            left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
            value = 0.0
            for v in (top, top + 1):
                for u in (left, left + 1):
                    weight = (1 - abs(x - 0.5 - u)) * (1 - abs(y - 0.5 - v))
                    value += weight * (image[v, u] if 0 <= u < 50 and 0 <= v < 40 else 0.25)
            assert found[row, column] == pytest.approx(value, abs=0.04)  # OpenCV's weights are 32nds of a pixel


def test_warping_keeps_continuous_coordinates_also_where_it_shrinks():
    y, x = np.mgrid[:100, :100] + 0.5
    image = np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 60).astype(np.float32)
    matrix = np.array([[0.5, 0.1, 3.0], [-0.1, 0.5, 12.0]])
    found = warped(image, matrix, 64, 64)
    rows, columns = np.mgrid[:64, :64] + 0.5
    centre = np.array([(columns * found).sum(), (rows * found).sum()]) / found.sum()
    np.testing.assert_allclose(centre, matrix[:, :2] @ (60, 40) + matrix[:, 2], atol=0.05)


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_outside_is_a_value_or_the_border_in_every_channel(channels):
    image = np.full((8, 8, *channels), 0.9, np.float32)
    away = np.array([[1.0, 0, 100], [0, 1.0, 0]])
    np.testing.assert_array_equal(warped(image, away, 8, 8, 0.3), np.float32(0.3))
    np.testing.assert_array_equal(warped(image, away, 8, 8), np.float32(0.9))


def test_a_hot_point_does_not_come_and_go_with_the_grid_where_images_shrink():
    totals = []
    for shift in range(8):
        image = np.zeros((160, 160), np.float32)
        image[80, 76 + shift] = 1.0
        totals.append(float(warped(image, np.array([[0.25, 0, 0], [0, 0.25, 0]]), 40, 40).max()))
    assert min(totals) > 0.5 * max(totals) > 0
