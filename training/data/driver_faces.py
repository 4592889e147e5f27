"""The driver_faces set: thermal frames of drivers with a face box and 54 points, in YOLO-pose text labels.

Source: Knapik, Cyganek, Balon, "Multimodal Driver Condition Monitoring System Operating in the Far-Infrared Spectrum",
Electronics 13(17), 3502, 2024. Research use only, and the labels are a network's output: this project measures on it
and trains nothing that it ships on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.data.coco import DataError
from training.options import check_step

POINTS = 54


@dataclass(frozen=True)
class FaceFrame:
    """One labelled frame."""

    path: Path
    values: np.ndarray
    """(H, W) uint8."""
    box: np.ndarray
    """(4,) float32, x1 y1 x2 y2, pixels."""
    points: np.ndarray
    """(54, 2) float32, pixels, continuous coordinates, in the sf_tl54 layout."""


def read_label(path: Path, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Box (4,) x1 y1 x2 y2 and points (54, 2) of a label file, pixels; raises DataError naming file and line."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = np.array([float(word) for word in line.split()], np.float32)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from None
        if len(values) != 5 + 3 * POINTS or not np.isfinite(values).all():
            raise DataError(f"{path}, line {number}: {len(values)} values, expected {5 + 3 * POINTS} finite numbers "
                            f"(class, box, {POINTS} x (x, y, confidence))")
        size = np.array([width, height], np.float32)
        centre, extent = values[1:3] * size, values[3:5] * size
        box = np.concatenate([centre - extent / 2, centre + extent / 2])
        return box, values[5:].reshape(POINTS, 3)[:, :2] * size
    raise DataError(f"{path}, line 1: the file has no label; delete it if its frame has no face")


class DriverFaces:
    """Labelled frames of some persons; frames without a label file are left out.

    Args:
        root: folder with the sequences ``<person>_<sex>_<glasses>_<behaviour>``.
        person: the first character of the sequence names, ``"1"`` or ``"2"``.
        step: take every ``step``-th frame.
    """

    def __init__(self, root: Path, person: str, step: int = 1) -> None:
        check_step(step)
        images = sorted(root.glob(f"{person}_*/Jpg/*.jpg"))
        if not images:
            raise DataError(f"{root} has no sequences {person}_*/Jpg/*.jpg")
        self.pairs = [(image, label) for image in images
                      if (label := image.parent.parent / "labels" / f"{image.stem}.txt").is_file()][::step]
        if not self.pairs:
            raise DataError(f"{root}: no frame of the people {person}_* has a label, labels/*.txt beside Jpg")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: int) -> FaceFrame:
        image, label = self.pairs[i]
        values = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
        if values is None:
            raise DataError(f"{image} cannot be read as an image")
        box, points = read_label(label, values.shape[1], values.shape[0])
        return FaceFrame(image, values, box, points)
