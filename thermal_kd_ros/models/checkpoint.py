"""Model files: safetensors weights with a model card in the header, and the same networks as ONNX.

Nothing is ever unpickled. A file carries its own facts (architecture, classes, input, normalisation, landmark layout,
what it was trained on and under which licences, measured accuracy), so that none of them is written a second time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..output import written_aside
from .onnx_file import CARD, DIGEST, read_metadata, weights_digest

SAFETENSORS, ONNX = ".safetensors", ".onnx"
WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
_TASKS = ("detection", "landmarks")


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
        """The inverse of to_json; raises ModelError."""
        try:
            values = json.loads(text)
            for name in ("classes", "data", "metrics"):
                values[name] = tuple(values.get(name, ()))
            card = cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{path}: its model card cannot be read ({error}); was it written by another version?"
                             ) from None
        if card.task not in _TASKS:
            raise ModelError(f"{path}: its card has the task '{card.task}', known are {', '.join(_TASKS)}")
        return card


def resolve(name: str, suffix: str = "") -> Path:
    """Path of a shipped model by its name, or of a file by its path; raises ModelError naming what there is.

    With ``suffix`` the file of that format: the one beside, where the path is of the other format. An ONNX file taken
    for a .safetensors file must be made from the weights in it.
    """
    given = WEIGHTS_FOLDER / f"{name}{SAFETENSORS}"
    if not given.is_file():
        given = Path(name).expanduser()
    if not given.is_file():
        known = ", ".join(path.stem for path in shipped()) or "none"
        raise ModelError(f"model '{name}' is neither a shipped model ({known}) nor a file")
    if suffix in ("", given.suffix):
        return given
    beside = given.with_suffix(suffix)
    export = f"python3 -m thermal_kd_ros export {given}"
    if not beside.is_file():
        remedy = f"; make it with: {export}" if suffix == ONNX else ""
        raise ModelError(f"{given}: there is no {beside.name} beside it{remedy}")
    if suffix == ONNX and _metadata(beside).get(DIGEST) != weights_digest(read(given)[1]):
        raise ModelError(f"{beside}: was not made from the weights in {given.name}; make it again with: {export}")
    return beside


def shipped() -> list[Path]:
    """The model files in the package."""
    return sorted(WEIGHTS_FOLDER.glob(f"*{SAFETENSORS}"))


def read_card(path: Path) -> ModelCard:
    """The card of a model file, without its weights; raises ModelError."""
    metadata = _metadata(path)
    if CARD not in metadata:
        raise ModelError(f"{path}: has no model card in its header, so it is not a model of this package")
    return ModelCard.from_json(metadata[CARD], path)


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix == ONNX:
        try:
            return read_metadata(path)
        except (ValueError, OSError) as error:
            raise ModelError(f"{path}: not a readable ONNX file ({error}); fetch or export it again") from None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as content:
            return content.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None


def read(path: Path) -> tuple[ModelCard, dict[str, np.ndarray]]:
    """Card and weights by name of a .safetensors file; raises ModelError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    card = read_card(path)
    try:
        return card, load_file(str(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: its weights cannot be read ({error}); fetch it again") from None


def write(path: Path, card: ModelCard, weights: dict[str, np.ndarray]) -> None:
    """Write a model file beside its place and rename it: never half a file."""
    from safetensors.numpy import save

    data = save({name: np.asarray(value, order="C") for name, value in weights.items()}, {CARD: card.to_json()})
    with written_aside(path) as aside:
        aside.write_bytes(data)
