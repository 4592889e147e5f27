"""Data sets of the field as they are published: FLIR-aligned, LLVIP, KAIST, M3FD, MSRS (pairs) and HIT-UAV (thermal).

Each class reads one layout and maps its label names onto the model's classes. Names without a class give no box; the
sets' own "not sure" marks become ignore regions. What no label could hold is refused: unpaired files, halves of
different size, boxes outside their image or without area, and sets that share no class with the model.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.data.coco import DataError, Sample, fields, listed, read_raster
from training.data.pairs import PairedSample, match_stems

Row = tuple[str, tuple[float, float, float, float]]
"""A label as the set spells it, and its box x1, y1, x2, y2."""
IGNORE = "ignore"


@dataclass(frozen=True)
class Entry:
    """One labelled pair on disk."""

    thermal: Path
    visible: Path
    rows: tuple[Row, ...]


class FieldPairs:
    """Labelled pairs; what the layouts below share.

    names: the set's label names to the model's class names or IGNORE. labelled: the model's classes that the set
    labels; the others give no loss.
    """

    names: dict[str, str]

    def __init__(self, entries: Iterable[Entry], classes: tuple[str, ...], where: Path) -> None:
        self.entries = list(entries)
        if not self.entries:
            raise DataError(f"{where} lists no image")
        self._index = {name: i for i, name in enumerate(classes)} | {IGNORE: -1}
        self.labelled = np.array([name in self.names.values() for name in classes])
        if not self.labelled.any():
            raise DataError(f"{where}: the set labels {sorted(set(self.names.values()) - {IGNORE})}, none of the "
                            f"model's classes {list(classes)}")
        lonely = [e for e in self.entries if not e.thermal.is_file() or not e.visible.is_file()]
        if lonely:
            missing = lonely[0].visible if lonely[0].thermal.is_file() else lonely[0].thermal
            raise DataError(f"{len(lonely)} of {len(self.entries)} pairs lack a half, first {missing}")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, i: int) -> PairedSample:
        entry = self.entries[i]
        thermal = read_raster(entry.thermal, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        visible = read_raster(entry.visible, cv2.IMREAD_COLOR)
        boxes, labels = self._boxes(entry, thermal.shape[1], thermal.shape[0])
        return PairedSample(thermal, cv2.cvtColor(visible, cv2.COLOR_BGR2RGB), boxes, labels,
                            self.labelled).check(str(entry.thermal))

    def _boxes(self, entry: Entry, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        kept = [(box, self._index[self.names[name]]) for name, box in entry.rows
                if self.names.get(name, "") in self._index]
        return checked_boxes(kept, width, height, entry.thermal)


def checked_boxes(rows: list[tuple[tuple[float, float, float, float], int]], width: int, height: int, where: Path
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) clipped to the image, and labels (N,).

    Raises DataError for a box without area and for one that has none left inside the image.
    """
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    limit = np.array([width, height, width, height], np.float32)
    clipped = np.clip(boxes, 0, limit)
    for box, cut in zip(boxes, clipped, strict=True):
        if not (box[2:] > box[:2]).all():
            raise DataError(f"{where}: box {box.tolist()} (x1, y1, x2, y2) has no area")
        if not (cut[2:] > cut[:2]).all():
            raise DataError(f"{where}: box {box.tolist()} lies outside the {width} x {height} image")
    return clipped, np.array([label for _, label in rows], np.int64)


class FlirAligned(FieldPairs):
    """FLIR-aligned (Zhang et al., ICIP 2020): JPEGImages/<stem>_PreviewData.jpeg and <stem>_RGB.jpg,
    Annotations/<stem>_PreviewData.xml, align_train.txt and align_validation.txt (or in ImageSets/Main/).
    """

    names = {"person": "person", "car": "car", "bicycle": "bicycle", "dog": "dog"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...]) -> None:
        """``split`` is train or validation."""
        lists = [root / f"align_{split}.txt", root / "ImageSets" / "Main" / f"align_{split}.txt"]
        stems = [name.removesuffix("_PreviewData") for name in _lines(*lists)]
        images = root / "JPEGImages"
        super().__init__((Entry(images / f"{stem}_PreviewData.jpeg", images / f"{stem}_RGB.jpg",
                                _voc(root / "Annotations" / f"{stem}_PreviewData.xml")) for stem in stems),
                         classes, root)


class Llvip(FieldPairs):
    """LLVIP (Jia et al., ICCVW 2021): infrared/<split>/, visible/<split>/, Annotations/<stem>.xml, people only."""

    names = {"person": "person"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...]) -> None:
        """``split`` is train or test."""
        thermal = _images(root / "infrared" / split)
        visible = match_stems([path.name for path in thermal], root / "visible" / split)
        super().__init__((Entry(a, b, _voc(root / "Annotations" / f"{a.stem}.xml"))
                          for a, b in zip(thermal, visible, strict=True)), classes, root)


class Kaist(FieldPairs):
    """KAIST (Hwang et al., CVPR 2015): images/<set>/<video>/lwir/ and visible/, annotations/<set>/<video>/<frame>.txt
    in bbGt text, imageSets/<split>.txt with a <set>/<video>/<frame> per line.
    """

    names = {"person": "person", "cyclist": "person", "people": IGNORE, "person?": IGNORE}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...]) -> None:
        """``split`` names a file of imageSets, such as train-all-20."""
        entries = []
        for line in _lines(root / "imageSets" / f"{split}.txt"):
            folder, _, frame = line.rpartition("/")
            images = root / "images" / folder
            entries.append(Entry(images / "lwir" / f"{frame}.jpg", images / "visible" / f"{frame}.jpg",
                                 _bbgt(root / "annotations" / folder / f"{frame}.txt")))
        super().__init__(entries, classes, root)


class M3fd(FieldPairs):
    """M3FD (Liu et al., CVPR 2022): Ir/, Vis/, Annotation/<stem>.xml, meta/<split>.txt with a stem per line."""

    names = {"People": "person", "Car": "car", "Bus": "other_vehicle", "Truck": "other_vehicle",
             "Motorcycle": "bicycle"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...]) -> None:
        """``split`` names a file of meta/, which the set leaves to its users."""
        stems = [Path(line).stem for line in _lines(root / "meta" / f"{split}.txt")]
        super().__init__((Entry(root / "Ir" / f"{stem}.png", root / "Vis" / f"{stem}.png",
                                _voc(root / "Annotation" / f"{stem}.xml")) for stem in stems), classes, root)


class Msrs(FieldPairs):
    """MSRS's labelled part (Tang et al., Information Fusion 2022): detection/ir/, vi/ and labels/<stem>.txt, lines of
    class, centre and size in parts of the image; the classes are the first three of COCO.
    """

    names = {"0": "person", "1": "bicycle", "2": "car"}

    def __init__(self, root: Path, classes: tuple[str, ...]) -> None:
        """There is no split."""
        thermal = _images(root / "detection" / "ir")
        visible = match_stems([path.name for path in thermal], root / "detection" / "vi")
        super().__init__((Entry(a, b, _yolo(root / "detection" / "labels" / f"{a.stem}.txt"))
                          for a, b in zip(thermal, visible, strict=True)), classes, root)

    def _boxes(self, entry: Entry, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        size = (width, height, width, height)
        rows = tuple((name, (box[0] * size[0], box[1] * size[1], box[2] * size[2], box[3] * size[3]))
                     for name, box in entry.rows)
        return super()._boxes(Entry(entry.thermal, entry.visible, rows), width, height)


class HitUav:
    """HIT-UAV as published (Suo et al., Scientific Data 2023): normal_json/<split>/ and
    normal_json/annotations/<split>.json, nearly COCO: "filename" and "annotation" instead of COCO's keys.
    """

    names = {"Person": "person", "Car": "car", "Bicycle": "bicycle", "OtherVehicle": "other_vehicle",
             "DontCare": IGNORE}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...]) -> None:
        path = root / "normal_json" / "annotations" / f"{split}.json"
        try:
            content = json.loads(path.read_text())
            rows = content["annotation"] if "annotation" in content else content["annotations"]
            images, categories = content["images"], content["categories"]
        except FileNotFoundError:
            raise DataError(f"{path} is missing: the root of HIT-UAV holds normal_json/annotations/") from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not HIT-UAV's json: {error}") from None
        named = dict(fields(path, "category", categories, "id", "name"))
        listing = fields(path, "image", images, "id", "filename", "width", "height")
        self._images = [(root / "normal_json" / split / name, width, height) for _, name, width, height in listing]
        order = {number: i for i, (number, *_) in enumerate(listing)}
        self.labelled = np.array([name in self.names.values() for name in classes])
        if not self.labelled.any():
            raise DataError(f"{path} labels none of the model's classes {list(classes)}")
        index = {name: i for i, name in enumerate(classes)} | {IGNORE: -1}
        self._rows: list[list[tuple[tuple[float, float, float, float], int]]] = [[] for _ in self._images]
        for row, ((x, y, w, h), *_) in zip(rows, fields(path, "annotation", rows, "bbox", "category_id", "image_id"),
                                           strict=True):
            label = self.names.get(listed(path, row, named, "category_id"), "")
            place = listed(path, row, order, "image_id")
            if label in index:
                self._rows[place].append(((x, y, x + w, y + h), index[label]))

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, i: int) -> Sample:
        path, width, height = self._images[i]
        values = read_raster(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        if values.shape != (height, width):
            raise DataError(f"{path} is {values.shape[1]} x {values.shape[0]} pixels, its labels are for "
                            f"{width} x {height}")
        return Sample(values, *checked_boxes(self._rows[i], width, height, path), self.labelled)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing: it holds the thermal half of the pairs")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


LAYOUTS: dict[str, Callable[[Path, str, tuple[str, ...]], FieldPairs | HitUav]] = {
    "flir_aligned": FlirAligned, "llvip": Llvip, "kaist": Kaist, "m3fd": M3fd,
    "msrs": lambda root, _split, classes: Msrs(root, classes), "hit_uav": HitUav,
}
"""The layouts by the name that an experiment's DataPart gives, made from root, split and the model's classes."""


def _lines(*paths: Path) -> list[str]:
    """The lines of the first of the files that exists."""
    path = next((path for path in paths if path.is_file()), paths[0])
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _voc(path: Path) -> tuple[Row, ...]:
    """Objects of a Pascal VOC file."""
    try:
        objects = ElementTree.fromstring(_text(path)).findall("object")
        return tuple((thing.findtext("name", ""), (
            float(thing.findtext("bndbox/xmin", "")), float(thing.findtext("bndbox/ymin", "")),
            float(thing.findtext("bndbox/xmax", "")), float(thing.findtext("bndbox/ymax", "")))) for thing in objects)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path} is not a Pascal VOC file: {error}") from None


def _bbgt(path: Path) -> tuple[Row, ...]:
    """Objects of a bbGt text: label x y w h and further numbers; comments start with %."""
    rows: list[Row] = []
    for line in _text(path).splitlines():
        if line.strip() and not line.startswith("%"):
            try:
                name, *numbers = line.split()
                x, y, w, h = (float(value) for value in numbers[:4])
            except ValueError:
                raise DataError(f"{path}: '{line}' is not a label and four numbers") from None
            rows.append((name, (x, y, x + w, y + h)))
    return tuple(rows)


def _yolo(path: Path) -> tuple[Row, ...]:
    """Objects of a YOLO text, boxes still in parts of the image."""
    rows: list[Row] = []
    for line in _lines(path) if _text(path) else []:
        try:
            name, *numbers = line.split()
            x, y, w, h = (float(value) for value in numbers)
        except ValueError:
            raise DataError(f"{path}: '{line}' is not a class and four numbers") from None
        rows.append((name, (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    return tuple(rows)
