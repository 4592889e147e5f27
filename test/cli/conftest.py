"""Untrained networks in files, so that the doors are tested whatever is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def model_options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command-line options that name three small models with random weights."""
    import torch

    from thermal_kd_ros.models.checkpoint import ModelCard, write
    from thermal_kd_ros.models.detector import Detector, DetectorSpec
    from thermal_kd_ros.models.landmarker import Landmarker, LandmarkerSpec

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)

    def save(card: ModelCard, network: Any) -> str:
        path: Path = folder / f"{card.name}.safetensors"
        write(path, card, {name: value.numpy() for name, value in network.state_dict().items()})
        return str(path)

    def detector(name: str, classes: tuple[str, ...]) -> str:
        spec = DetectorSpec(len(classes), (8, 16, 24, 32), (1, 1, 1, 1), (8, 16, 32), (16, 24, 32))
        return save(ModelCard(name, "detection", spec.to_dict(), 128, 160, classes), Detector(spec))

    landmarker = LandmarkerSpec()
    card = ModelCard("points", "landmarks", landmarker.to_dict(), 112, 112, layout="sf_tl54")
    return ["--model", detector("objects", ("person", "car", "bicycle")), "--face-model", detector("faces", ("face",)),
            "--landmark-model", save(card, Landmarker(landmarker))]
