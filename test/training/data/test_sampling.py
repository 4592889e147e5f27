"""Sampling that favours rare classes, against a count by hand."""

import numpy as np

from training.data.sampling import drawn, repeat_factors


def test_repeat_factors_by_hand():
    labels = [np.array(own, np.int64) for own in ([0], [0, 0, 1], [0], [], [0, -1], [0], [0], [2, 0])]
    # Class 0 is in 7 of 8 images, 1 and 2 in one each.
    expected = np.ones(8)
    expected[[1, 7]] = np.sqrt(0.5 / (1 / 8))
    np.testing.assert_allclose(repeat_factors(labels, 0.5), expected)
    np.testing.assert_array_equal(repeat_factors(labels, 0.0), np.ones(8))
    np.testing.assert_array_equal(repeat_factors([np.zeros(0, np.int64)] * 3, 0.5), np.ones(3))


def test_draws_follow_the_weights_within_one():
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 4, 50)
    for count in (50, 120, 17):
        got = np.bincount(drawn(weights, count, rng), minlength=50)
        want = count * weights / weights.sum()
        assert got.sum() == count
        assert (np.abs(got - want) < 1).all()


def test_equal_weights_draw_each_once_and_in_another_order_each_time():
    rng = np.random.default_rng(1)
    first, second = (drawn(np.ones(40), 40, rng) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first.tolist() != second.tolist()
