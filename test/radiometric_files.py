"""Small readers of the raw counts in radiometric files, for tests alone.

FLIR's container (FFF) begins with a header that names an index of records of 32 bytes each; record 1 holds the raw
image after a header of 32 bytes. An R-JPEG carries the container in APP1 segments that begin with "FLIR"; DJI's carries
bare counts in APP3 segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

RAW_DATA = 1


def counts_of(path: Path) -> np.ndarray:
    """Raw counts (H, W) uint16 of an FFF file or a FLIR R-JPEG."""
    data = path.read_bytes()
    if data.startswith(b"\xff\xd8"):
        parts = {part[6]: part[8:] for part in _segments(data, 0xE1) if part.startswith(b"FLIR\0")}
        data = b"".join(parts[i] for i in sorted(parts))
    order = ">" if 100 <= struct.unpack_from(">I", data, 20)[0] < 200 else "<"
    _, index, records = struct.unpack_from(f"{order}3I", data, 20)
    for i in range(records):
        kind, _, _, _, start, length = struct.unpack_from(f"{order}HHIIII", data, index + 32 * i)
        if kind == RAW_DATA:
            width, height = struct.unpack_from("<HH", data, start + 2)
            image = data[start + 32 : start + length]
            if image.startswith(b"\x89PNG"):
                # The samples are stored with the low byte first, which PNG does not do.
                return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED).byteswap()
            return np.frombuffer(image, "<u2", width * height).reshape(height, width)
    raise ValueError(f"{path}: has no raw image")


def dji_counts(path: Path, width: int = 640, height: int = 512) -> np.ndarray:
    """Raw counts (H, W) uint16 of a DJI R-JPEG."""
    data = b"".join(_segments(path.read_bytes(), 0xE3))
    return np.frombuffer(data, "<u2", width * height).reshape(height, width)


def _segments(data: bytes, wanted: int) -> Iterator[bytes]:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == wanted:
            yield data[at + 4 : at + 2 + length]
        at += 2 + length
