"""Percentiles equal numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.percentiles import percentiles

AT = (0.0, 0.5, 2.0, 50.0, 90.0, 99.5, 100.0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 101, 20_000])
def test_they_equal_numpy(count: int, kind: type) -> None:
    rng = np.random.default_rng(count)
    values = (rng.normal(120, 40, count).clip(0, 255)).astype(kind)
    before = values.copy()
    np.testing.assert_allclose(percentiles(values, AT), np.percentile(values.astype(np.float64), AT), rtol=1e-12)
    np.testing.assert_array_equal(values, before)


def test_equal_values_and_large_counts_do_not_overflow() -> None:
    assert percentiles(np.full(7, 65535, np.uint16), AT) == [65535.0] * len(AT)
    assert percentiles(np.array([0, 65535], np.uint16), (50.0,)) == [32767.5]
