"""What every labelled face must be, so that a broken label file is named and neither trained on nor measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.coco import DataError


def label_lines(path: Path) -> list[str]:
    """The lines of a text file; raises DataError naming file and line where it is not text."""
    content = path.read_bytes()
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not text, so this is no label file or a damaged one") from None


def numbers(words: list[str], where: str) -> np.ndarray:
    """Words as float64; raises DataError beginning with ``where`` if one is not a finite number."""
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {len(words)} values, and not all of them are finite")
    return values


def checked_face(points: np.ndarray, box: np.ndarray, size: tuple[int, int], where: str
                 ) -> tuple[np.ndarray, np.ndarray]:
    """A label's box (4,) and points (K, 2) as float32; raises DataError beginning with ``where`` if it can be no face.

    All must be finite numbers, the box at least a pixel wide and high and not beside the image, and nothing farther
    outside than the image is large: a close or cut-off face reaches outside, numbers in another unit reach farther.

    Args:
        points: (K, 2), pixels.
        box: (4,) x1 y1 x2 y2, pixels.
        size: width and height of the image, pixels.
        where: the file, and the line if there are several faces in it.
    """
    for what, values in (("points", points), ("face box", box)):
        if not np.isfinite(values).all():
            raise DataError(f"{where}: the {what} must be finite numbers")
    width, height = box[2:] - box[:2]
    if width < 1 or height < 1:
        raise DataError(f"{where}: a face box of {width:g} x {height:g} pixels is none; it needs at least one each way")
    image = np.array(size, np.float64)
    places = np.concatenate([points, box.reshape(2, 2)])
    far = ((places < -image) | (places > 2 * image)).any(axis=1)
    if far.any() or (box[2:] <= 0).any() or (box[:2] >= image).any():
        x, y = places[int(far.argmax())] if far.any() else box[:2]
        raise DataError(f"{where}: ({x:g}, {y:g}) lies too far from an image of {size[0]} x {size[1]} pixels; are the "
                        "numbers in the unit of this layout?")
    return box.astype(np.float32), points.astype(np.float32)


def check_apart(points: np.ndarray, ends: tuple[int, int], where: str) -> None:
    """Raise DataError beginning with ``where`` if two points coincide over whose distance errors are measured.

    Apart from ``checked_face``, as who takes boxes alone need not mind, and five points have no eye corners.

    Args:
        points: (K, 2).
        ends: the outer eye corners of the layout.
        where: as in ``checked_face``.
    """
    first, second = ends
    if (points[first] == points[second]).all():
        raise DataError(f"{where}: points {first} and {second}, the outer eye corners, lie on each other; correct the "
                        "label or leave its face out")
