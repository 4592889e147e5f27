"""Landmark networks by what their cards say: the light ones of robots, and those of training that begin with ImageNet.

The latter have MobileNetV2's first blocks for their encoder and the same head. They are teachers, and the thermal
networks that learn from such teachers before compression; no robot runs them.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.imagenet import BACKBONE, Normalised, mobilenet_layers

_WIDTHS = (24, 32, 96)
_ENDS = (4, 7, 14)
"""Blocks of MobileNetV2 up to strides 4, 8 and 16, which are so many channels wide."""


def with_backbone(spec: LandmarkerSpec, backbone: str) -> LandmarkerSpec:
    """The architecture with an encoder as wide as ``backbone``, which is empty for the spec's own, or BACKBONE."""
    return replace(spec, widths=_WIDTHS, depths=()) if backbone else spec


def make_network(spec: LandmarkerSpec, backbone: str = "", imagenet: str = "") -> Landmarker:
    """A network with random weights, or with those of ImageNet in its backbone (imagenet.mobilenet_layers).

    Raises ModelError for a backbone that there is not, or another spec than it has (``with_backbone``).
    """
    if not backbone:
        return Landmarker(spec)
    if backbone != BACKBONE or spec != with_backbone(spec, backbone):
        raise ModelError(f"no landmark network has the backbone '{backbone}' with the widths {spec.widths}")
    layers = mobilenet_layers(_ENDS[-1], imagenet)
    first, second, third = _ENDS
    return Landmarker(spec, (nn.Sequential(Normalised(), layers[:first]), layers[first:second], layers[second:third]))


def architecture(spec: LandmarkerSpec, backbone: str) -> dict[str, object]:
    """What a card says of a network."""
    return {**spec.to_dict(), **({"backbone": backbone} if backbone else {})}


def backbone_of(card: ModelCard) -> str:
    """BACKBONE, or nothing for a network that robots run."""
    return str(card.architecture.get("backbone", ""))


def described_by(card: ModelCard) -> Landmarker:
    """The network that a card describes, with random weights. Raises ModelError."""
    values = {key: value for key, value in card.architecture.items() if key != "backbone"}
    return make_network(LandmarkerSpec.from_dict(values), backbone_of(card))
