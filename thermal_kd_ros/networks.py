"""The networks of a pipeline: loaded, and checked against each other and against the configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import ConfigError, ContrastConfig, PerceptionConfig, class_thresholds
from .engines.base import Engine, load_engine
from .layouts import Layout, get_layout
from .models.card import ModelError
from .tone import contrast_for


@dataclass
class Networks:
    """What a pipeline runs; faces are looked for if there are networks for them."""

    detector: Engine
    face_detector: Engine | None = None
    landmarker: Engine | None = None
    layout: Layout | None = None
    """Of the landmarker's points."""

    def engines(self) -> list[Engine]:
        """All that there are."""
        return [engine for engine in (self.detector, self.face_detector, self.landmarker) if engine is not None]

    def describe(self) -> str:
        """Backends, each with the models that it runs, for logs and diagnostics."""
        models: dict[str, list[str]] = {}
        for engine in self.engines():
            models.setdefault(engine.describe(), []).append(engine.card.name)
        return "; ".join(f"{', '.join(names)}: {backend}" for backend, names in models.items())


def load_networks(config: PerceptionConfig, detector: Engine | None = None) -> Networks:
    """The networks that a configuration names, with a detector that is already loaded, if there is one.

    Raises ModelError or EngineError.
    """
    detector = detector or load_engine(config.detector.model, "detection", config.engine)
    face = config.face
    if not face.enabled:
        return Networks(detector)
    finder = load_engine(face.detector_model, "detection", config.engine)
    if "face" not in finder.card.classes:
        raise ModelError(f"face.detector_model '{face.detector_model}' has no class 'face', "
                         f"only {', '.join(finder.card.classes)}")
    landmarker = load_engine(face.landmark_model, "landmarks", config.engine)
    return Networks(detector, finder, landmarker, get_layout(landmarker.card.layout))


def contrasts_of(config: PerceptionConfig, networks: Networks) -> dict[str, ContrastConfig]:
    """The contrast that the detectors of ``objects`` and, if there is one, ``faces`` see; never of method ``model``."""
    contrasts = {}
    for name, engine in (("objects", networks.detector), ("faces", networks.face_detector)):
        if engine is not None:
            try:
                contrasts[name] = contrast_for(config.contrast, engine.card.normalisation)
            except ConfigError as error:
                raise ModelError(f"{engine.card.name}: {error}; set contrast.method to go without its card") from None
    return contrasts


def thresholds_of(config: PerceptionConfig, networks: Networks) -> np.ndarray:
    """(C,) float32: the least score of each of the detector's classes. Raises ModelError on classes it lacks."""
    names = networks.detector.card.classes
    chosen = class_thresholds(config.detector)
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        raise ModelError(f"detector.class_thresholds names {', '.join(unknown)}, but the model's classes are "
                         f"{', '.join(names)}")
    return np.array([chosen.get(name, config.detector.score_threshold) for name in names], np.float32)


def lowest_score(config: PerceptionConfig, networks: Networks) -> float:
    """The least score that anything is reported with, objects and faces. Raises ModelError as ``thresholds_of``."""
    least = float(thresholds_of(config, networks).min())
    return min(least, config.face.score_threshold) if config.face.enabled else least
