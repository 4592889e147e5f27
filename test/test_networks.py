"""Networks that do not fit what they are to do are refused when they are loaded, not by the first frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from thermal_kd_ros.config import PerceptionConfig, with_values
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import read, write
from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.models.specs import LandmarkerSpec
from thermal_kd_ros.networks import load_networks, lowest_score
from thermal_kd_ros.pipeline import ThermalPerception


@pytest.fixture(scope="module")
def models(untrained_models: Callable[..., dict[str, str]]) -> dict[str, str]:
    return untrained_models(64, 96, 0)


def config(models: dict[str, str], **values: Any) -> PerceptionConfig:
    return with_values(PerceptionConfig(), {**models, "engine.device": "cpu", "engine.threads": 1, **values})


def test_networks_that_fit_are_loaded_and_run(models: dict[str, str]) -> None:
    networks = load_networks(config(models))
    assert networks.layout is not None and networks.layout.name == "sf_tl54" and len(networks.engines()) == 3
    ThermalPerception(config(models)).warm_up()


def test_the_lowest_score_is_of_any_class_or_of_faces(models: dict[str, str]) -> None:
    networks = load_networks(config(models))
    names = networks.detector.card.classes
    every = [f"{name}=0.75" for name in names]

    def lowest(**values: Any) -> float:
        given = {"detector.score_threshold": 0.5, "face.score_threshold": 0.375,
                 **{name.replace("__", "."): value for name, value in values.items()}}
        return lowest_score(with_values(PerceptionConfig(), given), networks)

    assert lowest() == 0.375 and lowest(face__enabled=False) == 0.5
    assert lowest(detector__class_thresholds=(f"{names[1]}=0.125",)) == 0.125
    assert lowest(detector__class_thresholds=tuple(every), face__enabled=False) == 0.75
    assert lowest(detector__class_thresholds=tuple(every[1:]), face__enabled=False) == 0.5
    with pytest.raises(ModelError, match="names zebra, but the model's classes are"):
        lowest(detector__class_thresholds=("zebra=0.5",))


def test_a_network_for_visible_light_is_no_landmark_model(models: dict[str, str], tmp_path: Path) -> None:
    spec = LandmarkerSpec(channels=3)
    card, _ = read(Path(models["face.landmark_model"]))
    path = tmp_path / "visible.safetensors"
    write(path, dataclasses.replace(card, architecture=spec.to_dict()),
          {name: value.numpy() for name, value in Landmarker(spec).state_dict().items()})
    with pytest.raises(ModelError, match="visible.safetensors: its network sees images of 3 channels.*take another"):
        load_networks(config(models, **{"face.landmark_model": str(path)}))


@pytest.mark.parametrize("changes", [{"classes": ("person", "car")}, {"input_width": 100}])
def test_a_detector_whose_card_is_of_another_is_refused_by_every_door(models: dict[str, str], tmp_path: Path,
                                                                      changes: dict[str, Any]) -> None:
    card, weights = read(Path(models["detector.model"]))
    path = tmp_path / "wrong.safetensors"
    write(path, dataclasses.replace(card, **changes), weights)
    for backend in ("auto", "torch"):
        with pytest.raises(ModelError, match=f"^{path}: its card .*; fetch it again, or take another model$"):
            ThermalPerception(config(models, **{"detector.model": str(path), "engine.backend": backend}))
