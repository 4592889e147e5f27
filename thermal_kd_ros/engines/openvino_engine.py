"""OpenVINO on a CPU, an Intel GPU or an NPU, set for low latency."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import openvino as ov

from ..config import EngineConfig
from .cache import usable_folder
from .errors import EngineError
from .onnx_model import OnnxModel

_LARGEST_PIECE = 8


def piece_sizes(batch: int) -> list[int]:
    """``batch`` as a sum of powers of two up to 8, falling: few shapes to compile, and no row computed for nothing."""
    sizes = [_LARGEST_PIECE] * (batch // _LARGEST_PIECE)
    rest, size = batch % _LARGEST_PIECE, _LARGEST_PIECE // 2
    while rest:
        if rest >= size:
            sizes.append(size)
            rest -= size
        size //= 2
    return sizes


def keep_image_precise(model: ov.Model) -> None:
    """Let the first convolution, and what lies before it, compute in fp32 even in a bf16 network.

    bf16 has eight bits for what a thermal camera gives in 14 or 16: objects that differ little from their surroundings
    would be rounded away. The mark is the one that OpenVINO's own passes put on nodes that must stay precise.
    """
    for node in model.get_ordered_ops():
        node.get_rt_info()["precise_0"] = True
        if node.get_type_name() == "Convolution":
            return


@cache
def the_core() -> ov.Core:
    """The one core of the process.

    Each makes an alternate stack for signals of its own: once one of several is freed, the next signal is a fault.
    """
    return ov.Core()


class OpenVinoEngine:
    """One network, compiled for each batch size it meets: static shapes run a quarter faster than a free batch size."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        self._model = OnnxModel.read(path)
        self.card = self._model.card
        self.warnings: list[str] = []
        self._core = the_core()
        self.device = self._choose_device(config.device)
        self.on_cpu = self.device == "CPU"
        self.precision = self._choose_precision(config.precision)
        self.properties: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY"}
        if self._model.precision != "int8":
            kind = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}[self.precision]
            self.properties["INFERENCE_PRECISION_HINT"] = kind
        if self.on_cpu:
            # Pinned threads would wait for whatever else runs on their core of a robot.
            self.properties["ENABLE_CPU_PINNING"] = False
            if config.threads:
                self.properties["INFERENCE_NUM_THREADS"] = config.threads
        elif folder := usable_folder(config.cache_dir, "openvino", self.warnings):
            self.properties["CACHE_DIR"] = str(folder)
        self._requests: dict[int, ov.InferRequest] = {}
        self._request(1)

    def _choose_device(self, name: str) -> str:
        kind, _, index = ("cpu" if name == "auto" else name.lower()).partition(":")
        device = kind.upper() + (f".{index}" if index else "")
        known = self._core.available_devices
        # One GPU is listed as GPU, several as GPU.0, GPU.1, ...
        if index == "0" and device not in known and kind.upper() in known:
            return kind.upper()
        if device not in known and f"{device}.0" not in known:
            raise EngineError(f"engine.device is '{name}', but OpenVINO has {', '.join(known)} here; use auto, cpu, "
                              "gpu or npu, and install the driver of the device")
        return device

    def _choose_precision(self, precision: str) -> str:
        if self._model.precision == "int8":
            if precision != "auto":
                raise EngineError(f"engine.precision is '{precision}', but {self._model.path} is in int8; use auto, or "
                                  "a file exported with --precision fp32")
            return "int8"
        native = self._core.get_property(self.device, "OPTIMIZATION_CAPABILITIES")
        if precision == "auto":
            if not self.on_cpu:
                return "fp16" if "FP16" in native else "fp32"
            return "bf16" if "BF16" in native else "fp32"
        if precision != "fp32" and precision.upper() not in native:
            raise EngineError(f"engine.precision is '{precision}', which {self.device} does not compute in; use auto "
                              "or fp32")
        return precision

    def _request(self, batch: int) -> ov.InferRequest:
        if batch not in self._requests:
            self._requests[batch] = self._compile(batch).create_infer_request()
        return self._requests[batch]

    def _compile(self, batch: int) -> ov.CompiledModel:
        try:
            model = self._core.read_model(str(self._model.path))
        except RuntimeError as error:
            raise self._model.unusable("OpenVINO", error) from None
        shapes = [tuple(None if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
                  for port in model.inputs]
        self._model.check_signature(shapes, len(model.outputs))
        model.reshape([batch, 1, self.card.input_height, self.card.input_width])
        if self.precision == "bf16":
            keep_image_precise(model)
        try:
            return self._core.compile_model(model, self.device, self.properties)
        except RuntimeError as error:
            raise EngineError(f"{self._model.path}: OpenVINO cannot compile it for {self.device} ({error})") from None

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Engine.run."""
        batch = np.ascontiguousarray(batch, np.float32)
        sizes = piece_sizes(len(batch))
        if len(sizes) == 1:
            return self._run_piece(batch)
        parts, start = [], 0
        for size in sizes:
            parts.append(self._run_piece(batch[start : start + size]))
            start += size
        first, second = zip(*parts, strict=True)
        return np.concatenate(first), np.concatenate(second)

    def _run_piece(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        request = self._request(len(batch))
        request.infer({0: batch}, share_inputs=True)
        # Copies: the request writes its next results into the same memory.
        return request.get_output_tensor(0).data.copy(), request.get_output_tensor(1).data.copy()

    def describe(self) -> str:
        """See Engine.describe."""
        name = self._core.get_property(self.device, "FULL_DEVICE_NAME")
        version = ov.__version__.partition("-")[0]
        return f"openvino {version}, {self.device} ({name}), {self.precision}"
