"""Contrast on a device against NumPy and OpenCV, frame after frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.config import CONTRAST_METHODS, ContrastConfig
from thermal_kd_ros.contrast import Span, robust_span
from thermal_kd_ros.faces import normalise_crop
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.tone import TemporalTone, histogram, moved, plateau_levels

torch = pytest.importorskip("torch")

from thermal_kd_ros.engines.device import tone  # noqa: E402
from thermal_kd_ros.engines.device.cameras import CameraTones  # noqa: E402
from thermal_kd_ros.engines.device.clahe import clahe  # noqa: E402
from thermal_kd_ros.engines.device.steps import normalised  # noqa: E402

SHAPES = [(1, 1), (5, 3), (61, 83), (96, 128), (300, 401)]
"""The last is sampled at every second pixel."""


def scene(seed: int, shape: tuple[int, int], kind: str) -> np.ndarray:
    """Something with a gradient, noise and hot spots, as a camera of a kind puts it out."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    celsius = 15 + 8 * np.sin(x / 17) + 5 * np.cos(y / 11) + rng.normal(0, 0.3, shape)
    celsius[rng.random(shape) < 0.02] += 60
    if kind == "display8":
        return np.clip(celsius * 3, 0, 255).astype(np.uint8)
    if kind == "centikelvin":
        return np.rint((celsius + 273.15) * 100).astype(np.uint16)
    celsius = celsius.astype(np.float32)
    if kind == "broken":
        celsius[rng.random(shape) < 0.1] = np.nan
        celsius[rng.random(shape) < 0.02] = rng.choice([np.inf, -np.inf, 3e38])
        if not np.isfinite(celsius).any():
            celsius[:] = 20.0
    return celsius


def frame(values: np.ndarray, stamp: float | None, camera: str = "") -> ThermalFrame:
    mode, scale, offset = {"u1": ("display8", 1.0, 0.0), "u2": ("centikelvin", 0.01, -273.15),
                           "f4": ("celsius", 1.0, 0.0)}[values.dtype.str[1:]]
    return ThermalFrame(values, mode, scale, offset, stamp, camera)


def on_device(tones: CameraTones, frames: list[ThermalFrame]) -> np.ndarray:
    """Grey (B, H, W) of frames of one shape, all cameras different."""
    memory = tones.memory.spans.device
    inputs = torch.from_numpy(tones.inputs(frames)).to(memory)
    values = torch.from_numpy(np.stack([f.values.astype(np.float32) for f in frames])).to(memory)
    return tone.grey(values, tone.ToneInputs(*inputs.unbind(1)), tones.memory, tones.config).cpu().numpy()


@pytest.mark.parametrize("kind", ["display8", "centikelvin", "celsius", "broken"])
@pytest.mark.parametrize("method", CONTRAST_METHODS)
def test_it_is_what_the_host_makes_of_a_stream(device, method: str, kind: str) -> None:
    config = ContrastConfig(method=method, clahe_tiles=5)
    for shape in SHAPES:
        host, tones = TemporalTone(config), CameraTones(config, device)
        # A picture without a stamp, a long gap, a clock that jumps back, and a scene that the old span would hide.
        for i, (stamp, shift) in enumerate([(0.0, 0), (0.1, 0), (None, 0), (0.2, 20), (50.0, 0), (1.0, 0), (1.1, 99)]):
            values = scene(i, shape, kind)
            values = values + np.array(shift * {"u1": 1, "u2": 100, "f4": 1}[values.dtype.str[1:]], values.dtype)
            expected = host.update(frame(values, stamp)).apply(values)
            got = on_device(tones, [frame(values, stamp)])[0]
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected, atol=1 / 255 + 1e-6, err_msg=f"{shape}, frame {i}")
            # Nearly everywhere it is far closer: a step of CLAHE turns on the last bit of a grey level.
            assert np.mean(np.abs(got - expected) > 1e-5) < 0.01


def test_cameras_in_a_batch_do_not_touch_each_other(device) -> None:
    config = ContrastConfig(method="plateau")
    tones, hosts = CameraTones(config, device), [TemporalTone(config) for _ in range(6)]
    for i in range(3):
        # More cameras come than there was room for at first.
        frames = [frame(scene(10 * i + c, (61, 83), "centikelvin"), i / 10 + c, str(c)) for c in range(3 + i)]
        got = on_device(tones, frames)
        for c, one in enumerate(frames):
            np.testing.assert_allclose(got[c], hosts[c].update(one).apply(one.values), atol=1e-5)


def test_changing_the_method_forgets_the_histogram_as_the_host_does(device) -> None:
    host, tones = TemporalTone(ContrastConfig()), CameraTones(ContrastConfig(), device)
    for i, method in enumerate(["plateau", "plateau", "percentile", "plateau", "fixed", "plateau", "plateau"]):
        host.config = tones.config = ContrastConfig(method=method)
        one = frame(scene(i, (61, 83), "centikelvin"), i / 10)
        np.testing.assert_allclose(on_device(tones, [one])[0], host.update(one).apply(one.values), atol=1e-5)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**16), height=st.integers(1, 70), width=st.integers(1, 70), tiles=st.integers(1, 9),
       limit=st.floats(0.1, 40))
def test_clahe_is_opencv_s_to_the_bit(seed, height, width, tiles, limit) -> None:
    rng = np.random.default_rng(seed)
    grey = np.clip(rng.normal(rng.uniform(0, 255), rng.uniform(0, 60), (height, width)), 0, 255).astype(np.uint8)
    shape = tuple(max(1, min(tiles, side // 8)) for side in (width, height))
    expected = cv2.createCLAHE(limit, shape).apply(grey)
    got = clahe(torch.from_numpy(grey)[None].float(), limit, tiles)[0].numpy() * 255
    np.testing.assert_array_equal(np.rint(got), expected)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 500), missing=st.floats(0, 1), low=st.floats(0, 49),
       high=st.floats(51, 100))
def test_percentiles_are_numpy_s(seed, count, missing, low, high) -> None:
    rng = np.random.default_rng(seed)
    sample = rng.normal(3e4, 100, count).astype(np.float32)
    holes = np.where(rng.random(count) < missing, np.nan, sample).astype(np.float32)
    got = tone.percentiles(torch.from_numpy(np.stack([sample, holes])), (low, high))
    for i, row in enumerate((sample, holes)):
        row = row[~np.isnan(row)]
        expected = np.percentile(row.astype(np.float64), (low, high)) if row.size else [np.nan, np.nan]
        np.testing.assert_allclose([float(value[i]) for value in got], expected, rtol=1e-12)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**16))
def test_histograms_and_curves_are_numpy_s(seed) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(20, 5, (40, 50)).astype(np.float32)
    spans = [Span(low, low + rng.uniform(0.1, 30)) for low in rng.uniform(0, 30, 2)]
    tensors = [torch.tensor([[span.low, span.high]], dtype=torch.float64) for span in spans]
    parts, sample = histogram(values, spans[0]), tone.regular_sample(torch.from_numpy(values)[None])
    got = tone.histogram(sample, tensors[0])
    np.testing.assert_array_equal(got[0], parts)
    np.testing.assert_allclose(tone.moved(got, *tensors)[0], moved(parts, *spans), atol=1e-12)
    np.testing.assert_allclose(tone.plateau_levels(got, 3.0)[0], plateau_levels(parts, 3.0), atol=1e-12)
    assert float(tone.part_shown(sample, tensors[1])) == pytest.approx(spans[1].shows(values))


def test_nothing_finite_gives_what_the_host_gives() -> None:
    nothing = torch.full((1, 4, 4), torch.nan)
    span = tone.robust_span(tone.regular_sample(nothing), ContrastConfig(), torch.tensor([2.0], dtype=torch.float64))
    expected = robust_span(nothing[0].numpy(), ContrastConfig(), 2.0)
    assert span.tolist() == [[expected.low, expected.high]]
    assert tone.apply_span(nothing, span).tolist() == [[[0.0] * 4] * 4]


@pytest.mark.parametrize("values", ["whole", "flat", "holes", "nothing"])
def test_face_crops_are_normalised_as_on_the_host(device, values: str) -> None:
    rng = np.random.default_rng(0)
    crop = np.rint(rng.normal(30000, 300, (112, 112))).astype(np.float32)
    crop = {"flat": np.full_like(crop, 30000), "nothing": np.full_like(crop, np.nan),
            "holes": np.where(rng.random(crop.shape) < 0.2, np.nan, crop)}.get(values, crop)
    got = normalised(torch.from_numpy(np.stack([crop, crop[::-1].copy()])).to(device)).cpu().numpy()
    np.testing.assert_allclose(got[0], normalise_crop(crop), atol=1e-5)
    np.testing.assert_allclose(got[1], normalise_crop(crop[::-1]), atol=1e-5)
