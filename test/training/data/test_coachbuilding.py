"""Cars built from profiles: as large as asked for, on four wheels, closed, with glass where one looks out."""

import cv2
import numpy as np
import pytest

from thermal_kd_ros.simulation.raster import rasterize
from training.data.pair_scenes.casting import Cast
from training.data.pair_scenes.coachbuilding import coach_built, random_coach
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.vehicles import engined

COACHES = [random_coach(np.random.default_rng(seed)) for seed in range(40)]
BUILT = [coach_built(coach) for coach in COACHES]


def seen(model, axis):
    """(face, mask) of a model drawn without perspective along ``axis``: 0 from its left, 1 from above, 2 from ahead."""
    right, down = ((2, 1), (0, 2), (0, 1))[axis]
    depth = model.vertices[:, axis]
    pixels = np.column_stack([40 * model.vertices[:, right] + 150, 40 * model.vertices[:, down] + 150, depth])
    fragments = rasterize(pixels, model.faces, 300, 300)
    return fragments.face, fragments.mask


@pytest.mark.parametrize("number", range(0, 40, 4))
def test_a_car_has_the_size_of_its_coach_and_stands_on_four_wheels(number):
    coach, model = COACHES[number], BUILT[number]
    low, high = model.vertices.min(0), model.vertices.max(0)
    np.testing.assert_allclose(high - low, (coach.width, coach.height, coach.length), rtol=0.05)
    np.testing.assert_allclose(low + high, (0, low[1], 0), atol=0.02)
    tyres = model.vertices[np.unique(model.faces[model.material == Material.TYRE])]
    lowest = tyres[tyres[:, 1] > -0.02]
    assert {(x > 0, z > 0) for x, _, z in lowest} == {(False, False), (False, True), (True, False), (True, True)}
    rest = model.vertices[np.unique(model.faces[model.material != Material.TYRE])]
    assert rest[:, 1].max() <= -coach.clearance + 1e-5
    assert np.abs(tyres[:, 0]).max() < 0.5 * coach.width


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_car_has_holes(axis):
    """Every picture of one fills its own outline, but for the ground that shows below it and between its wheels."""
    for model in BUILT:
        _, mask = seen(model, axis)
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        assert len(outlines) == 1
        filled = np.zeros(mask.shape, np.uint8)
        cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
        assert np.count_nonzero((filled > 0) & ~mask) <= 2


def test_one_looks_out_through_glass_above_the_belt_and_nowhere_else():
    for coach, model in zip(COACHES, BUILT, strict=True):
        glass = model.material == Material.GLASS
        high = -model.vertices[model.faces[glass]].mean(1)[:, 1]
        assert high.min() > coach.belt - 0.05 and high.max() < 0.98 * coach.height
        face, mask = seen(model, 2)
        ahead = mask & (model.material[face] == Material.GLASS)
        rows = np.flatnonzero(ahead.any(axis=1))
        middle = (150 - rows.mean()) / 40
        assert coach.belt < middle < coach.height
        # The windscreen's middle rows are glass over most of the width.
        assert ahead[int(rows.mean())].sum() > 0.5 * mask[int(rows.mean())].sum()
    assert {coach.panes for coach in COACHES} >= {1, 2, 3} and {coach.glazed for coach in COACHES} == {0.0, 1.0}


def test_the_engine_is_in_front_and_glass_is_hardly_warmed():
    for model in BUILT[::4]:
        car = engined(model, 1)
        depth = car.vertices[:, 2]
        front = depth < np.quantile(depth, 0.2)
        assert car.warmth[front].mean() > 3 * max(car.warmth[depth > 0].mean(), 0.02)
        panes = np.unique(car.faces[car.material == Material.GLASS])
        assert car.warmth[panes].max() < 0.15
        pipe = car.vertices[np.unique(car.faces[car.material == Material.HOT])]
        assert (pipe[:, 0] > 0).all() and (pipe[:, 2] > 0.4 * np.ptp(depth)).all()


def test_cars_are_unlike_one_another_and_the_same_for_the_same_seed():
    sizes = np.array([np.ptp(model.vertices, axis=0) for model in BUILT])
    assert (sizes.std(axis=0) > (0.08, 0.1, 0.3)).all()
    again = coach_built(random_coach(np.random.default_rng(3)))
    np.testing.assert_array_equal(again.vertices, BUILT[3].vertices)
    np.testing.assert_array_equal(again.material, BUILT[3].material)


def test_without_an_archive_there_are_cars_and_bicycles():
    cast, rng = Cast(None, 4), np.random.default_rng(0)
    assert {cast.vehicle(rng).label for _ in range(20)} == {"car"}
    assert {cast.cycle(rng).label for _ in range(5)} == {"bicycle"}
    first, second = (Cast(None, 4).vehicle(np.random.default_rng(7)).model for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)
