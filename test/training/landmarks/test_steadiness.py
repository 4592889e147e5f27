"""Measures of trembling and lag."""

import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.config import SmoothingConfig
from training.landmarks.steadiness import FaceTrack, jitter, lag, main, smoothed, with_truth, without_truth

RATE = 30.0


def moving(noise, seconds=8.0, delay=0.0, seed=0):
    rng = np.random.default_rng(seed)
    stamps = np.arange(int(seconds * RATE)) / RATE
    at = lambda t: 100 + 25 * np.sin(2 * np.pi * 0.4 * t[:, None, None] + np.arange(12).reshape(6, 2))  # noqa: E731
    truth = at(stamps)
    found = at(stamps - delay) + rng.normal(0, noise, truth.shape)
    return FaceTrack(stamps, np.tile([60.0, 60.0, 140.0, 160.0], (len(stamps), 1)), found, truth)


@pytest.mark.parametrize(("options", "said"), [
    (["--scenes", "0"], "--scenes 0: give at least 1"), (["--data", "{}/none"], "/none/feverscreen has no clips"),
    (["--rate", "0"], "--rate 0.0"), (["--seconds", "0.1"], "--seconds 0.1"),
    (["--sheet", "clips.png"], "needs --data"), (["--min-cutoff", "-1"], "smoothing.min_cutoff_hz = -1.0"),
    (["--speed-gain", "nan"], "smoothing.speed_gain = nan")])
def test_nothing_to_measure_is_told_before_the_work(tmp_path, capsys, options, said):
    assert main([option.format(tmp_path) for option in options]) == 1
    streams = capsys.readouterr()
    assert streams.err.startswith("error: ") and said in streams.err and streams.err.count("\n") == 1
    assert not streams.out


def test_jitter_is_the_spread_of_white_noise_and_blind_to_straight_motion():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.7, (4000, 5, 2))
    assert jitter(noise) == pytest.approx(0.7, rel=0.03)
    assert jitter(np.arange(50.0)[:, None] * np.ones((1, 4))) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("delay", [0.0, 0.05, -0.03])
def test_lag_is_the_delay(delay):
    track = moving(0.3, delay=delay)
    assert lag(track.points, track.truth, track.stamps) == pytest.approx(delay, abs=0.004)
    # A constant offset is no lag.
    assert lag(track.points + 9.0, track.truth, track.stamps) == pytest.approx(delay, abs=0.004)


def test_smoothing_trades_jitter_for_lag():
    tracks = [moving(1.0, seed=seed) for seed in range(2)]
    off = with_truth(tracks, SmoothingConfig(enabled=False))
    assert off["lag_ms"] == pytest.approx(0.0, abs=1e-3) and off["jitter_percent"] == pytest.approx(1.0, rel=0.1)
    soft, hard = (with_truth(tracks, SmoothingConfig(True, cutoff, 0.0)) for cutoff in (4.0, 1.0))
    assert hard["jitter_percent"] < soft["jitter_percent"] < off["jitter_percent"]
    assert hard["lag_ms"] > soft["lag_ms"] > 5.0
    # A first-order low-pass is late by 1 / (2 pi cutoff), less some for being discrete.
    assert soft["lag_ms"] == pytest.approx(1e3 / (2 * np.pi * 4.0), rel=0.4)


def test_the_default_smoothing_helps_and_hardly_lags():
    tracks = [moving(0.5, seed=seed) for seed in range(2)]
    off, on = (with_truth(tracks, SmoothingConfig(enabled=enabled)) for enabled in (False, True))
    assert on["jitter_percent"] < 0.75 * off["jitter_percent"]
    assert on["lag_ms"] < 1e3 / RATE
    assert without_truth(tracks, SmoothingConfig())["box_jitter_percent"] == 0.0


def test_a_track_is_smoothed_as_the_pipeline_does():
    track = moving(1.0)
    np.testing.assert_allclose(smoothed(track, SmoothingConfig(enabled=False)), track.points, atol=1e-4)
    assert np.isfinite(smoothed(track, SmoothingConfig())).all()
