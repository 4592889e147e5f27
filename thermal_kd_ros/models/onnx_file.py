"""ONNX model files of this package: the same networks as the .safetensors files, for runtimes without PyTorch.

The graph takes ``images`` (B, 1, H, W) float32 and gives the two outputs of ``Engine.run``. The file's metadata holds
the model card, the precision, and the digest of the weights that it was made from. The metadata is read here straight
from the file, so that a robot with only one runtime installed needs no second library for it: an ONNX file is one
protobuf message (field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

CARD, DIGEST, PRECISION = "card", "weights_sha256", "precision"
"""Names of the metadata entries."""
_GRAPH_FIELD, _METADATA_FIELD = 7, 14
_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}
"""Bytes of the values of the wire types that are neither a varint nor length-delimited."""


def weights_digest(weights: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name]
        digest.update(f"{name} {value.dtype.str} {value.shape} ".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata_props of an ONNX file; raises ValueError if it is none, OSError if it cannot be read."""
    metadata, graphs = {}, 0
    with path.open("rb") as file:
        size = path.stat().st_size
        while file.tell() < size:
            number, kind = divmod(_varint(file), 8)
            if kind == 0:
                _varint(file)
            elif kind in _FIXED_SIZES:
                file.seek(_FIXED_SIZES[kind], 1)
            elif kind == _LENGTH_DELIMITED:
                end = _varint(file) + file.tell()
                if end > size:
                    raise ValueError("it ends too early")
                graphs += number == _GRAPH_FIELD
                if number == _METADATA_FIELD:
                    strings = dict(_strings(file, end))
                    metadata[strings.get(1, "")] = strings.get(2, "")
                file.seek(end)
            else:
                raise ValueError("it is no protobuf message")
    if not graphs:
        raise ValueError("it holds no graph")
    return metadata


def _strings(file: BinaryIO, end: int) -> Iterator[tuple[int, str]]:
    """(field number, text) of a message that consists of strings."""
    while file.tell() < end:
        number, kind = divmod(_varint(file), 8)
        if kind != _LENGTH_DELIMITED:
            raise ValueError("its metadata is no text")
        yield number, file.read(_varint(file)).decode("utf-8")


def _varint(file: BinaryIO) -> int:
    """A base-128 number, low groups first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is no protobuf message")
