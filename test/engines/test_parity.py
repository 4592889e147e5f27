"""Every engine gives what PyTorch gives in fp32, within a tolerance stated for its precision."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from thermal_kd_ros.config import EngineConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.base import EngineError, load_engine
from thermal_kd_ros.evaluation.detection import FOR_METRICS, average_precision
from thermal_kd_ros.exporting.frames import labelled_frames
from thermal_kd_ros.exporting.parity import TOLERANCES, difference, network_inputs
from thermal_kd_ros.models.checkpoint import read_card, shipped
from thermal_kd_ros.pipeline import ThermalPerception

torch = pytest.importorskip("torch")

ENGINES = [("torch", "bf16"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
MODELS = [path.stem for path in shipped()]
ACCURACY_BOUND = {"fp32": 0.001, "bf16": 0.01}
"""Largest change of mAP50 against PyTorch in fp32."""


def engine(model: str, backend: str, precision: str):
    pytest.importorskip(backend)
    config = EngineConfig(backend=backend, device="cpu", precision=precision, threads=1)
    try:
        return load_engine(model, read_card(path_of(model)).task, config)
    except EngineError as error:
        if precision == "bf16" and "does not compute in" in str(error):
            pytest.skip(f"this CPU does not compute in bf16: {error}")
        raise


def path_of(model: str) -> Path:
    return next(path for path in shipped() if path.stem == model)


@cache
def rendered_inputs(model: str) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """What the pipeline gives a network of rendered frames, and what PyTorch makes of it."""
    frames = [entry.frame for entry in labelled_frames(5)]
    return answered(model, network_inputs(path_of(model), read_card(path_of(model)).task, frames))


def answered(model: str, inputs: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    assert len(inputs) >= 3
    return inputs, engine(model, "torch", "fp32").run(inputs)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("backend", "precision"), ENGINES)
def test_outputs_on_rendered_frames(model: str, backend: str, precision: str) -> None:
    inputs, reference = rendered_inputs(model)
    tested = engine(model, backend, precision)
    batched = tested.run(inputs)
    assert all(output.dtype == np.float32 for output in batched)
    first, second = zip(*(tested.run(image[None]) for image in inputs), strict=True)
    for outputs in (batched, (np.concatenate(first), np.concatenate(second))):
        found = difference(reference, outputs, tested.card.task)
        assert found.within(TOLERANCES[precision]), found


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_bf16_does_not_round_the_image(backend: str) -> None:
    """A gradient finer than eight bits is seen: an engine that rounds it gives the same for what was rounded before."""
    inputs = rendered_inputs("detector_nano")[0][:1]
    rounded = torch.from_numpy(inputs).bfloat16().float().numpy()
    whole, reference = engine("detector_nano", backend, "bf16"), engine("detector_nano", "torch", "fp32")
    lost = difference(reference.run(inputs), reference.run(rounded), "detection")
    seen = difference(whole.run(inputs), whole.run(rounded), "detection")
    assert seen.pixels > 0.5 * lost.pixels and seen.scores > 0.5 * lost.scores


@pytest.mark.parametrize(("backend", "precision"), ENGINES)
def test_outputs_on_recorded_frames(backend: str, precision: str, shared_data: Path) -> None:
    frames = [entry.frame for entry in labelled_frames(3, shared_data / "hit_uav", "val")]
    inputs, reference = answered("detector_nano", network_inputs(path_of("detector_nano"), "detection", frames))
    found = difference(reference, engine("detector_nano", backend, precision).run(inputs), "detection")
    assert found.within(TOLERANCES[precision]), found


@pytest.mark.slow
def test_accuracy_on_recorded_frames(shared_data: Path) -> None:
    frames = labelled_frames(24, shared_data / "hit_uav", "val")
    scores = {}
    for backend, precision in [("torch", "fp32"), *ENGINES]:
        try:
            engine("detector_nano", backend, precision)
        except pytest.skip.Exception:
            continue
        perception = ThermalPerception(with_values(PerceptionConfig(), {
            **FOR_METRICS, "face.enabled": False, "tracking.enabled": False, "engine.backend": backend,
            "engine.device": "cpu", "engine.precision": precision}))
        found = [perception.process([entry.frame])[0].detections for entry in frames]
        scores[backend, precision] = average_precision([entry.objects for entry in frames], found,
                                                       ("person", "car", "bicycle"))["map50"]
    assert scores["torch", "fp32"] > 0.5 and len(scores) > 1
    for (backend, precision), score in scores.items():
        assert abs(score - scores["torch", "fp32"]) <= ACCURACY_BOUND[precision], (backend, precision, scores)


def test_the_difference_is_the_largest_where_boxes_are_read() -> None:
    boxes, scores = np.zeros((1, 3, 4), np.float32), np.array([[[0.9, 0.0], [0.0, 0.2], [0.01, 0.01]]], np.float32)
    moved, other = boxes.copy(), scores.copy()
    moved[0, 1, 2] = -3.0
    moved[0, 2] = 100.0  # of a cell that sees nothing
    other[0, 2, 0] = 0.06
    found = difference((boxes, scores), (moved, other), "detection")
    assert found.worst_pixels == 3.0 and 0.0 < found.pixels <= 3.0 and found.scores == pytest.approx(0.05)
    points, sigma = boxes[..., :2], np.full((1, 3), 2.0)
    found = difference((points, sigma), (points + 1.0, sigma + 0.5), "landmarks")
    assert (found.pixels, found.worst_pixels, found.scores) == (1.0, 1.0, 0.25)


def test_what_is_no_number_is_not_within_any_tolerance() -> None:
    boxes, scores = np.zeros((1, 1, 4), np.float32), np.ones((1, 1, 1), np.float32)
    assert not difference((boxes, scores), (boxes * np.nan, scores), "detection").within(TOLERANCES["bf16"])
