"""Thermal image files: PNG, TIFF, JPEG and the like by OpenCV, and NumPy arrays, as the values that they hold."""

from __future__ import annotations

import contextlib
import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from .frames import FrameError
from .output import written_aside

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".pgm", ".npy")
"""What is looked for in folders."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
"""JPEG markers without a length."""
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
"""How TIFF files begin, by their byte order. Of the variant for files above 4 GB the pages are not counted."""
_NOT_NUMPY = (ValueError, TypeError, EOFError, OSError, MemoryError, SyntaxError, tokenize.TokenError,
              zipfile.BadZipFile)
"""What numpy.load raises for files that it cannot read."""
_SILENT = 0
"""OpenCV's level of its log, which not every build names."""


def find_images(path: Path) -> list[Path]:
    """A file by itself, or all images below a folder in the order of their names, hidden ones left out.

    Raises FrameError for a path that is not there and for a folder without an image.
    """
    if not path.is_dir():
        if not path.exists():
            raise FrameError(f"{path}: there is no such file or folder; correct the path")
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
                   and not any(part.startswith(".") for part in p.relative_to(path).parts))
    if not found:
        raise FrameError(f"{path}: has no image; looked for {' '.join(SUFFIXES)} in it and the folders below")
    return found


def read_image(path: Path, warn: Callable[[str], None] = lambda text: None) -> np.ndarray:
    """The stored values of an image file: (H, W) uint8, uint16 or float32, or (H, W, 3 or 4) uint8 colour.

    Pixels stay as the file stores them, whatever its orientation tag says, so that boxes belong to the stored raster.
    Of a TIFF with several pages it is the first; ``warn`` is told. Raises FrameError with the file, what is wrong and
    what to do.
    """
    data = _read_file(path)
    try:
        values = _as_frame_values(_read_npy(data)) if path.suffix.lower() == ".npy" else decode_picture(data)
        _check_shape(values)
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from None
    if (pages := _count_pages(data)) > 1:
        warn(f"{path}: only the first of its {pages} pages is used; save the others as files of their own")
    return values


def read_array(path: Path) -> np.ndarray:
    """The array of any shape and type in a .npy file; raises FrameError with the file, what is wrong and what to do."""
    data = _read_file(path)
    try:
        return _read_npy(data)
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from None


def check_picture_name(path: Path) -> None:
    """Raises OSError for a name that says no format in which pictures can be written."""
    if not (path.suffix and cv2.haveImageWriter(str(path))):
        raise OSError(f"{path}: its name says no format that pictures are written in; choose one that ends in .png")


def write_image(path: Path, values: np.ndarray, parameters: Sequence[int] = ()) -> None:
    """Write an image whole or not at all, in the format of the path's suffix; raises OSError where it cannot be.

    OpenCV's own writer leaves half a file on a full disk, and says so by its return value at best.
    """
    check_picture_name(path)
    try:
        done, data = cv2.imencode(path.suffix, values, list(parameters))
    except cv2.error:
        done = False
    if not done:
        raise OSError(f"{path}: {values.dtype} {values.shape} cannot be written as '{path.suffix}'; choose a name that "
                      "ends in .png")
    with written_aside(path) as aside:
        aside.write_bytes(data.tobytes())


def _read_file(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise FrameError(f"{path}: is no file but a pipe or a device; save the image as a file and give that")
        data = path.read_bytes()
    except OSError as error:
        raise FrameError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    if not data:
        raise FrameError(f"{path}: the file is empty; copy it again")
    return data


def _read_npy(data: bytes) -> np.ndarray:
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except _NOT_NUMPY:
        # NumPy's own words advise to run what is in the file.
        raise FrameError("not a readable NumPy array of numbers, or damaged; write it with numpy.save, as uint8, "
                         "uint16 or float32") from None
    if not isinstance(values, np.ndarray):
        raise FrameError("an archive of arrays, not an array; write one array with numpy.save")
    return values


def _check_shape(values: np.ndarray) -> None:
    """Raises FrameError for what is no image."""
    if 0 in values.shape or not (values.ndim == 2 or values.ndim == 3 and values.shape[2] in (3, 4)):
        raise FrameError(f"an array of shape {values.shape} is no image; save one image as rows and columns, (height, "
                         "width)")
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        raise FrameError("has no finite value: all are NaN, infinite or beyond float32; save what the camera measured, "
                         "degrees or counts")


def _count_pages(data: bytes) -> int:
    """The pages of a TIFF file; 0 for every other."""
    order = _TIFF.get(data[:4])
    seen: set[int] = set()
    with contextlib.suppress(struct.error):
        at = struct.unpack_from(f"{order}I", data, 4)[0] if order else 0
        while at and at not in seen:
            entries = struct.unpack_from(f"{order}H", data, at)[0]
            seen.add(at)
            at = struct.unpack_from(f"{order}I", data, at + 2 + 12 * entries)[0]
    return len(seen)


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """OpenCV writes to the terminal what it finds wrong with a picture, beside what this module says of it."""
    if not hasattr(cv2, "setLogLevel"):  # old builds
        yield
        return
    before = cv2.getLogLevel()
    cv2.setLogLevel(_SILENT)
    try:
        yield
    finally:
        cv2.setLogLevel(before)


def decode_picture(data: bytes) -> np.ndarray:
    """The stored values of a PNG, JPEG, TIFF or the like: (H, W) uint8, uint16 or float32, or (H, W, 3 or 4) uint8.

    Raises FrameError, without a name for the picture, for one that is cut, damaged or of another type.
    """
    # OpenCV fills what is missing of a cut file with grey and says nothing.
    if (data.startswith(b"\xff\xd8") and not _jpeg_is_whole(data)) or (
            data.startswith(PNG_SIGNATURE) and not _png_is_whole(data)):
        raise FrameError("the picture ends too early or is damaged; copy or send it again")
    try:
        with _without_log():
            values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"cannot be decoded ({_first_line(error)}); convert it to PNG or TIFF") from None
    if values is None:
        raise FrameError("not a readable picture, or damaged; use a whole PNG, TIFF or JPEG")
    return _as_frame_values(values)


def _as_frame_values(values: np.ndarray) -> np.ndarray:
    """Types that hold the same numbers to those that the pipeline takes."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim == 3 and values.shape[2] in (3, 4) and values.dtype == np.uint16:
        return _one_of_equal_channels(values)
    if values.dtype.kind == "f":
        # What float32 cannot hold becomes infinite, which is no value of a pixel.
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    if values.dtype in (np.uint8, np.uint16):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind in "iu" and values.size and 0 <= values.min() and values.max() <= 65535:
        return values.astype(np.uint16)
    if values.dtype.kind in "iu":
        raise FrameError("whole numbers beyond 0 to 65535 are not a camera's counts; save temperatures as float32")
    raise FrameError(f"values of type {values.dtype} are not understood; save uint8, uint16 or float32")


def _one_of_equal_channels(values: np.ndarray) -> np.ndarray:
    """16-bit grey stored as colour is grey; 16-bit colour is nothing that a thermal camera writes."""
    if (values[..., 0] == values[..., 1]).all() and (values[..., 0] == values[..., 2]).all():
        return np.ascontiguousarray(values[..., 0])
    raise FrameError("a 16-bit colour picture holds no thermal values; save one channel")


def _png_is_whole(data: bytes) -> bool:
    """Whether undamaged chunks follow each other up to IEND."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length
        if zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + length
    return False


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether the segments follow each other up to the end-of-image marker; what comes after it does not matter."""
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        marker = data[at + 1]
        if marker == 0xD9:
            return True
        if marker == 0xFF:
            at += 1
        elif marker == 0 or marker in _STANDALONE:
            at += 2
        else:
            # A scan's coded data comes after its header; in it every 0xFF is followed by 0 or a restart marker.
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
