"""Landmark layouts."""

import numpy as np
import pytest

from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54, LAYOUTS, get_layout


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_mirroring_twice_changes_nothing(name):
    layout = get_layout(name)
    assert sorted(layout.mirror) == list(range(layout.points))
    points = np.random.default_rng(0).uniform(0, 100, (3, layout.points, 2))
    np.testing.assert_allclose(layout.mirrored(layout.mirrored(points, 100.0), 100.0), points)
    right, left = layout.outer_eyes
    assert layout.mirror[right] == left and layout.mirror[layout.inner_eyes[0]] == layout.inner_eyes[1]


def test_54_points_are_a_subset_of_68_that_keeps_the_mirror_pairs():
    assert len(set(IBUG68_TO_SF_TL54)) == 54
    big, small = get_layout("ibug68"), get_layout("sf_tl54")
    for index, source in enumerate(IBUG68_TO_SF_TL54):
        assert IBUG68_TO_SF_TL54[small.mirror[index]] == big.mirror[source]


def test_unknown_layout_is_named():
    with pytest.raises(KeyError, match="sf_tl54"):
        get_layout("mediapipe")
