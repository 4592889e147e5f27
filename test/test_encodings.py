"""One scene, sent in every encoding that carries temperatures, is one scene to the pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import PerceptionConfig, ThermalConfig, with_values
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER
from thermal_kd_ros.results import Detections
from thermal_kd_ros.stream import FrameReader

FAHRENHEIT = ThermalConfig(input_mode="linear", scale=5 / 9, offset=-160 / 9)


def sent(values: np.ndarray, encoding: str, config: ThermalConfig, big: bool = False, padding: int = 0) -> ThermalFrame:
    """An image as a driver would send it, read back."""
    pixels = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    rows = pixels.view(np.uint8).reshape(len(values), -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB).tobytes()
    return FrameReader(config).read(data, len(values), values.shape[1], encoding, rows.shape[1] + padding, big, None)


def holds(some: Detections, others: Detections, threshold: float) -> bool:
    """Whether ``others`` has each of ``some`` within 1 px and 0.02 of its score; those at the threshold may be lost."""
    sure = some.select(some.scores > threshold + 0.02)
    return all(((np.abs(others.boxes - box).max(axis=1) < 1.0) & (np.abs(others.scores - score) < 0.02)
                & (others.labels == label)).any()
               for box, score, label in zip(sure.boxes, sure.scores, sure.labels, strict=True))


def test_the_same_scene_in_every_encoding_is_found_alike() -> None:
    pytest.importorskip("torch")
    config = with_values(PerceptionConfig(), {"face.enabled": False, "engine.threads": 1})
    if not (WEIGHTS_FOLDER / f"{config.detector.model}.safetensors").is_file():
        pytest.skip(f"{config.detector.model} is not in this checkout")
    from thermal_kd_ros.pipeline import ThermalPerception
    from thermal_kd_ros.simulation.random_frames import random_scene_frame

    scene = random_scene_frame(3, 320, 256, kind="aerial", unit="centikelvin").image
    # In tenths of a degree, which the coarsest encoding holds.
    tenths = np.round((scene.astype(np.float64) / 100 - 273.15) * 10)
    celsius = tenths / 10
    centikelvin = np.round(tenths * 10 + 27315).astype(np.uint16)
    frames = {
        "centikelvin": sent(centikelvin, "mono16", ThermalConfig()),
        "big-endian, padded": sent(centikelvin, "16UC1", ThermalConfig(), big=True, padding=6),
        "optris": sent((tenths + 1000).astype(np.uint16), "mono16", ThermalConfig(input_mode="optris")),
        "celsius": sent(celsius.astype(np.float32), "32FC1", ThermalConfig()),
        "kelvin, padded": sent((celsius + 273.15).astype(np.float32), "32FC1", ThermalConfig(), padding=4),
        "big-endian fahrenheit": sent((celsius * 1.8 + 32).astype(np.float32), "32FC1", FAHRENHEIT, big=True),
    }
    perception = ThermalPerception(config)
    results = {name: perception.process([frame])[0].detections for name, frame in frames.items()}
    wanted = results["centikelvin"]
    assert len(wanted) >= 4, "the scene shows nothing to find"
    for name, found in results.items():
        assert holds(wanted, found, config.detector.score_threshold), name
        assert holds(found, wanted, config.detector.score_threshold), name
        np.testing.assert_allclose(frames[name].celsius(frames[name].values), celsius, atol=0.01, err_msg=name)
