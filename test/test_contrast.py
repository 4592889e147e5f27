"""Automatic gain control: robust, bounded, and steady in time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thermal_kd_ros.config import ContrastConfig
from thermal_kd_ros.contrast import Span, TemporalContrast, robust_span

CONFIG = ContrastConfig()


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (6, 7), elements=st.floats(width=32)))
def test_any_float_image_stays_in_range(values):
    out = robust_span(values, CONFIG, 2.0).apply(values)
    assert out.dtype == np.float32
    assert np.isfinite(out).all() and out.min() >= 0.0 and out.max() <= 1.0


def test_span_is_percentiles_with_headroom():
    values = np.random.default_rng(0).normal(20.0, 5.0, (100, 120)).astype(np.float32)
    low, high = np.percentile(values, (CONFIG.low_percentile, CONFIG.high_percentile))
    span = robust_span(values, CONFIG, 2.0)
    np.testing.assert_allclose([span.low, span.high], [low - 0.1 * (high - low), high + 0.1 * (high - low)], rtol=1e-3)


def test_one_hot_pixel_does_not_take_the_contrast():
    values = np.random.default_rng(0).normal(20.0, 1.0, (128, 160)).astype(np.float32)
    before = robust_span(values, CONFIG, 2.0)
    values[64, 80] = 900.0
    after = robust_span(values, CONFIG, 2.0)
    assert abs(after.high - before.high) < 0.1


def test_a_flat_scene_is_not_stretched_to_noise():
    values = np.random.default_rng(0).normal(20.0, 0.02, (64, 80)).astype(np.float32)
    assert robust_span(values, CONFIG, 2.0).apply(values).std() < 0.02


def test_unit_does_not_matter():
    celsius = np.random.default_rng(0).normal(20.0, 4.0, (64, 80)).astype(np.float32)
    counts = np.round((celsius + 273.15) * 100).astype(np.uint16)
    a = robust_span(celsius, CONFIG, 2.0).apply(celsius)
    b = robust_span(counts, CONFIG, 200.0).apply(counts)
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_smoothing_follows_its_time_constant():
    contrast = TemporalContrast(ContrastConfig(time_constant_s=2.0))
    cold = np.linspace(0.0, 40.0, 64, dtype=np.float32).reshape(8, 8)
    warm = cold + 10.0
    start = contrast.update(cold, 2.0, 0.0)
    for i in range(1, 41):
        span = contrast.update(warm, 2.0, i * 0.05)
    # After one time constant 1 - 1/e of the step is taken.
    moved = (span.low - start.low) / 10.0
    np.testing.assert_allclose(moved, 1 - np.exp(-1.0), atol=1e-3)


def test_smoothing_does_not_depend_on_the_frame_rate():
    def after(rate: int) -> Span:
        contrast = TemporalContrast(CONFIG)
        scene = np.linspace(0.0, 40.0, 64, dtype=np.float32).reshape(8, 8)
        contrast.update(scene, 2.0, 0.0)
        for i in range(1, rate + 1):
            span = contrast.update(scene + 10.0, 2.0, i / rate)
        return span

    np.testing.assert_allclose(after(9).low, after(60).low, atol=1e-6)


def test_single_images_and_a_clock_that_jumps_back_start_anew():
    contrast = TemporalContrast(CONFIG)
    contrast.update(np.full((8, 8), 10.0, np.float32), 2.0, 100.0)
    fresh = robust_span(np.full((8, 8), 30.0, np.float32), CONFIG, 2.0)
    assert contrast.update(np.full((8, 8), 30.0, np.float32), 2.0, None) == fresh
    assert contrast.update(np.full((8, 8), 30.0, np.float32), 2.0, 5.0) == fresh


def test_a_cut_to_another_scene_is_seen_at_once():
    contrast = TemporalContrast(CONFIG)
    cold = np.linspace(-20.0, 0.0, 64, dtype=np.float32).reshape(8, 8)
    contrast.update(cold, 2.0, 0.0)
    warm = cold + 50.0
    assert contrast.update(warm, 2.0, 0.1) == robust_span(warm, CONFIG, 2.0)
