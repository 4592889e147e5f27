"""The model card: what a model file says of itself, and whether that can be true."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..layouts import get_layout
from .specs import LANDMARKER_STRIDE, STRIDES, DetectorSpec, LandmarkerSpec

CONTENT = "content_sha256"
"""Name of the digest of a file's content. It stands with the card, and is of the file, not of the model."""
_TASKS = ("detection", "landmarks")
_REMEDY = "fetch it again, or take another model"


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    # To Python, True is a number.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _every(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: isinstance(values, (list, tuple)) and all(map(right, values))


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", _text),
    "int": ("a whole number", _whole),
    "float": ("a number above 0", lambda value: isinstance(value, (int, float)) and 0.0 < value < 1e9),
    "dict[str, Any]": ("an object", _object),
    "tuple[str, ...]": ("a list of texts", _every(_text)),
    "tuple[int, ...]": ("a list of whole numbers", _every(_whole)),
    "tuple[dict[str, Any], ...]": ("a list of objects", _every(_object)),
}
"""What the values of fields that are annotated so must be, in words and as a check."""


class ModelError(RuntimeError):
    """A model file cannot be used; the message names the file, what is wrong and what to do."""


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself."""

    name: str
    task: str
    """``detection`` or ``landmarks``."""
    architecture: dict[str, Any]
    """Values of the network's spec dataclass."""
    input_height: int
    input_width: int
    classes: tuple[str, ...] = ()
    layout: str = ""
    """Landmark layout, see ``layouts.py``."""
    normalisation: dict[str, Any] = field(default_factory=dict)
    """How the training images were brought to [0, 1]; the fields of ContrastConfig, or the crop's margin."""
    parameters: int = 0
    licence: str = ""
    """Licence of the weights."""
    data: tuple[str, ...] = ()
    """What the model saw, each with its licence."""
    metrics: tuple[dict[str, Any], ...] = ()
    """Measured accuracy: {metric, value, on, command}."""
    notes: str = ""

    def to_json(self) -> str:
        """As a JSON object."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> ModelCard:
        """The inverse of to_json; raises ModelError if an entry is missing, unknown or of another type."""
        try:
            values: dict[str, Any] = json.loads(text)
            values.pop(CONTENT, None)
            for name in ("classes", "data", "metrics"):
                if isinstance(values.get(name), list):
                    values[name] = tuple(values[name])
            card = cls(**values)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{path}: its model card cannot be read ({error}); was it written by another version?"
                             ) from None
        if problem := _wrong_type(card):
            raise ModelError(f"{path}: {problem}; {_REMEDY}")
        if card.task not in _TASKS:
            raise ModelError(f"{path}: its card has the task '{card.task}', known are {', '.join(_TASKS)}")
        if 0 in (card.input_height, card.input_width):
            raise ModelError(f"{path}: its card has an input of {_input(card)}, which is no image; {_REMEDY}")
        return card


def check_card(card: ModelCard, path: Path) -> None:
    """Raise ModelError unless the card is of a network that runs on a robot, and its entries agree with each other.

    Networks that only teach others have cards too, and fail here: their backbone is another one, or they see colours.
    """
    try:
        spec: DetectorSpec | LandmarkerSpec = (DetectorSpec if card.task == "detection" else LandmarkerSpec).from_dict(
            card.architecture)
    except TypeError as error:
        raise ModelError(f"{path}: its card describes no network that runs here ({error}); {_REMEDY}") from None
    if problem := _wrong_type(spec) or (
            _detector(card, spec) if isinstance(spec, DetectorSpec) else _landmarker(card, spec)):
        raise ModelError(f"{path}: {problem}; {_REMEDY}")


def _detector(card: ModelCard, spec: DetectorSpec) -> str:
    """What does not agree, or an empty text."""
    if not card.classes:
        return "its card names no class"
    if len(card.classes) != spec.classes:
        return f"its card names {len(card.classes)} classes, but its network tells {spec.classes} apart"
    if len(set(card.classes)) < len(card.classes):
        return f"its card names a class twice ({', '.join(card.classes)})"
    if spec.strides != STRIDES[-len(spec.strides):]:
        return f"its card has the strides {_listed(spec.strides)}, which are not the last of {_listed(STRIDES)}"
    if len(spec.pyramid_channels) != len(spec.strides):
        return f"its card has {len(spec.pyramid_channels)} pyramid_channels for {len(spec.strides)} strides"
    return _size(card, spec.strides[-1])


def _landmarker(card: ModelCard, spec: LandmarkerSpec) -> str:
    if spec.channels != 1:
        return (f"its network sees images of {spec.channels} channels, thermal ones have one: it is there to teach "
                "others in training")
    if (spec.size, spec.size) != (card.input_height, card.input_width):
        return (f"its card has an input of {_input(card)}, but its network sees crops of "
                f"{spec.size} x {spec.size}")
    try:
        layout = get_layout(card.layout)
    except KeyError as error:
        return f"its card has an {error.args[0]}"
    if layout.points != spec.points:
        return f"its network gives {spec.points} points, but its card's layout {layout.name} has {layout.points}"
    return _size(card, LANDMARKER_STRIDE)


def _size(card: ModelCard, stride: int) -> str:
    if card.input_height % stride or card.input_width % stride:
        return f"its card has an input of {_input(card)}, not of multiples of {stride}"
    return ""


def _input(card: ModelCard) -> str:
    return f"{card.input_width} x {card.input_height}"


def _wrong_type(holder: ModelCard | DetectorSpec | LandmarkerSpec) -> str:
    """Which entry is not what it is annotated as, or an empty text."""
    for entry in fields(holder):
        what, right = _TYPES[str(entry.type)]
        if not right(value := getattr(holder, entry.name)):
            return f"its card's {entry.name} is {_short(value)}, not {what}"
    return ""


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _short(value: object) -> str:
    """As it stands in JSON, but never a page."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
