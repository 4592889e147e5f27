"""The camera: noise as set, reversible units, shutter, determinism, and scenes that are not rebuilt per frame."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from thermal_kd_ros.simulation import KINDS, SimulatedCamera, SimulationConfig, decode, encode, random_scene_frame
from thermal_kd_ros.simulation.camera import CameraModel
from thermal_kd_ros.simulation.sheet import sheet

SMALL = SimulationConfig(width=160, height=128, scene="yard", seed=5)


def test_same_seed_same_frames_whatever_the_order() -> None:
    first = list(SimulatedCamera(SMALL).frames(4))
    camera = SimulatedCamera(SMALL)
    for index in (3, 0, 2):
        again = camera.frame(index)
        np.testing.assert_array_equal(again.image, first[index].image)
        np.testing.assert_array_equal(again.boxes, first[index].boxes)
        assert again.stamp == first[index].stamp and again.labels == first[index].labels
    other = SimulatedCamera(replace(SMALL, seed=6)).frame(0)
    assert np.any(other.image != first[0].image)


@pytest.mark.parametrize("netd", [0.03, 0.12])
def test_netd_is_the_temporal_noise_of_a_flat_scene(netd: float) -> None:
    model = CameraModel(replace(SMALL, netd_k=netd))
    flat = np.full((128, 160), 30.0, np.float32)
    stack = np.stack([model.measure(flat, frame) for frame in range(40)])
    assert np.median(stack.std(axis=0, ddof=1)) == pytest.approx(netd, rel=0.1)
    assert stack.mean() == pytest.approx(30.0, abs=0.3)


def test_fixed_pattern_is_as_set_and_changes_with_the_shutter() -> None:
    model = CameraModel(replace(SMALL, netd_k=0.0, fixed_pattern_k=0.08, dead_pixels=0.0, vignette_k=0.0))
    flat = np.full((128, 160), 30.0, np.float32)
    before, after = model.measure(flat, 0, event=0), model.measure(flat, 0, event=1)
    assert before.std() == pytest.approx(0.08, rel=0.1)
    assert abs(np.corrcoef(before.reshape(-1), after.reshape(-1))[0, 1]) < 0.5


def test_blur_is_gaussian_and_keeps_the_mean() -> None:
    model = CameraModel(
        replace(SMALL, netd_k=0.0, fixed_pattern_k=1e-6, dead_pixels=0.0, drift_k=0.0, vignette_k=0.0, blur_px=1.5)
    )
    point = np.zeros((128, 160), np.float32)
    point[64, 80] = 100.0
    seen = model.measure(point, 0)
    x = np.arange(160) - 80
    profile = seen.sum(axis=0) / seen.sum()
    assert np.sqrt((profile * x**2).sum()) == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize(("unit", "step"), [("centikelvin", 0.01), ("counts14", 1 / 40), ("celsius", 0.0)])
def test_radiometric_units_round_trip(unit: str, step: float) -> None:
    celsius = np.random.default_rng(0).uniform(-40, 120, (20, 30)).astype(np.float32)
    image, encoding = encode(celsius, unit)
    assert encoding == ("32FC1" if unit == "celsius" else "mono16")
    assert image.dtype == (np.float32 if unit == "celsius" else np.uint16)
    np.testing.assert_allclose(decode(image, unit), celsius, atol=step / 2 + 1e-3)


def test_centikelvin_means_what_it_says() -> None:
    assert encode(np.array([[0.0, 36.6]], np.float32), "centikelvin")[0].tolist() == [[27315, 30975]]
    assert encode(np.array([[-400.0, 9999.0]], np.float32), "centikelvin")[0].tolist() == [[0, 65535]]
    assert encode(np.array([[-400.0, 9999.0]], np.float32), "counts14")[0].tolist() == [[0, 16383]]


def test_display8_and_its_polarity() -> None:
    ramp = np.tile(np.linspace(10, 40, 160, dtype=np.float32), (128, 1))
    white, encoding = encode(ramp, "display8")
    black, _ = encode(ramp, "display8", black_hot=True)
    assert encoding == "mono8" and white.dtype == np.uint8
    assert white[0, -1] > 235 and white[0, 0] < 20
    np.testing.assert_array_equal(black, 255 - white)
    with pytest.raises(ValueError, match="display8"):
        decode(white, "display8")
    with pytest.raises(ValueError, match="unknown unit"):
        encode(ramp, "fahrenheit")


def test_shutter_repeats_frames_and_then_jumps() -> None:
    config = replace(SMALL, rate_hz=10.0, shutter_interval_s=1.0, shutter_s=0.4, dead_pixels=0.0)
    frames = list(SimulatedCamera(config).frames(18))
    assert [frame.shutter for frame in frames] == [10 <= index < 14 for index in range(18)]
    assert [frame.stamp for frame in frames] == pytest.approx([index / 10 for index in range(18)])
    for index in range(10, 14):
        np.testing.assert_array_equal(frames[index].image, frames[9].image)
        np.testing.assert_array_equal(frames[index].boxes, frames[9].boxes)
    assert np.any(frames[14].image != frames[9].image) and np.any(frames[1].image != frames[0].image)
    np.testing.assert_array_equal(SimulatedCamera(config).frame(12).image, frames[12].image)


def test_camera_matrix_and_frame_shapes() -> None:
    frame = SimulatedCamera(SMALL).frame(0)
    assert frame.image.shape == frame.celsius.shape == (128, 160)
    assert frame.k[0, 0] == pytest.approx(80 / np.tan(np.radians(22.5)))
    np.testing.assert_allclose(frame.k[:2, 2], [80, 64])
    assert frame.boxes.dtype == np.float32 and frame.boxes.shape == (len(frame.labels), 4)
    assert frame.ignore.dtype == bool


def test_tour_cuts_through_all_kinds() -> None:
    camera = SimulatedCamera(SimulationConfig(width=96, height=80, cut_s=1.0))
    means = [camera.frame(index * 30).celsius for index in range(len(KINDS))]
    assert all(np.abs(a - b).mean() > 0.5 for a, b in zip(means[:-1], means[1:], strict=True))


def test_streaming_does_not_rebuild_the_scene() -> None:
    camera = SimulatedCamera(replace(SMALL, scene="street_night"))
    start = time.process_time()
    camera.frame(0)
    built = time.process_time() - start
    start = time.process_time()
    for index in range(1, 6):
        camera.frame(index)
    assert (time.process_time() - start) / 5 < built


@pytest.mark.parametrize("kind", KINDS)
def test_random_frames_are_reproducible_and_differ(kind: str) -> None:
    first, again, other = (random_scene_frame(seed, 128, 96, kind) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    assert first.encoding == "mono8" and np.any(first.image != other.image)


def test_config_refuses_nonsense() -> None:
    for wrong in ({"scene": "moon"}, {"unit": "fahrenheit"}, {"width": 3}, {"height": 100_000}, {"rate_hz": 0.0},
                  {"hfov_deg": 180.0}):
        with pytest.raises(ValueError):
            SimulationConfig(**wrong)
    for name in ("netd_k", "blur_px", "dead_pixels", "drift_k", "shutter_s"):
        with pytest.raises(ValueError, match=f"{name} -0.5: must be 0 or more"):
            SimulationConfig(**{name: -0.5})
    for wrong in ({"dead_pixels": 1.5}, {"blur_px": 1000.0}):
        with pytest.raises(ValueError, match="must be at most 1 and 50"):
            SimulationConfig(**wrong)
    # Also where only the rounding to whole frames leaves none open.
    for interval, closed, rate in ((0.3, 0.4, 30.0), (0.4, 0.4, 30.0), (1.4, 0.6, 1.0)):
        with pytest.raises(ValueError, match="shutter never opens"):
            SimulationConfig(shutter_interval_s=interval, shutter_s=closed, rate_hz=rate)
    SimulationConfig(shutter_interval_s=0.0, shutter_s=0.4)


def test_sheet_is_written(tmp_path) -> None:
    sheet(tmp_path / "sheet.png", columns=1)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 480
