"""The reader of one camera's images."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import ContrastConfig, ThermalConfig
from thermal_kd_ros.contrast import TemporalContrast, robust_span
from thermal_kd_ros.frames import FrameError
from thermal_kd_ros.simulation.camera import SimulatedCamera
from thermal_kd_ros.simulation.config import KINDS, SimulationConfig
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


def test_a_configured_mode_is_not_announced(said: list[str]) -> None:
    reader = FrameReader(ThermalConfig(input_mode="decikelvin"), say=said.append)
    assert reader.read_array(room() // 10, "mono16", 0.0).mode == "decikelvin"
    assert said == [] and reader.doubt == ""


@pytest.mark.parametrize(("mode", "pixels", "encoding", "degrees"), [
    ("centikelvin", np.arange(192, dtype=np.uint8).reshape(12, 16), "mono8", "-272"),
    ("optris", room(), "mono16", "2900"),
    ("celsius", (room() / 100).astype(np.float32), "32FC1", "300"),
])
def test_impossible_degrees_are_doubted_once_until_there_are_others(said: list[str], mode: str, pixels: np.ndarray,
                                                                    encoding: str, degrees: str) -> None:
    told: list[str] = []
    reader = FrameReader(ThermalConfig(input_mode=mode), say=told.append, warn=said.append)
    reader.read_array(np.full_like(pixels, 7), encoding, 0.0)
    assert reader.doubt == "", "a closed shutter tells nothing"
    for stamp in (0.1, 0.2):
        assert reader.read_array(pixels, encoding, stamp).mode == mode
        assert f"at {degrees} degrees" in reader.doubt and "thermal.input_mode" in reader.doubt
    assert len(said) == 1 and encoding in said[0] and degrees in said[0] and told == []


def test_a_camera_whose_first_images_were_odd_is_believed_later(said: list[str]) -> None:
    reader = FrameReader(ThermalConfig(input_mode="centikelvin"), say=said.append)
    reader.read_array(room() // 100, "mono16", 0.0)
    assert reader.doubt
    reader.read_array(room(), "mono16", 0.1)
    assert reader.doubt == ""
    # A fire that fills the image is no reason to doubt any more.
    reader.read_array(room(600.0), "mono16", 0.2)
    assert reader.doubt == "" and len(said) == 1


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


def test_an_image_after_a_pause_repeats_none(reader: FrameReader) -> None:
    for _ in range(3):
        reader.read_array(room(), "mono16", 0.0)
    assert reader.frozen and reader.frozen_total == 2
    reader.restart()
    assert not reader.frozen
    reader.read_array(room(), "mono16", 1.0)
    assert reader.frozen_run == 0 and reader.frozen_total == 2 and reader.mode == "centikelvin"


def test_repetition_is_seen_through_nan_and_a_reused_buffer(reader: FrameReader) -> None:
    image = np.linspace(10, 30, 12 * 16).reshape(12, 16).astype(np.float32)
    image[3, 3] = np.nan
    reader.read_array(image, "32FC1", 0.0)
    reader.read_array(image, "32FC1", 1.0)
    assert reader.frozen_run == 1
    image[5, 5] += 1  # the caller fills the same memory with the next image
    reader.read_array(image, "32FC1", 2.0)
    assert reader.frozen_run == 0


def simulated(scene: str, **values: object) -> SimulatedCamera:
    """A camera that corrects itself every second, repeating six frames."""
    given = dict(scene=scene, width=160, height=128, rate_hz=15.0, shutter_interval_s=1.0, shutter_s=0.4, drift_k=0.6)
    return SimulatedCamera(SimulationConfig(**{**given, **values}))  # type: ignore[arg-type]


@pytest.mark.parametrize("scene", KINDS)
def test_shutter_events_of_a_simulated_camera_are_counted(said: list[str], scene: str) -> None:
    reader, true_events, repeated = FrameReader(ThermalConfig(), say=said.append), 0, 0
    shutter = False
    for frame in simulated(scene).frames(40):
        reader.read_array(frame.image, frame.encoding, frame.stamp)
        true_events += shutter and not frame.shutter
        repeated += frame.shutter
        shutter = frame.shutter
    assert (reader.shutter_events, reader.frozen_total) == (true_events, repeated) == (2, 12)
    assert sum("shutter" in text for text in said) == 1


@pytest.mark.parametrize("scene", KINDS)
def test_a_camera_that_only_hangs_has_no_shutter_event(reader: FrameReader, scene: str) -> None:
    # Without drift, a correction changes nothing: frames stop and go on, whatever has moved meanwhile.
    for frame in simulated(scene, drift_k=0.0, vignette_k=0.0, fixed_pattern_k=0.0).frames(40):
        reader.read_array(frame.image, frame.encoding, frame.stamp)
    assert (reader.shutter_events, reader.frozen_total) == (0, 12)


@pytest.mark.parametrize(("repeats", "jump", "events"), [(1, 20, 0), (2, 20, 1), (5, -20, 1), (5, 0, 0)])
def test_a_shutter_event_is_enough_repeats_and_then_a_jump(reader: FrameReader, repeats: int, jump: int, events: int
                                                           ) -> None:
    rng, scene = np.random.default_rng(0), room(shape=(96, 128))
    noisy = [(scene + rng.normal(0, 4, scene.shape)).astype(np.uint16) for _ in range(4)]
    for image in (noisy[0], *[noisy[1]] * (1 + repeats), noisy[2] + np.uint16(jump % 65536), noisy[3]):
        reader.read_array(image, "mono16", None)
    assert (reader.shutter_events, reader.frozen_total, reader.frozen) == (events, repeats, False)


def test_repeats_before_another_format_are_no_shutter_event(reader: FrameReader) -> None:
    for _ in range(4):
        reader.read_array(room(), "mono16", 0.0)
    reader.read_array(room(shape=(24, 32)), "mono16", 0.0)
    assert reader.shutter_events == 0


def test_the_gain_survives_a_shutter_event_with_and_without_its_frames() -> None:
    for skip in (False, True):
        reader, contrast = FrameReader(ThermalConfig()), TemporalContrast(ContrastConfig())
        previous = stamp = None
        for image in simulated("yard").frames(40):
            frame = reader.read_array(image.image, image.encoding, image.stamp)
            if skip and reader.frozen_run:
                continue
            span = contrast.update(frame.values, 200.0, frame.stamp)
            if previous is not None and stamp is not None:
                alone, keep = robust_span(frame.values, ContrastConfig(), 200.0), np.exp(stamp - image.stamp)
                assert span.low == pytest.approx(keep * previous.low + (1 - keep) * alone.low)
                assert abs(span.low - previous.low) <= (1 - keep) * abs(alone.low - previous.low) + 1e-6
            previous, stamp = span, image.stamp
        assert reader.shutter_events == 2


def test_a_display_picture_tells_nothing_of_the_shutter(reader: FrameReader) -> None:
    grey = (np.arange(96 * 128).reshape(96, 128) // 128).astype(np.uint8)
    for image in (grey, grey, grey, grey + np.uint8(40)):
        reader.read_array(image, "mono8", 0.0)
    assert (reader.shutter_events, reader.frozen_total) == (0, 2)
