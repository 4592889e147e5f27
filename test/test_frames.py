"""Decoding of every encoding, and the meaning of the values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import ENCODINGS, FrameError, ThermalFrame, decode, guess_mode
from thermal_kd_ros.geometry import FaceCrop

AUTO = ThermalConfig()


def encode(pixels: np.ndarray, big: bool, padding: int) -> tuple[bytes, int]:
    """The bytes a driver would send, row by row, with padding that must never be read as pixels."""
    ordered = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xa5" * padding for row in ordered]
    return b"".join(rows), len(rows[0])


@settings(max_examples=60, deadline=None)
@given(encoding=st.sampled_from(sorted(ENCODINGS)), height=st.integers(1, 9), width=st.integers(1, 11),
       big=st.booleans(), padding=st.integers(0, 7), seed=st.integers(0, 2**16))
def test_decode_returns_what_was_sent(encoding, height, width, big, padding, seed):
    layout = ENCODINGS[encoding]
    shape = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    rng = np.random.default_rng(seed)
    pixels = (rng.random(shape).astype("f4") if layout.dtype == "f4"
              else rng.integers(0, 256 ** int(layout.dtype[1]), shape).astype(layout.dtype))
    data, step = encode(pixels, big, padding)
    decoded = decode(data, height, width, encoding, step, big)
    assert decoded.dtype.isnative
    np.testing.assert_array_equal(decoded, pixels)


def test_little_endian_is_a_view_and_not_a_copy():
    data = bytearray(np.arange(12, dtype="<u2").tobytes())
    decoded = decode(data, 3, 4, "mono16", 8, False)
    data[0] = 77
    assert decoded[0, 0] == 77


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("encoding", "kind", "padding"), [("mono16", "u2", 1), ("32FC1", "f4", 2)])
def test_rows_that_begin_between_two_values_can_be_resized(encoding, kind, padding, big):
    pixels = np.arange(20 * 30, dtype=kind).reshape(20, 30)
    data, step = encode(pixels, big, padding)
    decoded = decode(data, 20, 30, encoding, step, big)
    crop = FaceCrop(5, 5, 10, 20)
    np.testing.assert_array_equal(crop.apply(decoded), crop.apply(pixels))


def test_the_last_row_may_lack_its_padding():
    data, step = encode(np.arange(6, dtype="u2").reshape(2, 3), False, 4)
    np.testing.assert_array_equal(decode(data[:-4], 2, 3, "16UC1", step, False), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((b"\0" * 8, 2, 2, "yuv422", 4, False), ["yuv422", "mono16"]),
        ((b"", 0, 2, "mono8", 2, False), ["2 x 0"]),
        ((b"\0" * 7, 2, 2, "mono16", 4, False), ["7 bytes", "8", "cut"]),
        ((b"\0" * 8, 2, 2, "mono16", 3, False), ["step is 3", "4"]),
    ],
)
def test_bad_messages_say_what_is_wrong(arguments, words):
    with pytest.raises(FrameError) as caught:
        decode(*arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "mode, value, celsius",
    [("centikelvin", 30315, 30.0), ("decikelvin", 3031, 29.95), ("optris", 1300, 30.0)],
)
def test_counts_become_degrees(mode, value, celsius):
    frame = ThermalFrame.from_array(np.full((2, 3), value, np.uint16), ThermalConfig(input_mode=mode))
    np.testing.assert_allclose(frame.celsius(frame.values), celsius, atol=2e-3)


def test_linear_mode_uses_its_scale_and_offset():
    frame = ThermalFrame.from_array(np.full((2, 2), 7000, np.uint16), ThermalConfig("linear", 0.04, -273.15))
    np.testing.assert_allclose(frame.celsius(frame.values), 6.85, atol=2e-3)


@pytest.mark.parametrize(
    "values, mode",
    [
        (np.full((8, 8), 120, np.uint8), "display8"),
        (np.full((8, 8), 29515, np.uint16), "centikelvin"),
        (np.full((8, 8), 8000, np.uint16), "raw_counts"),
        (np.full((8, 8), 22.0, np.float32), "celsius"),
        (np.full((8, 8), 295.0, np.float32), "kelvin"),
        (np.full((8, 8), 4321.0, np.float32), "raw_counts"),
        (np.where(np.arange(400).reshape(20, 20) < 24, 1150.0, 35.0).astype(np.float32), "celsius"),  # a fire in view
        (np.linspace(-2000.0, 2000.0, 400, dtype=np.float32).reshape(20, 20), "raw_counts"),
    ],
)
def test_guess_mode(values, mode):
    assert guess_mode(values) == mode
    frame = ThermalFrame.from_array(values, AUTO)
    assert frame.mode == mode
    assert np.isfinite(frame.celsius(values)).all() == frame.radiometric


def test_colour_is_grey_in_either_channel_order():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (5, 6, 1), np.uint8)
    np.testing.assert_array_equal(ThermalFrame.from_array(np.repeat(grey, 3, 2), AUTO).values, grey[..., 0])
    colour = rng.integers(0, 256, (5, 6, 3), np.uint8)
    np.testing.assert_array_equal(ThermalFrame.from_array(colour, AUTO).values,
                                  ThermalFrame.from_array(colour[..., ::-1], AUTO).values)


@pytest.mark.parametrize(
    "values, remedy",
    [(np.full((3, 3), np.nan, np.float32), "check that the camera's driver"),
     (np.full((3, 3), -1e300), "check that the camera's driver"),
     (np.zeros((0, 3), np.uint8), r"give one image as \(height, width\)"),
     (np.zeros(3, np.uint8), r"give one image as \(height, width\)"),
     (np.zeros((2, 2, 2), np.uint8), r"give one image as \(height, width\)"),
     (np.zeros((3, 3), np.int32), "use uint8, uint16 or float32"), (np.zeros((2, 2, 3), np.uint16), "use 8 bits")],
)
@pytest.mark.filterwarnings("error")
def test_unusable_arrays_are_refused_with_a_remedy(values, remedy):
    with pytest.raises(FrameError, match=remedy):
        ThermalFrame.from_array(values, AUTO)


@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_is_not_finite():
    frame = ThermalFrame.from_array(np.array([[1e300, 20.0], [-1e300, np.nan]]), AUTO)
    assert frame.values.dtype == np.float32
    assert np.isfinite(frame.values).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("values", [
    np.array([[0, 7], [200, 255]], np.uint8), np.array([[0, 7], [200, 65535]], np.uint16),
    np.array([[0.0, 0.25], [0.5, 1.0]], np.float32)])
def test_black_hot_pictures_are_turned_round(values):
    mode = ThermalConfig(input_mode="display8")
    plain, turned = (ThermalFrame.from_array(values, replace(mode, black_hot=black)).values for black in (False, True))
    assert turned.dtype == values.dtype and np.array_equal(plain, values)
    assert np.array_equal(np.argsort(turned, axis=None), np.argsort(plain, axis=None)[::-1])
    # A difference stays as large as it was.
    assert np.array_equal(np.ptp(turned), np.ptp(plain))
    assert np.array_equal(ThermalFrame.from_array(turned, replace(mode, black_hot=True)).values, values)


@pytest.mark.parametrize("mode", ["centikelvin", "raw_counts", "celsius", "kelvin", "linear"])
def test_what_is_no_picture_is_never_turned_round(mode):
    values = np.array([[29000, 29100], [29200, 31000]], np.uint16)
    frame = ThermalFrame.from_array(values, ThermalConfig(input_mode=mode, black_hot=True))
    assert np.array_equal(frame.values, values)
