"""PyTorch on a CPU or a CUDA device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..config import EngineConfig
from ..models.blocks import ConvBlock, fuse_batch_norm
from ..models.card import ModelCard, ModelError, check_card
from ..models.detector import Detector
from ..models.landmarker import Landmarker
from ..models.specs import DetectorSpec, LandmarkerSpec
from .device.graphs import device_errors
from .errors import EngineError

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def build_network(card: ModelCard) -> torch.nn.Module:
    """The network that a card describes, with random weights."""
    if card.task == "detection":
        return Detector(DetectorSpec.from_dict(card.architecture))
    return Landmarker(LandmarkerSpec.from_dict(card.architecture))


def load_network(card: ModelCard, weights: dict[str, np.ndarray], path: Path) -> torch.nn.Module:
    """The network of a model file with its weights; raises ModelError if they or what the card says do not fit."""
    check_card(card, path)
    try:
        network = build_network(card)
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    except (RuntimeError, TypeError, KeyError, ValueError, IndexError) as error:
        first = str(error).strip().splitlines()
        raise ModelError(f"{path}: its weights do not fit the network in its card ({' '.join(first[:2])})") from None
    return network.eval()


def first_layer(network: torch.nn.Module) -> ConvBlock:
    """The block that sees the image."""
    return next(module for module in network.modules() if isinstance(module, ConvBlock))


def choose_device(config: EngineConfig) -> torch.device:
    """The device of a configuration; raises EngineError if it is not there."""
    name = config.device if config.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise EngineError(f"engine.device '{name}' is not a device; use auto, cpu, cuda or cuda:<n>") from None
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise EngineError(f"engine.device is '{name}', but PyTorch sees {torch.cuda.device_count()} CUDA devices here; "
                          "use auto or cpu, or install a CUDA build of PyTorch and the driver")
    return device


class TorchEngine:
    """One network under torch.inference_mode, batch norms fused, channels last.

    Raises EngineError if the device cannot take it: PyTorch has no kernels for it, or its memory is full.
    """

    def __init__(self, card: ModelCard, weights: dict[str, np.ndarray], path: Path, config: EngineConfig) -> None:
        self.card = card
        self.warnings: list[str] = []
        self.device = choose_device(config)
        self.on_cpu = self.device.type == "cpu"
        if config.threads:
            torch.set_num_threads(config.threads)
        precision = config.precision
        if precision == "auto":
            precision = "fp16" if self.device.type == "cuda" else "fp32"
        self.precision = precision
        self._dtype = _PRECISIONS[precision]
        network = fuse_batch_norm(load_network(card, weights, path))
        with device_errors(self.device):
            # Kept, because a device that has failed may not even tell its name.
            self._where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"
            self._network = network.to(self.device).to(memory_format=torch.channels_last).requires_grad_(False)
            # Only weights: a buffer of coordinates would lose what the points are measured in.
            for weight in self._network.parameters():
                weight.data = weight.data.to(self._dtype)
            self._image_dtype = self._dtype
            if self._dtype == torch.bfloat16:
                # bf16 has eight bits for what a thermal camera gives in 14 or 16.
                self._image_dtype = torch.float32
                first_layer(self._network).to(torch.float32).register_forward_hook(
                    lambda _layer, _inputs, output: output.to(self._dtype))

    @torch.inference_mode()
    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Engine.run."""
        first, second = self.infer(torch.from_numpy(batch).to(self.device))
        return first.cpu().numpy(), second.cpu().numpy()

    def infer(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B, 1, H, W) float32 on the device to what ``run`` gives, float32 on the device; waits for nothing."""
        first, second = self._network(images.to(self._image_dtype, memory_format=torch.channels_last))
        return first.float(), second.float()

    def describe(self) -> str:
        """See Engine.describe."""
        return f"torch {torch.__version__}, {self._where}, {self.precision}"
