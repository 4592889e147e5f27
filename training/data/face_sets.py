"""Public thermal face sets in the folders that their authors publish, as labelled faces.

- SF-TL54: Kuzdeuov et al., "SF-TL54: A Thermal Facial Landmark Dataset with Visual Pairs", SII 2022. 54 points, made
  by people. ``<root>/<gray|iron>/<set>/images/*.png`` and ``json/*.json`` (labelme), visible light in
  ``<root>/rgb/<set>``; the two cameras are not perfectly aligned.
- TFW: Kuzdeuov et al., "TFW: Annotated Thermal Faces in the Wild Dataset", IEEE TIFS 2022. 5 points.
  ``<root>/<set>.csv`` and the images in ``<root>/<set>/``.
- T-FAKE: Flotho et al., "T-FAKE: Synthesizing Thermal Images for Facial Landmarking", CVPR 2025. 70 points of rendered
  faces with thermal images made by a network; CC BY-NC-SA 4.0. ``<colour>/<id>.png``, ``<colour>/<id>_ldmks.txt`` and
  ``<thermal>/<id>_thermal.png``.

Errors name the file and the line or field.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54, LAYOUTS
from training.data.coco import DataError
from training.data.driver_faces import FaceFrame
from training.data.face_labels import check_apart, checked_face, label_lines, numbers

TFW_PARTS = ("indoor", "outdoor")
TFW_POINTS = ("right eye centre", "left eye centre", "nose tip", "right mouth corner", "left mouth corner")


def five_points(points: np.ndarray) -> np.ndarray:
    """(..., 5, 2) of TFW from points (..., 54, 2) of sf_tl54; eye centres are the means of the eyes' outlines."""
    return np.stack([points[..., 36:42, :].mean(axis=-2), points[..., 42:48, :].mean(axis=-2), points[..., 30, :],
                     points[..., 48, :], points[..., 50, :]], axis=-2)


def _grey(path: Path) -> np.ndarray:
    """(H, W) uint8 or uint16 of an image; colour images are converted to grey."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return image if image.ndim == 2 else cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY)


def _frame(path: Path, values: np.ndarray, box: np.ndarray, points: np.ndarray, where: str) -> FaceFrame:
    """A face with the 54 points of sf_tl54, checked."""
    height, width = values.shape
    check_apart(points, LAYOUTS["sf_tl54"].outer_eyes, where)
    return FaceFrame(path, values, *checked_face(points, box, (width, height), where))


class SfTl54:
    """SF-TL54's faces of one set; the names begin with the subject's number.

    Args:
        root: the data set's folder.
        part: ``train``, ``val`` or ``test``.
        palette: ``gray``, or ``iron``, whose false colours are converted to grey.
    """

    def __init__(self, root: Path, part: str, palette: str = "gray") -> None:
        folder = root / palette / part
        self.images = sorted(path for path in (folder / "images").glob("*") if path.suffix.lower() in (".png", ".jpg"))
        if not self.images:
            raise DataError(f"{folder / 'images'} has no images: expected SF-TL54's <palette>/<set>/images/*.png")
        self.labels = [folder / "json" / f"{image.stem}.json" for image in self.images]
        for image, label in zip(self.images, self.labels, strict=True):
            if not label.is_file():
                raise DataError(f"{image} has no label: {label} is missing")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> FaceFrame:
        path = self.labels[i]
        try:
            shapes = json.loads(path.read_bytes())["shapes"]
            box = [shape["points"] for shape in shapes if shape["label"] == "face"]
            points = [point for shape in shapes if shape["label"] != "face" for point in shape["points"]]
            corners, places = np.array(box, np.float64), np.array(points, np.float64)
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{path}: not a labelme file of SF-TL54 ({error!r})") from None
        if corners.shape != (1, 2, 2) or places.shape != (54, 2):
            raise DataError(f"{path}: {len(box)} face boxes and {len(points)} points, expected 1 and 54")
        ordered = np.concatenate([corners[0].min(axis=0), corners[0].max(axis=0)])
        return _frame(self.images[i], _grey(self.images[i]), ordered, places, str(path))


class Tfw:
    """TFW's faces of one set, with the five points of TFW_POINTS.

    Args:
        root: the folder of ``train``, ``val`` or ``test``.
        part: one of TFW_PARTS.
    """

    def __init__(self, root: Path, part: str) -> None:
        table = root / f"{part}.csv"
        if not table.is_file():
            raise DataError(f"{table} is missing: expected TFW's <set>.csv beside the folder <set>")
        self.rows: list[tuple[Path, np.ndarray, str]] = []
        try:
            for number, row in enumerate(csv.reader(label_lines(table)), 1):
                if number == 1 or not row:
                    continue  # the header
                where = f"{table}, line {number}"
                values = numbers(row[1:], where)
                if len(values) != 14:
                    raise DataError(f"{where}: {len(values)} values after the name, expected 14 (box, 5 x (x, y))")
                self.rows.append((root / part / row[0], values, where))
        except csv.Error as error:
            raise DataError(f"{table}: not a table of values separated by commas ({error})") from None
        if not self.rows:
            raise DataError(f"{table} has no rows")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> FaceFrame:
        path, values, where = self.rows[i]
        image = _grey(path)
        return FaceFrame(path, image, *checked_face(values[4:].reshape(5, 2), values[:4], image.shape[::-1], where))


class TFake:
    """T-FAKE's faces, their 70 points reduced to the 54 of sf_tl54.

    Args:
        colour: folder of FaceSynthetics, with ``<id>_ldmks.txt``.
        thermal: folder of the warm or the cold condition, with ``<id>_thermal.png``.
    """

    def __init__(self, colour: Path, thermal: Path) -> None:
        self.images = sorted(thermal.glob("*_thermal.png"))
        if not self.images:
            raise DataError(f"{thermal} has no images *_thermal.png")
        self.labels = [colour / f"{image.name.split('_')[0]}_ldmks.txt" for image in self.images]
        for image, label in zip(self.images, self.labels, strict=True):
            if not label.is_file():
                raise DataError(f"{image} has no label: {label} is missing")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> FaceFrame:
        path = self.labels[i]
        rows = [(number, words) for number, line in enumerate(label_lines(path), 1) if (words := line.split())]
        for number, words in rows:
            if len(words) != 2:
                raise DataError(f"{path}, line {number}: {len(words)} values, expected x and y")
        points = np.array([numbers(words, f"{path}, line {number}") for number, words in rows])
        if len(points) != 70:
            raise DataError(f"{path}: {len(points)} lines, expected 70 with x and y")
        points = points[list(IBUG68_TO_SF_TL54)]
        return _frame(self.images[i], _grey(self.images[i]), face_box(points), points, str(path))


def sample_faces(folder: Path) -> list[FaceFrame]:
    """The faces of a folder with ``<name>.npy``, an image of numbers, and ``<name>.txt``, its 54 points.

    A line holds the point's number and its x and y as parts of the image's sides; the box is that of the points.
    """
    faces = []
    for path in sorted(folder.glob("*.npy")):
        label = path.with_suffix(".txt")
        try:
            with path.open("rb") as file:  # np.load would take archives and pickles for arrays, too
                image = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError:
            raise DataError(f"{path} cannot be read as an array of numbers") from None
        if image.ndim != 2 or image.dtype.kind not in "uif":
            raise DataError(f"{path} holds {image.dtype} of shape {image.shape}, expected an image of numbers (H, W)")
        if not label.is_file():
            raise DataError(f"{path} has no label: {label} is missing")
        places: dict[int, np.ndarray] = {}
        for number, line in enumerate(label_lines(label), 1):
            if not (words := line.split()):
                continue
            values = numbers(words, f"{label}, line {number}")
            if len(values) < 3 or values[0] not in range(54) or int(values[0]) in places:
                raise DataError(f"{label}, line {number}: expected the number of a point, 0 to 53 and each once, and "
                                "its x and y")
            places[int(values[0])] = values[1:3] * image.shape[::-1]
        if len(places) != 54:
            raise DataError(f"{label}: {len(places)} points, expected 54")
        points = np.stack([places[k] for k in range(54)])
        faces.append(_frame(path, image, face_box(points), points, str(label)))
    if not faces:
        raise DataError(f"{folder} has no images *.npy")
    return faces
