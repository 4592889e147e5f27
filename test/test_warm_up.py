"""What a network answers is looked at before frames come: none is the first to fail."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import FaceConfig
from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.warm_up import WarmUp

DETECTOR = ModelCard("objects", "detection", {}, 64, 96, ("person", "car"))
LANDMARKER = ModelCard("marks", "landmarks", {}, 112, 112, layout="sf_tl54")


class Answering:
    """Gives every image the same two rows of numbers."""

    on_cpu = True

    def __init__(self, card: ModelCard, first: tuple[int, ...], second: tuple[int, ...], value: float = 0.5) -> None:
        self.card, self.warnings = card, []
        self._rows = np.full(first, value, np.float32), np.full(second, value, np.float32)
        self.sizes: list[int] = []

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(len(batch))
        first, second = (np.repeat(rows[None], len(batch), axis=0) for rows in self._rows)
        return first, second

    def describe(self) -> str:
        return "a test"


@pytest.mark.parametrize(("engine", "sizes"), [
    (Answering(DETECTOR, (40, 4), (40, 2)), [1, 2]), (Answering(LANDMARKER, (54, 2), (54,)), [1, 2, 4])],
    ids=["detector", "landmarker"])
def test_every_size_is_run_once(engine: Answering, sizes: list[int]) -> None:
    warm_up = WarmUp()
    for _ in range(2):
        warm_up.run([engine], FaceConfig(max_faces=2, mirror=True), 2)
    assert engine.sizes == sizes


@pytest.mark.parametrize("engine", [
    Answering(DETECTOR, (40, 4), (40, 3)), Answering(DETECTOR, (40, 4), (39, 2)), Answering(DETECTOR, (40, 5), (40, 2)),
    Answering(DETECTOR, (40,), (40,)), Answering(DETECTOR, (), ()), Answering(LANDMARKER, (68, 2), (68,)),
    Answering(LANDMARKER, (54, 2), (54, 1))])
def test_answers_of_another_form_are_refused(engine: Answering) -> None:
    with pytest.raises(ModelError, match=f"^{engine.card.name}: answers 1 images with .* its card asks for"):
        WarmUp().run([engine], FaceConfig(), 1)


@pytest.mark.parametrize("engine", [Answering(DETECTOR, (40, 4), (40, 2), np.nan),
                                    Answering(LANDMARKER, (54, 2), (54,), np.inf)])
def test_answers_that_are_not_finite_are_refused(engine: Answering) -> None:
    with pytest.raises(ModelError, match="not finite; set engine.precision to fp32, or take another model"):
        WarmUp().run([engine], FaceConfig(), 1)
