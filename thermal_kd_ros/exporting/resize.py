"""A detector for another size of input: larger finds smaller objects, smaller costs less."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..models.checkpoint import read, write
from ..models.specs import DetectorSpec
from .errors import ExportError


@contextlib.contextmanager
def resized(source: Path, width: int, height: int) -> Iterator[Path]:
    """A copy of the detector ``source`` (.safetensors) with an input of that size, in pixels; gone afterwards.

    The weights are the same: convolutions take any size. Figures of its card are of the former one and left out. Raises
    ExportError for what is no detector, or a size that its strides do not divide.
    """
    card, weights = read(source)
    if card.task != "detection":
        raise ExportError(f"{source}: --input is for detectors; landmark networks see crops of one size")
    coarsest = max(DetectorSpec.from_dict(card.architecture).strides)
    if min(width, height) < coarsest or width % coarsest or height % coarsest:
        raise ExportError(f"--input {width}x{height}: give multiples of {coarsest}")
    notes = f"{card.notes}; trained for an input of {card.input_width} x {card.input_height}".removeprefix("; ")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        write(path, replace(card, input_width=width, input_height=height, metrics=(), notes=notes), weights)
        yield path
