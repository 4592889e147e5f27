"""Thermal images with boxes, in COCO's json layout: <root>/<split>.json beside the folder <root>/<split>/."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

IGNORED_CLASSES = frozenset({"dont_care", "ignore"})
"""Category names that mark regions without a judgement: neither a target nor background."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


_ID = (lambda value: isinstance(value, int | str), "a number")
_SIZE = (lambda value: _number(value) and value > 0, "a number of pixels")
_NAME = (lambda value: isinstance(value, str), "a text")
_BOX = (lambda value: isinstance(value, list) and len(value) == 4 and all(map(_number, value)),
        "four numbers: x, y, width, height")
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": _ID, "image_id": _ID, "category_id": _ID, "width": _SIZE, "height": _SIZE, "name": _NAME, "file_name": _NAME,
    "filename": _NAME, "bbox": _BOX}
"""What the values of entries must be, and how that is said."""


class DataError(ValueError):
    """A data set cannot be used; the message names the file and what to do."""


@dataclass(frozen=True)
class Sample:
    """One labelled image in memory."""

    values: np.ndarray
    """(H, W) uint8, uint16 or float32: whatever the source has."""
    boxes: np.ndarray
    """(N, 4) float32, x1 y1 x2 y2."""
    labels: np.ndarray
    """(N,) int64 into the model's classes; -1 marks an ignore region."""
    labelled: np.ndarray
    """(C,) bool: classes that this sample's data set labels. The others give no loss here."""


class CocoDetection:
    """A COCO split whose category names are mapped onto the model's classes by name.

    ``absent`` names classes that the set does not label because none is in it: they are background here. The other
    classes that it does not label give no loss. Boxes of categories that the model does not have are ignore regions,
    but for those in ``background``, and so are the crowds (``iscrowd``) of any category, which COCO does not judge.
    Without ``classes`` the set's own categories are the classes.

    Raises DataError for a missing file, unusable json or entries of it, a split that shares no class with the model,
    and an image that cannot be read or has another size than the json says.
    """

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None, absent: tuple[str, ...] = (),
                 background: tuple[str, ...] = ()) -> None:
        self.folder = root / split
        path = root / f"{split}.json"
        try:
            content = json.loads(path.read_text())
            images, annotations, categories = (content[key] for key in ("images", "annotations", "categories"))
        except FileNotFoundError:
            raise DataError(f"{path} is missing: a COCO data set has <root>/{split}.json and <root>/{split}/") from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not COCO json: {error}") from None
        if not images:
            raise DataError(f"{path} lists no image")
        names = dict(fields(path, "category", categories, "id", "name"))
        if classes is None:
            classes = tuple(name for name in dict.fromkeys(names.values()) if name not in IGNORED_CLASSES)
        self.classes = classes
        self.labelled = np.array([name in names.values() or name in absent for name in classes], bool)
        if not self.labelled.any():
            raise DataError(f"{path} labels {sorted(names.values())}, none of the model's classes {list(classes)}")
        index = {name: i for i, name in enumerate(classes)} | {name: -1 for name in IGNORED_CLASSES}
        sizes = fields(path, "image", images, "id", "width", "height", "file_name")
        rows: dict[int, list[tuple[list[float], int]]] = {i: [] for i, *_ in sizes}
        for annotation, (box, *_) in zip(
                annotations, fields(path, "annotation", annotations, "bbox", "category_id", "image_id"), strict=True):
            name = listed(path, annotation, names, "category_id")
            own = listed(path, annotation, rows, "image_id")
            if name not in background:
                own.append((box, -1 if annotation.get("iscrowd") else index.get(name, -1)))
        self.images = images
        self._boxes: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        for i, width, height, _ in sizes:
            boxes, labels = clean_boxes(rows[i], width, height)
            self._boxes.append(boxes)
            self._labels.append(labels)

    def __len__(self) -> int:
        return len(self.images)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of image ``i``, without reading its pixels."""
        return self._boxes[i], self._labels[i]

    def __getitem__(self, i: int) -> Sample:
        path = self.folder / self.images[i]["file_name"]
        values = read_raster(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        expected = self.images[i]["height"], self.images[i]["width"]
        if values.shape != expected:
            raise DataError(f"{path} is {values.shape[1]} x {values.shape[0]} pixels, its boxes are for "
                            f"{expected[1]} x {expected[0]}")
        return Sample(values, self._boxes[i], self._labels[i], self.labelled)


def fields(path: Path, kind: str, entries: Any, *names: str) -> list[tuple[Any, ...]]:
    """The named values of every entry of a json list; raises DataError naming file, entry and what is not right."""
    if not isinstance(entries, list):
        raise DataError(f"{path}: its {kind} entries are no list")
    return [tuple(_field(path, kind, i, entry, name) for name in names) for i, entry in enumerate(entries)]


def _field(path: Path, kind: str, i: int, entry: Any, name: str) -> Any:
    known = isinstance(entry, dict)
    good, what = _KINDS[name]
    if known and name in entry and good(entry[name]):
        return entry[name]
    which = entry["id"] if known and "id" in entry else f"at place {i + 1} of the list"
    found = f"has the '{name}' {entry[name]!r:.60}" if known and name in entry else f"has no '{name}'"
    raise DataError(f"{path}: {kind} {which} {found}; wanted is {what}")


def listed(path: Path, annotation: dict[str, Any], known: Mapping[Any, Any], name: str) -> Any:
    """What an annotation means by the number ``name``; raises DataError if that is not listed."""
    if annotation[name] not in known:
        raise DataError(f"{path}: annotation {annotation.get('id')} has a '{name}' that is not listed "
                        f"({annotation[name]})")
    return known[annotation[name]]


def read_raster(path: Path, flags: int) -> np.ndarray:
    """An image as it is stored, whatever its orientation tag says, because boxes belong to the stored raster.

    Raises DataError.
    """
    values = cv2.imread(str(path), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if values is None:
        raise DataError(f"{path} cannot be read as an image")
    return values


def clean_boxes(rows: list[tuple[list[float], int]], width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """COCO boxes (x, y, w, h) with labels to clipped corner boxes; boxes without area inside the image are left out."""
    boxes: np.ndarray = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label in rows], np.int64)
    boxes[:, 2:] += boxes[:, :2]
    boxes = np.clip(boxes, 0.0, np.array([width, height, width, height], np.float32))
    solid = (boxes[:, 2] - boxes[:, 0] > 1.0) & (boxes[:, 3] - boxes[:, 1] > 1.0)
    return boxes[solid], labels[solid]
