"""ONNX model files of this package: the same networks as the .safetensors files, for runtimes without PyTorch.

The graph takes ``images`` (B, 1, H, W) float32 and gives the two outputs of ``Engine.run``. The file's metadata holds
the model card, the precision, the digest of the weights that it was made from, and one of all that the file itself
holds. They are read here straight from the file, so that a robot with only one runtime installed needs no second
library for it: an ONNX file is one protobuf message (numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from .card import CONTENT

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


def sealed(content: bytes) -> bytes:
    """An ONNX file with the digest of its content in its metadata, from one without."""
    name, digest = CONTENT.encode(), hashlib.sha256(content).hexdigest().encode()
    # All lengths are below 128: a varint of one byte.
    entry = b"".join(bytes([number * 8 + _LENGTH_DELIMITED, len(text)]) + text
                     for number, text in ((1, name), (2, digest)))
    return content + bytes([_METADATA_FIELD * 8 + _LENGTH_DELIMITED, len(entry)]) + entry


def content_digest(path: Path) -> str:
    """SHA-256 of an ONNX file without the entry that tells it; raises ValueError or OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for record in _records(file):
            if record.number == _METADATA_FIELD and _entry(file, record)[0] == CONTENT:
                continue
            file.seek(record.start)
            digest.update(file.read(record.end - record.start))
    return digest.hexdigest()


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata_props of an ONNX file; raises ValueError if it is none, OSError if it cannot be read."""
    metadata, graphs = {}, 0
    with path.open("rb") as file:
        for record in _records(file):
            graphs += record.number == _GRAPH_FIELD
            if record.number == _METADATA_FIELD:
                name, value = _entry(file, record)
                metadata[name] = value
    if not graphs:
        raise ValueError("it holds no graph")
    return metadata


class _Record(NamedTuple):
    """A field of the message: where it begins, where its value does, and where both end."""

    number: int
    start: int
    value: int
    end: int


def _records(file: BinaryIO) -> Iterator[_Record]:
    """The fields of the whole file, which may be moved about in meanwhile."""
    size, end = file.seek(0, 2), 0
    while end < size:
        start = file.seek(end)
        number, kind = divmod(_varint(file), 8)
        length = _FIXED_SIZES.get(kind, 0)
        if kind == _LENGTH_DELIMITED:
            length = _varint(file)
        elif kind == 0:
            _varint(file)
        elif kind not in _FIXED_SIZES:
            raise ValueError("it is no protobuf message")
        value = file.tell()
        end = value + length
        if end > size:
            raise ValueError("it ends too early")
        yield _Record(number, start, value, end)


def _entry(file: BinaryIO, record: _Record) -> tuple[str, str]:
    """Name and value of an entry of the metadata."""
    file.seek(record.value)
    strings = dict(_strings(file, record.end))
    return strings.get(1, ""), strings.get(2, "")


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
