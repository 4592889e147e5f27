"""The reader of one camera's images."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import FrameError
from thermal_kd_ros.stream import FrameReader


def room(kelvin: float = 295.0, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    """A radiometric image in centikelvin around a temperature."""
    return (100 * (kelvin + np.linspace(-5, 15, shape[0] * shape[1]).reshape(shape))).astype(np.uint16)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def reader(said: list[str]) -> FrameReader:
    return FrameReader(ThermalConfig(), "/camera", said.append)


def test_mode_is_decided_once_and_does_not_flip_when_the_scene_leaves_the_range(reader: FrameReader, said: list[str]
                                                                               ) -> None:
    assert reader.read_array(room(), "mono16", 0.0).mode == "centikelvin"
    for kelvin in (150.0, 295.0, 500.0):  # alone, the first and the last would be taken for raw counts
        assert reader.read_array(room(kelvin), "mono16", 1.0).mode == "centikelvin"
    assert len(said) == 1 and "centikelvin" in said[0] and "thermal.input_mode" in said[0]


@pytest.mark.parametrize("value", [0, 65535])
def test_a_constant_first_image_decides_nothing(reader: FrameReader, said: list[str], value: int) -> None:
    assert reader.read_array(np.full((12, 16), value, np.uint16), "mono16", 0.0).mode == "raw_counts"
    assert said == []
    assert reader.read_array(room(), "mono16", 0.1).mode == "centikelvin"


def test_a_configured_mode_is_not_judged(said: list[str]) -> None:
    reader = FrameReader(ThermalConfig(input_mode="optris"), say=said.append)
    assert reader.read_array(room(), "mono16", 0.0).mode == "optris"
    assert said == []


def test_colour_is_noted_once(reader: FrameReader, said: list[str]) -> None:
    picture = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    for stamp in (0.0, 0.1):
        assert reader.read_array(picture, "bgr8", stamp).mode == "display8"
    assert len(said) == 1 and "grey" in said[0]


def test_a_new_format_is_decided_anew_and_said_once(reader: FrameReader, said: list[str]) -> None:
    kelvin = np.linspace(280, 310, 20 * 30).reshape(20, 30).astype(np.float32)
    modes = []
    for _ in range(3):
        modes.append(reader.read_array(room(), "mono16", 0.0).mode)
        modes.append(reader.read_array(kelvin, "32FC1", 0.0).mode)
    assert modes == ["centikelvin", "kelvin"] * 3
    assert sum("changed from 16 x 12 mono16 to 30 x 20 32FC1" in text for text in said) == 1
    assert len(said) == 3
    assert reader.description == "30 x 20 32FC1"


def test_a_bad_image_leaves_nothing_behind(reader: FrameReader) -> None:
    reader.read_array(room(), "mono16", 0.0)
    with pytest.raises(FrameError, match="NaN"):
        reader.read_array(np.full((8, 8), np.nan, np.float32), "32FC1", 0.0)
    assert reader.description == "16 x 12 mono16"
    with pytest.raises(FrameError, match="step"):
        reader.read(bytes(10), 12, 16, "mono16", 31, False, 0.0)


def test_repeated_images_are_counted(reader: FrameReader) -> None:
    image = room()
    runs = []
    for stamp in range(4):
        reader.read(image.tobytes(), 12, 16, "mono16", 32, False, float(stamp))
        runs.append(reader.frozen_run)
    image[-1, -1] += 1
    reader.read(image.tobytes(), 12, 16, "mono16", 32, False, 4.0)
    assert runs == [0, 1, 2, 3]
    assert (reader.frozen_run, reader.frozen_total) == (0, 3)


def test_repetition_is_seen_through_nan_and_a_reused_buffer(reader: FrameReader) -> None:
    image = np.linspace(10, 30, 12 * 16).reshape(12, 16).astype(np.float32)
    image[3, 3] = np.nan
    reader.read_array(image, "32FC1", 0.0)
    reader.read_array(image, "32FC1", 1.0)
    assert reader.frozen_run == 1
    image[5, 5] += 1  # the caller fills the same memory with the next image
    reader.read_array(image, "32FC1", 2.0)
    assert reader.frozen_run == 0
