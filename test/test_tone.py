"""Contrast methods: bounded, rising, in every unit alike, and steady in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thermal_kd_ros.config import (
    CONTRAST_METHODS,
    ConfigError,
    ContrastConfig,
    PerceptionConfig,
    ThermalConfig,
    with_values,
)
from thermal_kd_ros.contrast import Span, robust_span
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.tone import (
    BINS,
    TemporalTone,
    Tone,
    contrast_for,
    contrast_in_card,
    fixed_span,
    histogram,
    min_span,
    moved,
    plateau_levels,
)

RISING = tuple(method for method in CONTRAST_METHODS if method != "clahe")
RATE = 30
LIT = (slice(0, 96), slice(0, 100))
"""Where the hot object of ``clip`` never is."""


def frame_of(values: np.ndarray, stamp: float | None = None, **thermal: Any) -> ThermalFrame:
    return ThermalFrame.from_array(values, ThermalConfig(**thermal), stamp)


def tone_of(frame: ThermalFrame, method: str, **values: Any) -> Tone:
    return TemporalTone(ContrastConfig(method=method, **values)).update(frame)


def scene(seed: int = 0) -> np.ndarray:
    """A room (96, 128) in degrees Celsius: walls from 18 to 26 degrees, a person."""
    y, x = np.mgrid[:96, :128]
    wall = 18.0 + 6.0 * y / 95 + np.sin(x / 7.0) + 8.0 * np.exp(-((x - 40) ** 2 / 60 + (y - 50) ** 2 / 500))
    return (wall + np.random.default_rng(seed).normal(0, 0.05, wall.shape)).astype(np.float32)


def clip(seconds: float, enters: float) -> Iterator[tuple[float, np.ndarray]]:
    """Stamps and images of a static room into which something at 90 degrees comes at ``enters`` and stays."""
    for i in range(round(seconds * RATE)):
        values = scene(i)
        if i / RATE >= enters:
            values[30:80, 100:125] = 90.0
        yield i / RATE, values


@pytest.mark.parametrize("method", CONTRAST_METHODS)
@settings(max_examples=40, deadline=None)
@given(values=st.one_of(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(width=32)),
    arrays(np.uint16, (5, 6)), arrays(np.uint8, (5, 6))))
def test_any_image_becomes_finite_grey(method: str, values: np.ndarray) -> None:
    if values.dtype == np.float32 and not np.isfinite(values).any():
        return
    grey = tone_of(frame_of(values), method).apply(values)
    assert grey.dtype == np.float32 and grey.shape == values.shape
    assert np.isfinite(grey).all() and grey.min() >= 0.0 and grey.max() <= 1.0


@pytest.mark.parametrize("method", RISING)
@settings(max_examples=40, deadline=None)
@given(values=arrays(np.float32, (7, 8), elements=st.floats(-50, 400, width=32)), limit=st.floats(0.1, 100))
def test_warmer_is_never_darker(method: str, values: np.ndarray, limit: float) -> None:
    grey = tone_of(frame_of(values, input_mode="celsius"), method, plateau_limit=limit).apply(values).ravel()
    assert (np.diff(grey[np.argsort(values, axis=None, kind="stable")]) >= -1e-7).all()


@pytest.mark.parametrize("method", CONTRAST_METHODS)
def test_the_unit_does_not_matter(method: str) -> None:
    celsius = scene()
    counts = np.round((celsius + 273.15) * 100).astype(np.uint16)
    a = tone_of(frame_of(celsius), method).apply(celsius)
    b = tone_of(frame_of(counts), method).apply(counts)
    # CLAHE has 256 levels, and a pixel may fall into the next one.
    np.testing.assert_allclose(a, b, atol=0.05 if method == "clahe" else 5e-3)


def test_percentile_is_the_plain_robust_span() -> None:
    frame, config = frame_of(scene()), ContrastConfig()
    for method in ("percentile", "model"):
        assert tone_of(frame, method) == robust_span(frame.values, config, min_span(frame, config))


@pytest.mark.parametrize("method", CONTRAST_METHODS)
def test_a_card_says_what_its_network_was_trained_with(method: str) -> None:
    trained = ContrastConfig(method=method, low_percentile=2.0, headroom=0.25, fixed_high_c=60.0, plateau_limit=5.0,
                             clahe_tiles=4)
    frame = frame_of(scene())
    there = contrast_for(ContrastConfig(), json.loads(json.dumps(contrast_in_card(trained))))
    np.testing.assert_array_equal(TemporalTone(there).update(frame).apply(frame.values),
                                  TemporalTone(trained).update(frame).apply(frame.values))
    assert there.method == method and contrast_in_card(there) == contrast_in_card(trained)


def test_the_users_word_goes_before_the_cards() -> None:
    card = {"method": "plateau", "low_percentile": 2.0, "plateau_limit": 5.0}
    assert contrast_for(ContrastConfig(method="clahe"), card) == ContrastConfig(method="clahe")
    assert contrast_for(ContrastConfig(plateau_limit=1.0, min_span_k=9.0), card) == ContrastConfig(
        method="plateau", low_percentile=2.0, plateau_limit=1.0, min_span_k=9.0)
    # The cards of models that name no method.
    old = {"low_percentile": 0.5, "high_percentile": 99.5, "headroom": 0.1}
    for normalisation in ({}, old):
        assert contrast_for(ContrastConfig(), normalisation) == ContrastConfig(method="percentile")


@pytest.mark.parametrize(("card", "word"), [({"method": "retinex"}, "retinex"), ({"gamma": 2.0}, "gamma"),
                                            ({"method": "model"}, "model"), ({"headroom": 7.0}, "headroom")])
def test_a_card_that_asks_for_the_unknown_is_refused(card: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        contrast_for(ContrastConfig(), card)


def test_fixed_temperatures_that_meet_those_of_a_card_are_refused() -> None:
    card = {"method": "fixed", "fixed_low_c": 42.0, "fixed_high_c": 60.0}
    assert contrast_for(ContrastConfig(), card).fixed_high_c == 60.0
    with pytest.raises(ConfigError, match="fixed_low_c = 42 must be below contrast.fixed_high_c = 42"):
        contrast_for(ContrastConfig(fixed_high_c=42.0), card)


def test_fixed_temperatures_become_black_and_white_in_every_unit() -> None:
    wanted = np.array([[10.0, 20.0, 30.0, 40.0, 50.0]], np.float32)
    units = {"celsius": wanted, "kelvin": wanted + np.float32(273.15), "optris": (wanted * 10 + 1000).astype(np.uint16),
             "centikelvin": ((wanted + 273.15) * 100).round().astype(np.uint16)}
    for mode, values in units.items():
        tone = tone_of(frame_of(values, input_mode=mode), "fixed", fixed_low_c=20.0, fixed_high_c=40.0)
        np.testing.assert_allclose(tone.apply(values), [[0, 0, 0.5, 1, 1]], atol=1e-3, err_msg=mode)


def test_fixed_stretches_images_without_temperatures() -> None:
    frame = frame_of((scene() * 100 + 3000).astype(np.uint16), input_mode="raw_counts")
    assert fixed_span(frame, ContrastConfig()) is None
    assert tone_of(frame, "fixed") == tone_of(frame, "percentile")


@pytest.mark.parametrize("scale", (-0.01, 0.0))
def test_a_scale_that_would_make_warm_things_dark_or_all_alike_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match="thermal.scale"):
        with_values(PerceptionConfig(), {"thermal.input_mode": "linear", "thermal.scale": scale})


def test_fixed_temperatures_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="fixed_low_c"):
        with_values(PerceptionConfig(), {"contrast.fixed_low_c": 50.0})


@pytest.mark.parametrize("limit", (0.5, 3.0, 50.0))
def test_plateau_agrees_with_the_definition(limit: float) -> None:
    """Pixel by pixel and level by level in float64."""
    values = scene()[::6, ::6]
    tone = tone_of(frame_of(values), "plateau", plateau_limit=limit)
    counts = [0.0] * BINS
    place = [[(float(v) - tone.low) / (tone.high - tone.low) * BINS for v in row] for row in values]
    for row in place:
        for at in row:
            counts[min(max(int(at), 0), BINS - 1)] += 1.0 / values.size
    cut = [min(part, limit / BINS) for part in counts]
    spare = (1.0 - sum(cut)) / BINS
    for v, row in enumerate(place):
        for u, at in enumerate(row):
            at = min(max(at, 0.0), float(BINS))
            whole = min(int(at), BINS - 1)
            wanted = sum(part + spare for part in cut[:whole]) + (at - whole) * (cut[whole] + spare)
            assert tone.apply(values)[v, u] == pytest.approx(wanted, abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, 32, elements=st.floats(0, 1)), st.floats(0.1, 100))
def test_plateau_bounds_the_amplification(parts: np.ndarray, limit: float) -> None:
    parts = parts / parts.sum() if parts.sum() > 0 else np.full(32, 1 / 32)
    levels = plateau_levels(parts, limit)
    assert levels[0] == 0.0 and levels[-1] == pytest.approx(1.0)
    steps = np.diff(levels) * 32
    assert steps.min() >= -1e-9 and steps.max() <= limit + 1 + 1e-9


def test_plateau_spends_grey_where_the_pixels_are() -> None:
    values = scene()
    values[:10, :20] = 300.0
    plain, curved = (tone_of(frame_of(values), method).apply(values)[20:].std() for method in ("percentile", "plateau"))
    assert curved > 2.5 * plain


@pytest.mark.parametrize("method", CONTRAST_METHODS)
def test_a_flat_scene_is_not_stretched_to_noise(method: str) -> None:
    values = np.random.default_rng(0).normal(20.0, 0.02, (96, 128)).astype(np.float32)
    assert tone_of(frame_of(values), method).apply(values).std() < 0.05


def test_a_moved_histogram_keeps_every_pixel_at_its_value() -> None:
    values = scene()
    narrow, wide = Span(17.0, 33.0), Span(10.0, 60.0)
    parts = moved(histogram(values, narrow), narrow, wide)
    assert parts.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(np.cumsum(parts), np.cumsum(histogram(values, wide)), atol=0.02)
    np.testing.assert_allclose(moved(histogram(values, narrow), narrow, narrow), histogram(values, narrow), atol=1e-12)


@pytest.mark.parametrize("method", RISING)
def test_a_static_scene_does_not_flicker(method: str) -> None:
    tone = TemporalTone(ContrastConfig(method=method))
    still = scene()[LIT]
    # The same values through the tone of each frame: what changes is the gain alone.
    grey = np.array([tone.update(frame_of(v, t)).apply(still) for t, v in clip(2.0, enters=99.0)])
    assert np.abs(np.diff(grey, axis=0)).max() < 1 / 255


@pytest.mark.parametrize("method", RISING)
def test_a_hot_object_changes_the_picture_gently_and_without_swinging(method: str) -> None:
    config = ContrastConfig(method=method)
    still = scene()[LIT]

    def levels(config: ContrastConfig) -> np.ndarray:
        tone = TemporalTone(config)
        return np.array([float(tone.update(frame_of(v, t)).apply(still).mean()) for t, v in clip(6.0, enters=1.0)])

    smooth, jumpy = levels(config), levels(replace(config, time_constant_s=0.0))
    jump = np.abs(np.diff(jumpy)).max()
    if method == "fixed":
        assert jump < 1e-6
        return
    assert jump > 0.1, "the clip does not show what is tested"
    # With a time constant of one second the steepest step is about 1/30 of the way; the grey is not linear in the span.
    assert np.abs(np.diff(smooth)).max() < jump / 4
    np.testing.assert_allclose(smooth[-1], jumpy[-1], atol=0.02)
    # One way only: never back by more than noise.
    assert np.diff(smooth[RATE:]).max() < 2e-3


@pytest.mark.parametrize("method", RISING)
def test_something_hot_that_comes_and_goes_does_not_make_the_picture_pump(method: str) -> None:
    still = scene()[LIT]

    def swing(time_constant_s: float) -> float:
        """How far the grey of the rest moves up and down while something at 90 degrees blinks at 2 Hz."""
        tone = TemporalTone(ContrastConfig(method=method, time_constant_s=time_constant_s))
        levels = []
        for i in range(4 * RATE):
            values = scene(i % 7)
            if i * 4 // RATE % 2:
                values[30:80, 100:125] = 90.0
            levels.append(float(tone.update(frame_of(values, i / RATE)).apply(still).mean()))
        return float(np.ptp(levels[-RATE:]))

    if method == "fixed":
        assert swing(0.0) < 1e-6
        return
    # Of a square wave of period T a first-order filter passes tanh(T / 4 tau): an eighth here.
    assert swing(0.0) > 0.1, "the clip does not show what is tested"
    assert swing(1.0) < 0.2 * swing(0.0)


def test_plateau_of_single_images_leaves_nothing_behind() -> None:
    tone = TemporalTone(ContrastConfig(method="plateau"))
    first = tone.update(frame_of(scene(), 0.0))
    other = frame_of(scene() * 2)
    np.testing.assert_array_equal(tone.update(other).apply(other.values), tone_of(other, "plateau").apply(other.values))
    again = tone.update(frame_of(scene(), 1 / RATE))
    np.testing.assert_allclose(again.apply(scene()), first.apply(scene()), atol=1e-6)


def test_the_method_may_change_between_frames() -> None:
    tone = TemporalTone(ContrastConfig())
    for i, method in enumerate(CONTRAST_METHODS * 2):
        tone.config = ContrastConfig(method=method)
        grey = tone.update(frame_of(scene(i), i / RATE)).apply(scene(i))
        assert 0.0 <= grey.min() and grey.max() <= 1.0 and grey.std() > 0.03
