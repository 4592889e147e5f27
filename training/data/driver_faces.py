"""The driver_faces set: thermal frames of drivers with a face box and 54 points, in YOLO-pose text labels.

Source: Knapik, Cyganek, Balon, "Multimodal Driver Condition Monitoring System Operating in the Far-Infrared Spectrum",
Electronics 13(17), 3502, 2024. Research use only, and the labels are a network's output: this project measures on it,
and no network that it ships has seen an image or a label of it. What the shipped face networks owe to it are the mean
offsets of ``head_cache``, which their cards name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.layouts import LAYOUTS
from training.data.coco import DataError
from training.data.face_labels import check_apart, checked_face, label_lines, numbers
from training.options import check_step

POINTS = 54


@dataclass(frozen=True)
class FaceFrame:
    """One labelled frame."""

    path: Path
    values: np.ndarray
    """(H, W), of whatever type the set has."""
    box: np.ndarray
    """(4,) float32, x1 y1 x2 y2, pixels."""
    points: np.ndarray
    """(54, 2) float32, pixels, continuous coordinates, in the sf_tl54 layout."""


def read_label(path: Path, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Box (4,) x1 y1 x2 y2 and points (54, 2) of a label file, pixels; raises DataError naming file and line.

    A frame has one face, of class 0, and each of its points a confidence: 0 would say that it was not labelled.
    """
    face: tuple[np.ndarray, np.ndarray] | None = None
    for number, line in enumerate(label_lines(path), 1):
        words, where = line.split(), f"{path}, line {number}"
        if not words:
            continue
        values = numbers(words, where)
        if len(values) != 5 + 3 * POINTS:
            raise DataError(f"{where}: {len(values)} values, expected {5 + 3 * POINTS} "
                            f"(class, box, {POINTS} x (x, y, confidence))")
        if face:
            raise DataError(f"{where}: a second face; a frame of driver_faces has one")
        if values[0] != 0:
            raise DataError(f"{where}: class {words[0]} is unknown, faces are class 0")
        places = values[5:].reshape(POINTS, 3)
        if not ((places[:, 2] > 0) & (places[:, 2] <= 1)).all():
            raise DataError(f"{where}: the confidence of each point must lie above 0 and up to 1, one is "
                            f"{places[:, 2].min():g} and one {places[:, 2].max():g}")
        size = np.array([width, height])
        centre, extent = values[1:3] * size, values[3:5] * size
        box = np.concatenate([centre - extent / 2, centre + extent / 2])
        face = checked_face(places[:, :2] * size, box, (width, height), where)
    if not face:
        raise DataError(f"{path}, line 1: the file has no label; delete it if its frame has no face")
    return face


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
        check_apart(points, LAYOUTS["sf_tl54"].outer_eyes, str(label))
        return FaceFrame(image, values, box, points)
