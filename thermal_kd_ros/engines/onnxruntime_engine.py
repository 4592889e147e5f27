"""onnxruntime with the best of its execution providers that is there: TensorRT, CUDA, OpenVINO, CPU."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..buckets import BUCKETS
from ..config import EngineConfig
from ..models.card import ModelError
from .cache import EngineKey, file_digest, usable_folder
from .cuda import Gpu, find_gpus
from .errors import EngineError
from .onnx_model import OnnxModel

TENSORRT, CUDA, OPENVINO, CPU = (
    f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU"))
_LARGEST_BATCH = BUCKETS[-1]
"""TensorRT engines are built for batches from 1 to this, the largest that there is."""


def choose_providers(available: list[str], device: str) -> list[str]:
    """Execution providers for a device, best first, of those available; raises EngineError if none fits.

    Providers that are listed later take what the earlier ones cannot run.
    """
    kind = device.partition(":")[0]
    wanted = {"auto": [TENSORRT, CUDA, OPENVINO, CPU], "cpu": [OPENVINO, CPU], "cuda": [TENSORRT, CUDA],
              "gpu": [OPENVINO], "npu": [OPENVINO]}.get(kind)
    if wanted is None:
        raise EngineError(f"engine.device '{device}' is not a device; use auto, cpu, cuda, cuda:<n>, gpu or npu")
    chosen = [name for name in wanted if name in available]
    if kind == "auto" and not find_gpus():
        chosen = [name for name in chosen if name not in (TENSORRT, CUDA)]
    if not chosen:
        package = "onnxruntime-gpu" if kind == "cuda" else "onnxruntime-openvino"
        raise EngineError(f"engine.device is '{device}', but this onnxruntime has only {', '.join(available)}; replace "
                          f"it: python3 -m pip uninstall onnxruntime && python3 -m pip install {package}")
    return chosen if CPU in chosen else [*chosen, CPU]


def session_options(config: EngineConfig) -> ort.SessionOptions:
    """How every network is run."""
    options = ort.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = config.threads
    # Several networks take turns: threads that spin while they wait would steal the time of the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


class OnnxRuntimeEngine:
    """One network in one session."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        self._model = OnnxModel.read(path)
        self.card = self._model.card
        self.warnings: list[str] = []
        providers = choose_providers(ort.get_available_providers(), config.device)
        try:
            self._start(providers, config)
        except (EngineError, ModelError) as error:
            # A build for NVIDIA GPUs lists TensorRT whether or not its libraries are there.
            if providers[:2] != [TENSORRT, CUDA]:
                raise
            self._start(providers[1:], config)
            self.warnings.append(f"{self.card.name} runs with CUDA instead of TensorRT, more slowly: {error}")
        self.on_cpu = self.provider == CPU or (self.provider == OPENVINO and config.device in ("auto", "cpu"))
        self._input = self._session.get_inputs()[0].name

    def _start(self, providers: list[str], config: EngineConfig) -> None:
        """Open the session with the first of ``providers``; raises EngineError or ModelError."""
        self.precision = self._choose_precision(providers[0], config.precision)
        try:
            chosen = [(name, self._options(name, config)) for name in providers]
            # By itself it would go on with other providers after a failure, and tell nobody but the terminal.
            self._session = ort.InferenceSession(str(self._model.path), session_options(config), providers=chosen,
                                                 enable_fallback=0)
        except EngineError:
            raise
        except Exception as error:  # its exceptions have no common base
            raise self._model.unusable("onnxruntime", error) from None
        inputs = [tuple(size if isinstance(size, int) else None for size in entry.shape)
                  for entry in self._session.get_inputs()]
        self._model.check_signature(inputs, len(self._session.get_outputs()))
        # A provider whose libraries are missing is left out with no more than a line in the log.
        self.provider = self._session.get_providers()[0]
        if self.provider != providers[0]:
            raise EngineError(f"onnxruntime lists {providers[0]} but cannot start it: the libraries it needs (CUDA, "
                              "cuDNN, TensorRT) are missing or of another version; install them, or set engine.device "
                              "to cpu")

    def _choose_precision(self, provider: str, precision: str) -> str:
        if precision == "auto":
            return "fp16" if provider == TENSORRT and self._model.precision == "fp32" else self._model.precision
        if precision != self._model.precision and not (provider == TENSORRT and precision == "fp16"):
            # Files are not exported in bf16.
            other = ("engine.backend openvino or torch" if precision == "bf16"
                     else f"a file exported with --precision {precision}")
            raise EngineError(f"engine.precision is '{precision}', but onnxruntime computes in the precision of the "
                              f"file, {self._model.precision}; use auto, or {other}")
        return precision

    def _options(self, provider: str, config: EngineConfig) -> dict[str, Any]:
        kind, _, index = config.device.partition(":")
        if provider == CUDA:
            _gpu(int(index or 0), config)
            return {"device_id": int(index or 0)}
        if provider == OPENVINO:
            return {"device_type": "CPU" if kind in ("auto", "cpu") else config.device.upper().replace(":", ".")}
        if provider == TENSORRT:
            return {"device_id": int(index or 0), **self._tensorrt_options(int(index or 0), config)}
        return {}

    def _tensorrt_options(self, index: int, config: EngineConfig) -> dict[str, Any]:
        card = self.card
        name = ort.InferenceSession(str(self._model.path), providers=[CPU]).get_inputs()[0].name
        shape = f"x1x{card.input_height}x{card.input_width}"
        options = {"trt_fp16_enable": self.precision == "fp16",
                   "trt_profile_min_shapes": f"{name}:1{shape}", "trt_profile_opt_shapes": f"{name}:1{shape}",
                   "trt_profile_max_shapes": f"{name}:{_LARGEST_BATCH}{shape}"}
        gpu = _gpu(index, config)
        key = EngineKey(file_digest(self._model.path), gpu.name, gpu.compute_capability,
                        f"onnxruntime {ort.__version__}, TensorRT {_tensorrt_version()}, driver {gpu.driver}",
                        self.precision, (_LARGEST_BATCH, 1, card.input_height, card.input_width))
        if folder := usable_folder(config.cache_dir, f"tensorrt/{key.name()}", self.warnings):
            options |= {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder),
                        "trt_timing_cache_enable": True, "trt_timing_cache_path": str(folder)}
        return options

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Engine.run."""
        first, second = self._session.run(None, {self._input: np.ascontiguousarray(batch, np.float32)})
        return first, second

    def describe(self) -> str:
        """See Engine.describe."""
        return f"onnxruntime {ort.__version__}, {self.provider.removesuffix('ExecutionProvider')}, {self.precision}"


def _gpu(index: int, config: EngineConfig) -> Gpu:
    gpus = find_gpus()
    if index >= len(gpus):
        raise EngineError(f"engine.device is '{config.device}', but the driver sees {len(gpus)} CUDA devices")
    return gpus[index]


def _tensorrt_version() -> str:
    """As far as Python packages tell; a system's library is told apart by onnxruntime's own check of the engine."""
    for package in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "of the system"
