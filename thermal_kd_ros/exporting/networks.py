"""A model file as ONNX or as an exported program of PyTorch: same inputs, same outputs, same facts.

Batch norms are folded and boxes or points are decoded in the graph, so that any runtime gives what ``Engine.run``
gives. Nothing is written unless the result agrees with PyTorch.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..config import EngineConfig
from ..engines.base import load_engine
from ..engines.torch_engine import TorchEngine, load_network
from ..frames import ThermalFrame
from ..models.blocks import fuse_batch_norm
from ..models.card import ModelCard
from ..models.checkpoint import read
from ..models.onnx_file import CARD, DIGEST, PRECISION, sealed, weights_digest
from ..output import written_aside
from .errors import ExportError
from .parity import TOLERANCES, Difference, difference, network_inputs

OPSET = 18
"""ONNX operator set; onnxruntime reads it since 1.14, OpenVINO since 2023.0, TensorRT since 9.0."""
_OUTPUTS = {"detection": ("boxes", "scores"), "landmarks": ("points", "sigma")}
_LARGEST_BATCH = 256


class _HalfPrecision(torch.nn.Module):
    """A network that computes in fp16 between float32 input and float32 output."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network.half()
        for name, buffer in network.named_buffers():
            # Coordinates of heat map cells: fp16 would round them to sixteenths of a pixel.
            if name == "grid":
                network.grid = buffer.float()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Engine.run."""
        return self.network(images.half())


def build(card: ModelCard, weights: dict[str, np.ndarray], path: Path, precision: str) -> torch.nn.Module:
    """The network to export, batch norms folded, in ``precision`` fp32 or fp16."""
    network = fuse_batch_norm(load_network(card, weights, path)).requires_grad_(False)
    return _HalfPrecision(network).eval() if precision == "fp16" else network


def _exported(network: torch.nn.Module, card: ModelCard) -> torch.export.ExportedProgram:
    example = torch.zeros(2, 1, card.input_height, card.input_width)
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))


def export_onnx(source: Path, output: Path, precision: str, frames: Sequence[ThermalFrame]) -> Difference:
    """Write ``source`` (.safetensors) as ONNX in fp32 or fp16; the difference to PyTorch on ``frames``.

    Raises ExportError, with nothing written, if it is larger than TOLERANCES allow.
    """
    card, weights = read(source)
    network = build(card, weights, source, precision)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(_exported(network, card), dynamo=True, opset_version=OPSET, verbose=False,
                                    input_names=["images"], output_names=list(_OUTPUTS[card.task]))
    assert program is not None
    model = program.model_proto
    content = with_facts(model, card, weights_digest(weights), precision)
    with written_aside(output) as aside:
        aside.write_bytes(content)
        found = compare(source, aside, card, weights, frames)
        require_parity(found, precision, output)
    return found


def with_facts(model: Any, card: ModelCard, digest: str, precision: str) -> bytes:
    """The file of an onnx.ModelProto with card, digests and precision, without the exporter's traces of sources."""
    from onnx import helper

    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output,
                 *model.graph.initializer, model.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.producer_name, model.producer_version, model.doc_string = "thermal_kd_ros", __version__, ""
    helper.set_model_props(model, {CARD: card.to_json(), DIGEST: digest, PRECISION: precision})
    return sealed(model.SerializeToString(deterministic=True))


def compare(source: Path, exported: Path, card: ModelCard, weights: dict[str, np.ndarray],
            frames: Sequence[ThermalFrame]) -> Difference:
    """Largest difference of an ONNX file to PyTorch in fp32, one image at a time and as a batch."""
    inputs, reference = _inputs_and_reference(source, card, weights, frames)
    engine = load_engine(str(exported), card.task, EngineConfig(backend="onnxruntime", device="cpu"))
    batched = engine.run(inputs)
    first, second = zip(*(engine.run(image[None]) for image in inputs), strict=True)
    found = [difference(reference, outputs, card.task)
             for outputs in (batched, (np.concatenate(first), np.concatenate(second)))]
    return Difference(*np.max([astuple(each) for each in found], axis=0).tolist())


def _inputs_and_reference(source: Path, card: ModelCard, weights: dict[str, np.ndarray], frames: Sequence[ThermalFrame]
                          ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """What the pipeline gives the network of these frames, and what PyTorch in fp32 makes of it; raises ExportError."""
    inputs = network_inputs(source, card.task, frames)
    if not len(inputs):
        raise ExportError("there is no face in the frames to check the landmark network with; give others")
    return inputs, TorchEngine(card, weights, source, EngineConfig(device="cpu", precision="fp32")).run(inputs)


def require_parity(found: Difference, precision: str, output: Path) -> None:
    """Raises ExportError if the difference is larger than TOLERANCES allow."""
    allowed = TOLERANCES[precision]
    if not found.within(allowed):
        raise ExportError(f"{output} is not written: it differs from PyTorch by {found}; allowed are {allowed}")


def export_program(source: Path, output: Path, precision: str, frames: Sequence[ThermalFrame]) -> Difference:
    """Write ``source`` as a program of torch.export (.pt2), its facts in the file; see export_onnx."""
    card, weights = read(source)
    program = _exported(build(card, weights, source, precision), card)
    inputs, reference = _inputs_and_reference(source, card, weights, frames)
    facts = {CARD: card.to_json(), DIGEST: weights_digest(weights), PRECISION: precision}
    with written_aside(output) as aside:
        torch.export.save(program, aside, extra_files={"facts.json": json.dumps(facts)})
        with torch.inference_mode():
            first, second = torch.export.load(aside).module()(torch.from_numpy(inputs))
        found = difference(reference, (first.numpy(), second.numpy()), card.task)
        require_parity(found, precision, output)
    return found
