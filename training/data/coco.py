"""Thermal images with boxes, in COCO's json layout: <root>/<split>.json beside the folder <root>/<split>/."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from thermal_kd_ros.output import written_aside

IGNORED_CLASSES = frozenset({"dont_care", "ignore", "ignored_face"})
"""Category names that mark regions without a judgement: neither a target nor background."""


def _number(value: Any) -> bool:
    # No NaN compares; whole numbers of json may be larger than any float.
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


_ID = (lambda value: isinstance(value, int | str), "a number")
_SIZE = (lambda value: _number(value) and value > 0, "a number of pixels")
_NAME = (lambda value: isinstance(value, str), "a text")
_BOX = (lambda value: isinstance(value, list) and len(value) == 4 and all(map(_number, value)),
        "four numbers: x, y, width, height")
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": _ID, "image_id": _ID, "category_id": _ID, "width": _SIZE, "height": _SIZE, "name": _NAME, "file_name": _NAME,
    "filename": _NAME, "bbox": _BOX}
"""What the values of entries must be, and how that is said."""


Labelled = tuple[tuple[float, float, float, float], int, str]
"""A box x1, y1, x2, y2 in pixels, its label (-1: ignore region) and where it stands, for messages."""
THIN = 1.0
"""Pixels: the shorter side of a box that is no target any more."""
MOST_EMPTY, MOST_EMPTY_PART = 10, 0.1
"""So many boxes without area, or such a part of all, are taken for slips; more are not."""


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

    Raises DataError, before any image is decoded, for a missing file, unusable json or entries of it, two images with
    one id, a split that shares no class with the model, and an image that is not there or has another size than the
    json says. What becomes of odd boxes: see ``BoxReader``.
    """

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None, absent: tuple[str, ...] = (),
                 background: tuple[str, ...] = ()) -> None:
        self.folder, self.name = root / split, f"{root.name} {split}"
        path = root / f"{split}.json"
        try:
            content = json.loads(path.read_bytes())
            images, annotations, categories = (content[key] for key in ("images", "annotations", "categories"))
        except FileNotFoundError:
            raise DataError(f"{path} is missing: a COCO data set has <root>/{split}.json and <root>/{split}/; a set "
                            "as it was published is read by its own kind, see docs/training_data.md") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is not COCO json: {error}") from None
        if not images:
            raise DataError(f"{path} lists no image")
        listing = fields(path, "category", categories, "id", "name")
        check_once(path, "category", listing)
        names = dict(listing)
        if classes is None:
            classes = tuple(name for name in dict.fromkeys(names.values()) if name not in IGNORED_CLASSES)
        self.classes = classes
        self.labelled = np.array([name in names.values() or name in absent for name in classes], bool)
        if not self.labelled.any():
            raise DataError(f"{path} labels {sorted(names.values())}, none of the model's classes {list(classes)}")
        index = {name: i for i, name in enumerate(classes)} | {name: -1 for name in IGNORED_CLASSES}
        sizes = fields(path, "image", images, "id", "file_name", "width", "height")
        check_once(path, "image", sizes)
        rows: dict[Hashable, list[Labelled]] = {i: [] for i, *_ in sizes}
        for annotation, ((x, y, w, h), *_) in zip(
                annotations, fields(path, "annotation", annotations, "bbox", "category_id", "image_id"), strict=True):
            name = listed(path, annotation, names, "category_id")
            own = listed(path, annotation, rows, "image_id")
            crowd = annotation.get("iscrowd")
            if crowd not in (0, 1, None):  # true and false count as 1 and 0; a text would always be true
                raise DataError(f"{path}: annotation {annotation.get('id')} has the iscrowd {crowd!r}, expected 0 or 1")
            if name not in background:
                label = -1 if crowd else index.get(name, -1)
                own.append(((x, y, x + w, y + h), label, f"annotation {annotation.get('id')}"))
        self.images = images
        files = [self.folder / name for _, name, *_ in sizes]
        for file, found, (_, _, width, height) in zip(files, sizes_on_disk(files), sizes, strict=True):
            if found != (width, height):
                raise DataError(f"{file} is {found[0]} x {found[1]} pixels, its boxes are for {width} x {height}")
        reader = BoxReader(path)
        self._boxes = [reader.read(rows[i], width, height) for i, _, width, height in sizes]
        reader.report()

    def __len__(self) -> int:
        return len(self.images)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of image ``i``, without reading its pixels."""
        return self._boxes[i]

    def __getitem__(self, i: int) -> Sample:
        values = read_raster(self.folder / self.images[i]["file_name"], cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        return Sample(values, *self._boxes[i], self.labelled)


def write_listing(path: Path, entries: Iterable[tuple[dict[str, Any], Iterable[Mapping[str, Any]]]],
                  categories: Sequence[str]) -> None:
    """Write the json of a COCO set: its images, each with its annotations, which are numbered here.

    ``category_id`` 1 is the first of ``categories``. An image has ``id``, ``file_name``, ``width`` and ``height``.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, rows in entries:
        images.append(image)
        annotations += [{"id": number, "image_id": image["id"], **row}
                        for number, row in enumerate(rows, len(annotations) + 1)]
    content = {"images": images, "annotations": annotations,
               "categories": [{"id": number, "name": name} for number, name in enumerate(categories, 1)]}
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content))


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


def check_once(path: Path, kind: str, entries: Iterable[tuple[Any, ...]]) -> None:
    """Raise DataError, naming both, if two entries of a json list, (id, name, ...) each, have the same id."""
    seen: dict[Hashable, Any] = {}
    for number, name, *_ in entries:
        if number in seen:
            raise DataError(f"{path}: {kind} {number} is listed twice, as {seen[number]} and as {name}: give each an "
                            "id of its own")
        seen[number] = name


def sizes_on_disk(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """(width, height) of stored rasters, from the files' first bytes.

    Raises DataError naming those that are missing, or one that is no image.
    """
    if missing := [path.name for path in paths if not path.is_file()]:
        folder = next(path.parent for path in paths if path.name == missing[0])
        raise DataError(f"{len(missing)} of {len(paths)} images are not there: {', '.join(missing[:5])}"
                        f"{' ...' if len(missing) > 5 else ''} in {folder}")
    return [_size_on_disk(path) for path in paths]


def _size_on_disk(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # OpenCV knows some formats that Pillow does not.
        height, width = read_raster(path, cv2.IMREAD_UNCHANGED).shape[:2]
        return width, height


def read_raster(path: Path, flags: int) -> np.ndarray:
    """An image as it is stored, whatever its orientation tag says, because boxes belong to the stored raster.

    Raises DataError.
    """
    values = cv2.imread(str(path), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if values is None:
        raise DataError(f"{path} cannot be read as an image")
    if _cut_off(path):
        # OpenCV fills the rest with grey and says nothing.
        raise DataError(f"{path} is cut off: the JPEG image in it has no end")
    return values


def _cut_off(path: Path) -> bool:
    """Whether a file is a JPEG, whatever its name, that lacks the end of its image.

    Looked for behind the headers, because the thumbnails there have ends of their own, and anywhere behind them,
    because cameras and archives append to files (ITU-T T.81, annex B: coded data never holds the end's marker).
    """
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        content = file.read()
    at = 0
    while content[at:at + 1] == b"\xff" and content[at + 1:at + 2] != b"\xda":
        at += 2 + int.from_bytes(content[at + 2:at + 4], "big")
    return content.find(b"\xff\xd9", at) < 0


class BoxReader:
    """Makes the boxes of one set fit for training, and counts what it had to change.

    Published sets and exports hold boxes that reach over the border, slivers, and some of no area. Those over the
    border are clipped, what is left a pixel thin or thinner is an ignore region, because no detector finds it and it is
    no background either, and a box without area inside its image is left out.
    """

    def __init__(self, where: Path) -> None:
        self.where = where
        self._count: Counter[str] = Counter()
        self._first_empty = ""

    def read(self, rows: Sequence[Labelled], width: float, height: float, file: Path | None = None
             ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) float32 inside an image of ``width`` x ``height`` pixels, and labels (N,) int64.

        ``file`` is where the rows stand, if that is not the set's own file. Raises DataError for a box that is not of
        finite numbers.
        """
        boxes: np.ndarray = np.array([box for box, *_ in rows], np.float32).reshape(-1, 4)
        labels = np.array([label for _, label, _ in rows], np.int64)
        if not (finite := np.isfinite(boxes).all(1)).all():
            box, _, place = rows[int(finite.argmin())]
            raise DataError(f"{file or self.where}: {place} has the box {box}, not four finite numbers")
        clipped = np.clip(boxes, 0.0, np.array([width, height, width, height], np.float32))
        sides = clipped[:, 2:] - clipped[:, :2]
        empty, thin = (sides <= 0).any(1), (sides <= THIN).any(1)
        if empty.any() and not self._first_empty:
            box, _, place = rows[int(empty.argmax())]
            place = f"{place} of {file.name}" if file else place
            corners = " ".join(f"{value:g}" for value in box)
            self._first_empty = f"{place}, {corners} (x1 y1 x2 y2) in {width:g} x {height:g} pixels"
        self._count.update(all=len(rows), empty=int(empty.sum()), thin=int((thin & ~empty & (labels >= 0)).sum()),
                           clipped=int(((np.abs(clipped - boxes) > 1.0).any(1) & ~empty).sum()))
        labels[thin] = -1
        return clipped[~empty], labels[~empty]

    def report(self) -> None:
        """Say on stderr, in a line, how many boxes were changed.

        Raises DataError if many have no area: then their numbers mean something else than is read into them.
        """
        count = self._count
        if count["empty"] > max(MOST_EMPTY, MOST_EMPTY_PART * count["all"]):
            raise DataError(f"{self.where}: {count['empty']} of {count['all']} boxes have no area inside their images, "
                            f"first {self._first_empty}: are they written in another order or scale?")
        said = [f"{count['clipped']} reach over the border and are clipped" if count["clipped"] else "",
                f"{count['thin']} are a pixel thin or thinner and ignored" if count["thin"] else "",
                f"{count['empty']} without area are left out, first {self._first_empty}" if count["empty"] else ""]
        if any(said):
            print(f"{self.where}: of {count['all']} boxes {', '.join(filter(None, said))}", file=sys.stderr)
