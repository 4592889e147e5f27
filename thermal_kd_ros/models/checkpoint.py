"""Model files: safetensors weights with a model card in the header, and the same networks as ONNX.

Nothing is ever unpickled. A file carries its own facts (architecture, classes, input, normalisation, landmark layout,
what it was trained on and under which licences, measured accuracy), so that none of them is written a second time. With
them stands a digest of the whole content: a network whose weights were damaged gives wrong answers, and no errors.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..output import written_aside
from ..packages import not_installed
from .card import CONTENT, ModelCard, ModelError
from .onnx_file import CARD, DIGEST, read_metadata, weights_digest

SAFETENSORS, ONNX = ".safetensors", ".onnx"
WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"


def resolve(name: str, suffix: str = "") -> Path:
    """Path of a shipped model by its name, or of a file by its path; raises ModelError naming what there is.

    With ``suffix`` the file of that format: the one beside, where the path is of the other format. The ONNX file of the
    two must be made from the weights in the other.
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
    if not beside.is_file():
        remedy = f"; make it with: python3 -m thermal_kd_ros export {given}" if suffix == ONNX else ""
        raise ModelError(f"{given}: there is no {beside.name} beside it{remedy}")
    graph, weights = (beside, given) if suffix == ONNX else (given, beside)
    if _metadata(graph).get(DIGEST) != weights_digest(read(weights)[1]):
        again = f"make it again with: python3 -m thermal_kd_ros export {weights}"
        raise ModelError(f"{graph}: was not made from the weights in {weights.name}; {again}")
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


def _safetensors() -> ModuleType:
    """The package, which no ROS distribution brings; raises ModelError where it is missing."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ModelError(f"models cannot be read: {not_installed(error)}") from None
    return safetensors


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix == ONNX:
        try:
            return read_metadata(path)
        except (ValueError, OSError) as error:
            raise ModelError(f"{path}: not a readable ONNX file ({error}); fetch or export it again") from None
    safetensors = _safetensors()

    try:
        with safetensors.safe_open(str(path), framework="numpy") as content:
            return content.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None


def read(path: Path) -> tuple[ModelCard, dict[str, np.ndarray]]:
    """Card and weights by name of a .safetensors file; raises ModelError, also if it is damaged."""
    safetensors = _safetensors()
    card = read_card(path)
    try:
        weights = safetensors.numpy.load_file(str(path))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: its weights cannot be read ({error}); fetch it again") from None
    values = json.loads(_metadata(path)[CARD])
    written = values.get(CONTENT)
    if written is None:
        raise ModelError(f"{path}: carries no digest of its content, so damage would go unnoticed; fetch it again or "
                         "train it anew")
    if written != _digest(values, weights):
        raise ModelError(f"{path}: is damaged, its content is not what was written; fetch it again")
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise ModelError(f"{path}: {name} among its weights is not finite; fetch it again or train it anew")
    return card, weights


def write(path: Path, card: ModelCard, weights: dict[str, np.ndarray]) -> None:
    """Write a model file beside its place and rename it: never half a file."""
    safetensors = _safetensors()
    weights = {name: np.asarray(value, order="C") for name, value in weights.items()}
    values = json.loads(card.to_json())
    # With the card, as several entries would be written in any order: the same model is the same file.
    header = {CARD: json.dumps({**values, CONTENT: _digest(values, weights)}, sort_keys=True)}
    data = safetensors.numpy.save(weights, header)
    with written_aside(path) as aside:
        aside.write_bytes(data)


def _digest(card: dict[str, Any], weights: dict[str, np.ndarray]) -> str:
    """SHA-256 of the content of a .safetensors file: the values of its card, and its weights."""
    text = json.dumps({name: value for name, value in card.items() if name != CONTENT}, sort_keys=True)
    return hashlib.sha256((text + weights_digest(weights)).encode()).hexdigest()
