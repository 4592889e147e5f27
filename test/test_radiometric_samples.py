"""Real files of real cameras: read as what they are, at the temperatures that are known of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thermal_kd_ros.config import CONTRAST_METHODS, ContrastConfig, ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.images import read_image
from thermal_kd_ros.radiometry import Planck, Surroundings, air_transmission, object_from_counts
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.stream import FrameReader
from thermal_kd_ros.temperature import box_temperatures, inner_canthus_temperatures, point_temperatures
from thermal_kd_ros.tone import TemporalTone

_spec = importlib.util.spec_from_file_location("radiometric_files", Path(__file__).with_name("radiometric_files.py"))
assert _spec is not None and _spec.loader is not None
radiometric_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(radiometric_files)

FAHRENHEIT = ThermalConfig(input_mode="linear", scale=5 / 9, offset=-160 / 9)
DISC = 18
"""Pixels around the reference disc of a clip that are not skin."""


@pytest.fixture(scope="module")
def radiometric(shared_data: Path) -> Path:
    folder = shared_data / "radiometric"
    if not (folder / "radiometric.json").is_file():
        pytest.skip(f"radiometric samples are not on this machine ({folder})")
    return folder


def facts(folder: Path, name: str) -> dict[str, Any]:
    listed = json.loads((folder / "radiometric.json").read_text())["files"]
    return next(entry for entry in listed if entry["file"] == name)


@pytest.mark.parametrize("name", ("flirpy/frame_000000.fff", "flirpy/frame_000000_le.fff", "flir_rjpeg/FLIR_E40.jpg",
                                  "flir_rjpeg/FLIR_B60.jpg"))
def test_counts_with_planck_constants(name: str, radiometric: Path) -> None:
    known = facts(radiometric, name)
    counts = radiometric_files.counts_of(radiometric / name)
    assert counts.shape == (known["height"], known["width"])
    assert [counts.min(), np.median(counts), counts.max()] == list(known["raw"].values())
    p = known["parameters"]
    planck = Planck(p["planck_R1"], p["planck_B"], p["planck_F"], p["planck_O"], p["planck_R2"])
    # The reference figures take the way through the air as two halves, before and behind the window, as many open
    # tools do; as one way it lets more through, which makes up to 0.5 K in these files (clear sky in the last one).
    half = air_transmission(p["object_distance_m"] / 2, p["atmospheric_temperature_C"], p["relative_humidity"],
                            (p["atm_alpha1"], p["atm_alpha2"]), (p["atm_beta1"], p["atm_beta2"]), p["atm_X"])
    around = Surroundings(p["emissivity"], p["reflected_apparent_temperature_C"], p["atmospheric_temperature_C"],
                          half**2, p["ir_window_temperature_C"], p["ir_window_transmission"])
    celsius = object_from_counts(counts, planck, around)
    y, x = known["height"] // 2, known["width"] // 2
    found = [celsius.min(), np.median(celsius), celsius.max(), celsius[y - 2 : y + 3, x - 2 : x + 3].mean()]
    np.testing.assert_allclose(found, list(known["temperature_C_with_file_parameters"].values()), atol=0.02)
    # Without the constants the counts must not be taken for temperatures.
    assert ThermalFrame.from_array(counts, ThermalConfig()).mode == "raw_counts"


def test_a_tiff_of_a_twenty_fifth_of_a_kelvin(radiometric: Path) -> None:
    known = facts(radiometric, "flirpy/example_radiometric.tiff")["temperature_C"]
    values = read_image(radiometric / "flirpy" / "example_radiometric.tiff")
    frame = ThermalFrame.from_array(values, ThermalConfig(input_mode="linear", scale=0.04, offset=-273.15))
    celsius = frame.celsius(values)
    np.testing.assert_allclose([celsius.min(), np.median(celsius), celsius.max()],
                               [known["min"], known["median"], known["max"]], atol=0.01)


def test_counts_of_unknown_scale_have_contrast_but_no_temperatures(radiometric: Path) -> None:
    images = [radiometric_files.dji_counts(radiometric / "dji_rjpeg" / name)
              for name in ("M30T_DJI_0012_R.JPG", "M4T_DJI_0002_R.JPG")]
    with np.load(radiometric / "cptv" / "possum.npz") as clip:
        images.append(clip["frames"][80])
    for counts in images:
        frame = ThermalFrame.from_array(counts, ThermalConfig())
        assert frame.mode == "raw_counts" and np.isnan(frame.celsius(counts[:2])).all()
        for method in CONTRAST_METHODS:
            grey = TemporalTone(ContrastConfig(method=method)).update(frame).apply(counts)
            assert 0.02 < grey.std() < 0.5 and 0.1 < np.median(grey) < 0.9, method


def test_a_face_in_fahrenheit(shared_data: Path) -> None:
    folder = shared_data / "sf_tl54_sample"
    if not (folder / "faces.json").is_file():
        pytest.skip(f"the face samples are not on this machine ({folder})")
    for entry in json.loads((folder / "faces.json").read_text())["frames"]:
        frame = ThermalFrame.from_array(read_image(folder / entry["file_name"]), FAHRENHEIT)
        points = np.array(entry["landmarks_xy"], np.float32)[None]
        box = np.concatenate([points[0].min(axis=0), points[0].max(axis=0)])[None]
        face = FaceLandmarks(box, np.ones(1, np.float32), points, np.ones((1, 54), np.float32),
                             point_temperatures(frame, points), "sf_tl54")
        # The jaw may lie beside the face.
        assert ((face.temperature[0, 17:] > 28) & (face.temperature[0, 17:] < 38)).all()
        warmest, mean = box_temperatures(frame, box)
        assert 34 < warmest[0] < 36.5 and 28 < mean[0] < warmest[0]
        (canthus,) = inner_canthus_temperatures(frame, face)
        assert 34 < canthus <= 36.5


def test_people_before_a_kiosk(shared_data: Path) -> None:
    folder = shared_data / "feverscreen"
    if not (folder / "clips.json").is_file():
        pytest.skip(f"the kiosk's clips are not on this machine ({folder})")
    for clip in json.loads((folder / "clips.json").read_text())["clips"]:
        with np.load(folder / clip["file"]) as stored:
            frames, stamps = stored["frames"], stored["t"]
        said: list[str] = []
        reader = FrameReader(ThermalConfig(), say=said.append)
        skin = np.ones(frames.shape[1:], bool)
        x, y = clip["reference_disc"]["x"], clip["reference_disc"]["y"]
        skin[max(0, y - DISC) : y + DISC, max(0, x - DISC) : x + DISC] = False
        for values, stamp in zip(frames, stamps, strict=True):
            frame = reader.read_array(values, "mono16", float(stamp))
            assert frame.mode == "centikelvin"
            celsius = frame.celsius(values)
            disc = np.median(celsius[y - 1 : y + 2, x - 1 : x + 2])
            assert disc == pytest.approx(clip["reference_disc"]["reads_degC"], abs=0.6), clip["file"]
            assert 28 < np.percentile(celsius[skin], 99) < 38, clip["file"]
        assert len(said) == 1
