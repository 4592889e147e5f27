"""INT8 by static quantisation, kept only if the accuracy is.

Ranges of the activations come from one set of frames (calibration), the accuracy before and after from another one.
Convolutions are quantised, with one scale for each output channel of the weights (Nagel et al., "A White Paper on
Neural Network Quantization", 2021); what decodes boxes and points stays in fp32.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config import PerceptionConfig, with_values
from ..evaluation.detection import FOR_METRICS, average_precision
from ..evaluation.landmarks import evaluate_landmarks
from ..models.card import ModelCard
from ..models.checkpoint import read
from ..models.onnx_file import weights_digest
from ..output import written_aside
from ..pipeline import ThermalPerception
from .errors import ExportError
from .frames import LabelledFrame
from .networks import export_onnx, with_facts
from .parity import network_inputs

_CHECKED_FRAMES = 4
"""Frames on which the fp32 file, that is quantised, is compared with PyTorch."""


def export_int8(source: Path, output: Path, calibration: Sequence[LabelledFrame], measured: Sequence[LabelledFrame],
                max_drop: float) -> str:
    """Write ``source`` (.safetensors) as ONNX in INT8; what it costs, in words.

    Raises ExportError, with nothing written, if more than ``max_drop`` (a part of it) of the accuracy is lost.
    """
    import onnx
    from onnxruntime.quantization import quant_pre_process

    card, weights = read(source)
    frames = [entry.frame for entry in calibration]
    inputs = network_inputs(source, card.task, frames)
    if not len(inputs):
        raise ExportError("there is no face in the frames to calibrate the landmark network with; give others")
    with tempfile.TemporaryDirectory() as folder, written_aside(output) as aside:
        whole, prepared = Path(folder) / "fp32.onnx", Path(folder) / "prepared.onnx"
        export_onnx(source, whole, "fp32", frames[:_CHECKED_FRAMES])
        with contextlib.redirect_stdout(io.StringIO()):
            quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
        _quantise(prepared, aside, inputs)
        aside.write_bytes(with_facts(onnx.load(str(aside)), card, weights_digest(weights), "int8"))
        before, after = (accuracy(path, card, measured) for path in (whole, aside))
        lost = (before - after) / before if card.task == "detection" else (after - before) / before
        verdict = (f"{_MEASURES[card.task]} {before:.4g} in fp32, {after:.4g} in int8 on {len(measured)} frames: "
                   f"{100 * lost:.2f} % lost, allowed are {100 * max_drop:g} %")
        # Also if there was nothing to measure on.
        if not lost <= max_drop:
            raise ExportError(f"{output} is not written: {verdict}; calibrate with more frames like those of your "
                              "camera, or take fp16")
    return f"{output.stat().st_size / 1e6:.1f} MB; {verdict}"


class _Batches:
    """Calibration inputs as onnxruntime reads them (its CalibrationDataReader)."""

    def __init__(self, name: str, inputs: np.ndarray) -> None:
        self._rows = iter([{name: image[None]} for image in inputs])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, or None at the end."""
        return next(self._rows, None)


def _quantise(source: Path, output: Path, inputs: np.ndarray) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    logging.getLogger("root").setLevel(logging.ERROR)
    quantize_static(str(source), str(output), _Batches("images", inputs), quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=["Conv"], per_channel=True, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)


_MEASURES = {"detection": "mAP50", "landmarks": "NME of the landmarks in percent"}


def accuracy(model: Path, card: ModelCard, frames: Sequence[LabelledFrame]) -> float:
    """What is measured of an ONNX file: mAP50 of its classes, or the mean landmark error (the less the better).

    Through the pipeline; landmarks are measured in the faces that the shipped face detector finds. NaN if there is
    nothing to measure on.
    """
    values: dict[str, Any] = {"tracking.enabled": False, "engine.backend": "onnxruntime", "engine.device": "cpu"}
    if card.task == "landmarks":
        perception = ThermalPerception(with_values(PerceptionConfig(), {**values, "face.landmark_model": str(model)}))
        faces = [perception.process([entry.frame])[0].faces for entry in frames]
        known = [entry.faces for entry in frames if entry.faces is not None]
        if len(known) < len(frames):
            raise ExportError("landmarks cannot be measured on these frames: they are not labelled; leave --data out")
        return evaluate_landmarks(known, faces, card.layout).nme
    perception = ThermalPerception(with_values(PerceptionConfig(), {
        **values, **FOR_METRICS, "detector.model": str(model), "face.enabled": False}))
    results = [perception.process([entry.frame])[0].detections for entry in frames]
    return average_precision([entry.objects for entry in frames], results, card.classes)["map50"] or float("nan")
