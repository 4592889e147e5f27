"""Where drawn objects lie in the image, against loops over their vertices and pixels."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.simulation.render import Footprint, View, intrinsics

VIEW = View(intrinsics(40, 30, 60.0), np.eye(3), np.zeros(3), 40, 30)


@pytest.mark.parametrize("seed", range(40))
def test_the_extent_of_vertices_is_that_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle, reach = rng.uniform(-10, 50, 2), rng.uniform(0, 30, 2)
    pixels = np.column_stack([rng.uniform(middle - reach, middle + reach, (9, 2)), np.ones(9)])
    pixels[rng.random(9) < 0.2] = np.nan  # behind the camera
    before = [(x, y) for x, y, _ in pixels if x == x]
    found = VIEW.extent(pixels)
    covered = [(column, row) for column in range(40) for row in range(30) if before
               and min(x for x, _ in before) < column + 1 and column < max(x for x, _ in before) + 1
               and min(y for _, y in before) < row + 1 and row < max(y for _, y in before) + 1]
    if found is None:
        assert not covered
        return
    (x0, x1, y0, y1), inside = found
    assert (x0, y0) == min(covered) and (x1 - 1, y1 - 1) == max(covered)
    # The share by counting points of a fine grid over the extent.
    grid = np.stack(np.meshgrid(*(np.linspace(min(v), max(v), 201) for v in zip(*before, strict=True))), -1)
    within = ((grid >= 0) & (grid <= (40, 30))).all(-1).mean() * len(before) / 9
    assert inside == pytest.approx(within, abs=0.02)


def test_what_is_behind_the_camera_has_no_extent() -> None:
    assert VIEW.extent(np.full((4, 3), np.nan)) is None


@pytest.mark.parametrize("seed", range(10))
def test_what_is_seen_of_an_object_is_that_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = (rng.random((30, 40)) < 0.01 * seed).astype(np.int16) * 3
    x0, x1, y0, y1 = region = (5, 5 + int(rng.integers(0, 30)), 4, 4 + int(rng.integers(0, 25)))
    mine = [(x, y) for x in range(x0, x1) for y in range(y0, y1) if objects[y, x] == 3]
    seen = Footprint(region, 100, 1.0).seen(objects, 3)
    if len(mine) < 4:
        assert seen is None
        return
    columns, rows = zip(*mine, strict=True)
    assert seen == (len(mine), (min(columns), min(rows), max(columns) + 1, max(rows) + 1))
