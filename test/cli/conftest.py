"""Untrained networks in files, so that the doors are tested whatever is shipped."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def model_options(untrained_models: Callable[..., dict[str, str]]) -> list[str]:
    """Command-line options that name three small models with random weights."""
    models = untrained_models(height=128, width=160, seed=0)
    return ["--model", models["detector.model"], "--face-model", models["face.detector_model"],
            "--landmark-model", models["face.landmark_model"]]
