"""Compressed images: the right pixels or a refusal that names the remedy, and nothing between."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.compressed import decode_compressed
from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import FrameError
from thermal_kd_ros.stream import FrameReader

COUNTS = (29000 + 4 * np.arange(48 * 64).reshape(48, 64) % 3000).astype(np.uint16)
GREY = (COUNTS // 128).astype(np.uint8)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


@pytest.mark.parametrize(("suffix", "format", "pixels", "encoding"), [
    (".png", "mono16; png compressed ", COUNTS, "mono16"),
    (".png", "16UC1; png compressed 16UC1", COUNTS, "16UC1"),
    (".png", "png", COUNTS, "mono16"),
    (".png", "", GREY, "mono8"),
    (".png", "mono8; png compressed mono8", GREY, "mono8"),
    (".png", "mono8; png compressed", COUNTS, "mono16"),
    (".tiff", "mono16; tiff compressed mono16", COUNTS, "mono16"),
    (".tiff", "32FC1; tiff compressed 32FC1", COUNTS.astype(np.float32) / 1000, "32FC1"),
    (".png", "rgb8; png compressed bgr8", np.dstack([GREY, GREY + 1, GREY + 2]), "bgr8"),
    (".png", "bgra8; png compressed", np.dstack([GREY, GREY, GREY, GREY]), "bgra8"),
])
def test_lossless_pictures_keep_every_value(suffix: str, format: str, pixels: np.ndarray, encoding: str) -> None:
    decoded, found = decode_compressed(encoded(suffix, pixels), format)
    assert found == encoding and decoded.dtype == pixels.dtype
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("format", ["jpeg", "mono8; jpeg compressed mono8", "jpg"])
def test_jpeg_of_8_bits_is_read(format: str) -> None:
    decoded, encoding = decode_compressed(encoded(".jpg", cv2.GaussianBlur(GREY, (9, 9), 3)), format)
    assert encoding == "mono8" and np.abs(decoded.astype(int) - cv2.GaussianBlur(GREY, (9, 9), 3)).max() < 12


@pytest.mark.parametrize(("data", "format", "words"), [
    (encoded(".jpg", GREY), "mono16; jpeg compressed mono8", ["JPEG has 8 bits", "mono16", "png"]),
    (encoded(".jpg", GREY), "32FC1; jpeg compressed", ["32FC1"]),
    (encoded(".png", GREY), "mono16; png compressed", ["8 bits", "crush mono16", "depth"]),
    (b"\0" * 12 + encoded(".png", COUNTS), "16UC1; compressedDepth png", ["depth image", "raw", "png"]),
    (b"\0" * 12 + encoded(".png", COUNTS), "16UC1", ["depth image"]),
    (b"", "png", ["no data", "driver"]),
    (b"hello", "png", ["'png'", "not a readable picture"]),
    (encoded(".png", COUNTS)[:-30], "png", ["ends too early"]),
    (encoded(".jpg", GREY)[:-30], "jpeg", ["ends too early"]),
    (encoded(".png", np.dstack([COUNTS, COUNTS, COUNTS + 1])), "rgb16; png compressed", ["16-bit colour"]),
])
def test_what_cannot_be_used_is_refused_with_the_remedy(data: bytes, format: str, words: list[str]) -> None:
    with pytest.raises(FrameError) as caught:
        decode_compressed(data, format)
    for word in words:
        assert word in str(caught.value)


@settings(max_examples=150)
@given(st.sampled_from([".png", ".tiff"]), st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_lossless_picture_never_gives_other_values_silently(suffix: str, at: int, flip: int) -> None:
    data = bytearray(encoded(suffix, COUNTS))
    data[at % len(data)] ^= flip
    try:
        decoded, _ = decode_compressed(bytes(data), "mono16")
    except FrameError:
        return
    assert decoded.size and decoded.dtype in (np.uint16, np.uint8, np.float32)
    if suffix == ".png":  # TIFF has no checksums
        np.testing.assert_array_equal(decoded, COUNTS)


@settings(max_examples=150)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\x10JFIF", b"II*\0", b"BM"]),
       st.binary(max_size=300), st.sampled_from(["png", "jpeg", "mono16; png compressed", ";;", "\u00e9", ""]))
def test_noise_is_refused_or_read_but_never_crashes(start: bytes, noise: bytes, format: str) -> None:
    try:
        pixels, _ = decode_compressed(start + noise, format)
    except FrameError as error:
        assert len(str(error)) > 20
    else:
        assert pixels.size


def test_a_camera_gives_the_same_frames_raw_and_compressed_and_jpeg_is_noted_once() -> None:
    said: list[str] = []
    reader = FrameReader(ThermalConfig(), say=said.append)
    raw = reader.read(COUNTS.tobytes(), 48, 64, "mono16", 128, False, 0.0)
    frame = reader.read_compressed(encoded(".png", COUNTS), "mono16; png compressed", 0.1)
    np.testing.assert_array_equal(raw.celsius(raw.values), frame.celsius(frame.values))
    assert reader.frozen_run == 1 and len(said) == 1
    for _ in range(2):
        assert reader.read_compressed(encoded(".jpg", GREY), "jpeg", 0.2).mode == "display8"
    assert sum("JPEG" in text for text in said) == 1
