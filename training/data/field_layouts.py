"""Data sets of the field as they are published: FLIR-aligned, LLVIP, KAIST, M3FD, MSRS (pairs) and HIT-UAV (thermal).

Each class reads one layout and maps its label names onto the model's classes, as a COCO set's are: a name without a
class of the model is an ignore region unless it is listed as background, and so are the sets' own "not sure" marks.

All files, labels and boxes are looked at when a set is opened, and no pixels: unpaired files, halves of different size,
labels that the set does not use, and sets that share no class with the model are refused. What becomes of odd boxes is
said in coco.py's BoxReader.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from training.data.coco import (
    BoxReader,
    DataError,
    Labelled,
    Sample,
    check_once,
    fields,
    listed,
    read_raster,
    sizes_on_disk,
)
from training.data.pairs import PairedSample, check_halves, match_stems

IGNORE = "ignore"
"""What is neither a target nor background."""


class Row(NamedTuple):
    """A label as its set spells it."""

    name: str
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels; MSRS: in parts of the image."""
    place: str
    """Where it stands in its file."""


@dataclass(frozen=True)
class Entry:
    """One labelled pair on disk."""

    thermal: Path
    visible: Path
    labels: Path
    rows: tuple[Row, ...]


class Naming:
    """How a set's label names become a model's classes.

    names: every name that the set uses, to the class it stands for or IGNORE. absent, background: as of a COCO set;
    background may name a class or what the set calls it. Without ``classes`` the set's own are the model's.
    """

    def __init__(self, where: Path, names: dict[str, str], classes: tuple[str, ...] | None, absent: tuple[str, ...],
                 background: tuple[str, ...]) -> None:
        known = tuple(name for name in dict.fromkeys(names.values()) if name != IGNORE)
        self.classes = known if classes is None else classes
        self.labelled = np.array([name in known or name in absent for name in self.classes], bool)
        if not self.labelled.any():
            raise DataError(f"{where}: the set labels {sorted(known)}, none of the model's classes "
                            f"{list(self.classes)}")
        self._names, self._background = names, background
        self._index = {name: i for i, name in enumerate(self.classes)}

    def labelled_rows(self, rows: Iterable[Row], file: Path) -> Iterator[Labelled]:
        """Rows with the numbers of their classes; raises DataError for a name that the set does not use."""
        for name, box, place in rows:
            if name in self._background or self._names.get(name) in self._background:
                continue
            if name not in self._names:
                raise DataError(f"{file}: {place} has the label '{name}'; this set's are {', '.join(self._names)}: "
                                "correct it, or name it as background")
            yield box, self._index.get(self._names[name], -1), place


class FieldPairs:
    """Labelled pairs; what the layouts below share.

    names: see Naming. labelled: the model's classes that the set labels; the others give no loss.
    """

    names: dict[str, str]

    def __init__(self, entries: Iterable[Entry], classes: tuple[str, ...] | None, where: Path,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        self.entries, self.name = list(entries), where.name
        if not self.entries:
            raise DataError(f"{where} lists no image")
        naming = Naming(where, self.names, classes, absent, background)
        self.classes, self.labelled = naming.classes, naming.labelled
        thermal = [entry.thermal for entry in self.entries]
        if len(set(thermal)) < len(thermal):
            (twice, _), *_ = Counter(thermal).most_common(1)
            raise DataError(f"{where} lists {twice.name} twice: leave one out")
        sizes = check_halves(thermal, [entry.visible for entry in self.entries])
        reader = BoxReader(where)
        self._boxes = [
            reader.read([*naming.labelled_rows(self._in_pixels(entry.rows, *size), entry.labels)], *size, entry.labels)
            for entry, size in zip(self.entries, sizes, strict=True)]
        reader.report()

    def __len__(self) -> int:
        return len(self.entries)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of pair ``i``, without reading its pixels."""
        return self._boxes[i]

    def where(self, i: int) -> str:
        """The visible file of pair ``i``."""
        return str(self.entries[i].visible)

    def __getitem__(self, i: int) -> PairedSample:
        entry = self.entries[i]
        thermal = read_raster(entry.thermal, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        visible = read_raster(entry.visible, cv2.IMREAD_COLOR)
        return PairedSample(thermal, cv2.cvtColor(visible, cv2.COLOR_BGR2RGB), *self._boxes[i],
                            self.labelled).check(str(entry.thermal))

    def _in_pixels(self, rows: tuple[Row, ...], width: int, height: int) -> Iterable[Row]:
        return rows


class FlirAligned(FieldPairs):
    """FLIR-aligned (Zhang et al., ICIP 2020): JPEGImages/<stem>_PreviewData.jpeg and <stem>_RGB.jpg,
    Annotations/<stem>_PreviewData.xml, align_train.txt and align_validation.txt (or in ImageSets/Main/).
    """

    names = {"person": "person", "car": "car", "bicycle": "bicycle", "dog": "dog"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` is train or validation."""
        lists = [root / f"align_{split}.txt", root / "ImageSets" / "Main" / f"align_{split}.txt"]
        stems = [name.removesuffix("_PreviewData") for name in _lines(*lists)]
        images = root / "JPEGImages"
        labels = root / "Annotations"
        super().__init__((_entry(images / f"{stem}_PreviewData.jpeg", images / f"{stem}_RGB.jpg",
                                 labels / f"{stem}_PreviewData.xml", _voc) for stem in stems),
                         classes, root, absent, background)


class Llvip(FieldPairs):
    """LLVIP (Jia et al., ICCVW 2021): infrared/<split>/, visible/<split>/, Annotations/<stem>.xml, people only."""

    names = {"person": "person"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` is train or test."""
        thermal = _images(root / "infrared" / split)
        visible = match_stems([path.name for path in thermal], root / "visible" / split, whole=True)
        super().__init__((_entry(a, b, root / "Annotations" / f"{a.stem}.xml", _voc)
                          for a, b in zip(thermal, visible, strict=True)), classes, root, absent, background)


class Kaist(FieldPairs):
    """KAIST (Hwang et al., CVPR 2015): images/<set>/<video>/lwir/ and visible/, annotations/<set>/<video>/<frame>.txt
    in bbGt text, imageSets/<split>.txt with a <set>/<video>/<frame> per line. ``person?a`` stands in the sanitised
    labels (Li et al., BMVC 2018), ``unpaired`` in the paired ones (Zhang et al., ICCV 2019).
    """

    names = {"person": "person", "cyclist": "person", "people": IGNORE, "person?": IGNORE, "person?a": IGNORE,
             "unpaired": IGNORE}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` names a file of imageSets, such as train-all-20."""
        entries = []
        for line in _lines(root / "imageSets" / f"{split}.txt"):
            folder, _, frame = line.rpartition("/")
            images = root / "images" / folder
            entries.append(_entry(images / "lwir" / f"{frame}.jpg", images / "visible" / f"{frame}.jpg",
                                  root / "annotations" / folder / f"{frame}.txt", _bbgt))
        super().__init__(entries, classes, root, absent, background)


class M3fd(FieldPairs):
    """M3FD (Liu et al., CVPR 2022): Ir/, Vis/, Annotation/<stem>.xml, meta/<split>.txt with a stem per line."""

    names = {"People": "person", "Car": "car", "Bus": "other_vehicle", "Truck": "other_vehicle",
             "Motorcycle": "bicycle", "Lamp": "lamp"}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` names a file of meta/, which the set leaves to its users."""
        stems = [Path(line).stem for line in _lines(root / "meta" / f"{split}.txt")]
        super().__init__((_entry(root / "Ir" / f"{stem}.png", root / "Vis" / f"{stem}.png",
                                 root / "Annotation" / f"{stem}.xml", _voc) for stem in stems),
                         classes, root, absent, background)


class Msrs(FieldPairs):
    """MSRS's labelled part (Tang et al., Information Fusion 2022): detection/ir/, vi/ and labels/<stem>.txt, lines of
    class, centre and size in parts of the image. The classes are numbered as COCO's, but bicycles, the second, are
    nowhere labelled.
    """

    names = {"0": "person", "2": "car"}

    def __init__(self, root: Path, split: str = "train", classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` can only be train, which is all: there are no others."""
        if split != "train":
            raise DataError(f"{root}: MSRS's labelled part has no split '{split}': all of it is train")
        thermal = _images(root / "detection" / "ir")
        visible = match_stems([path.name for path in thermal], root / "detection" / "vi", whole=True)
        super().__init__((_entry(a, b, root / "detection" / "labels" / f"{a.stem}.txt", _yolo)
                          for a, b in zip(thermal, visible, strict=True)), classes, root, absent, background)

    def _in_pixels(self, rows: tuple[Row, ...], width: int, height: int) -> Iterable[Row]:
        for name, (x1, y1, x2, y2), place in rows:
            yield Row(name, (x1 * width, y1 * height, x2 * width, y2 * height), place)


class HitUav:
    """HIT-UAV as published (Suo et al., Scientific Data 2023): normal_json/<split>/ and
    normal_json/annotations/<split>.json, nearly COCO: "filename" and "annotation" instead of COCO's keys.
    """

    names = {"Person": "person", "Car": "car", "Bicycle": "bicycle", "OtherVehicle": "other_vehicle",
             "DontCare": IGNORE}

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None,
                 absent: tuple[str, ...] = (), background: tuple[str, ...] = ()) -> None:
        """``split`` is train, val or test."""
        self.name = root.name
        path = root / "normal_json" / "annotations" / f"{split}.json"
        try:
            content = json.loads(path.read_bytes())
            rows = content["annotation"] if "annotation" in content else content["annotations"]
            images, categories = content["images"], content["categories"]
        except FileNotFoundError:
            raise DataError(f"{path} is missing: the root of HIT-UAV holds normal_json/annotations/") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not HIT-UAV's json: {error}") from None
        spelled = fields(path, "category", categories, "id", "name")
        listing = fields(path, "image", images, "id", "filename", "width", "height")
        check_once(path, "category", spelled)
        check_once(path, "image", listing)
        self._images = [root / "normal_json" / split / name for _, name, *_ in listing]
        order, named = {number: i for i, (number, *_) in enumerate(listing)}, dict(spelled)
        naming = Naming(path, self.names, classes, absent, background)
        self.classes, self.labelled = naming.classes, naming.labelled
        own: list[list[Row]] = [[] for _ in self._images]
        for row, ((x, y, w, h), *_) in zip(rows, fields(path, "annotation", rows, "bbox", "category_id", "image_id"),
                                           strict=True):
            name, place = listed(path, row, named, "category_id"), listed(path, row, order, "image_id")
            own[place].append(Row(name, (x, y, x + w, y + h), f"annotation {row.get('id')}"))
        for file, found, (_, _, width, height) in zip(self._images, sizes_on_disk(self._images), listing, strict=True):
            if found != (width, height):
                raise DataError(f"{file} is {found[0]} x {found[1]} pixels, its labels are for {width} x {height}")
        reader = BoxReader(path)
        self._boxes = [reader.read([*naming.labelled_rows(mine, path)], width, height)
                       for mine, (_, _, width, height) in zip(own, listing, strict=True)]
        reader.report()

    def __len__(self) -> int:
        return len(self._images)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of image ``i``, without reading its pixels."""
        return self._boxes[i]

    def __getitem__(self, i: int) -> Sample:
        values = read_raster(self._images[i], cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
        return Sample(values, *self._boxes[i], self.labelled)


class Layout(Protocol):
    """How a set is opened: see the classes above."""

    def __call__(self, root: Path, split: str, classes: tuple[str, ...] | None = None, absent: tuple[str, ...] = (),
                 background: tuple[str, ...] = ()) -> FieldPairs | HitUav:
        """The set in the folder ``root``; without ``classes`` its own are the model's."""


LAYOUTS: dict[str, Layout] = {
    "flir_aligned": FlirAligned, "llvip": Llvip, "kaist": Kaist, "m3fd": M3fd, "msrs": Msrs, "hit_uav": HitUav}
"""The layouts by the name that an experiment's DataPart gives."""
VALIDATION = {"flir_aligned": "validation", "llvip": "test", "kaist": "test-all-20", "msrs": ""}
"""What layouts call the split to measure on, where that is not ``val``; empty: there is none."""


def _entry(thermal: Path, visible: Path, labels: Path, read: Callable[[Path], tuple[Row, ...]]) -> Entry:
    return Entry(thermal, visible, labels, read(labels))


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing: it holds the thermal half of the pairs")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _lines(*paths: Path) -> list[str]:
    """The lines of the first of the files that exists."""
    path = next((path for path in paths if path.is_file()), paths[0])
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _voc(path: Path) -> tuple[Row, ...]:
    """Objects of a Pascal VOC file."""
    try:
        objects = ElementTree.fromstring(_text(path)).findall("object")
        return tuple(Row(thing.findtext("name", "").strip(), (
            float(thing.findtext("bndbox/xmin", "")), float(thing.findtext("bndbox/ymin", "")),
            float(thing.findtext("bndbox/xmax", "")), float(thing.findtext("bndbox/ymax", ""))), f"object {i}")
            for i, thing in enumerate(objects, 1))
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path} is not a Pascal VOC file: {error}") from None


def _bbgt(path: Path) -> tuple[Row, ...]:
    """Objects of a bbGt text: label x y w h and further numbers; comments start with %."""
    rows: list[Row] = []
    for i, line in enumerate(_text(path).splitlines(), 1):
        if line.strip() and not line.startswith("%"):
            try:
                name, *numbers = line.split()
                x, y, w, h = (float(value) for value in numbers[:4])
            except ValueError:
                raise DataError(f"{path}: '{line}' is not a label and four numbers") from None
            rows.append(Row(name, (x, y, x + w, y + h), f"line {i}"))
    return tuple(rows)


def _yolo(path: Path) -> tuple[Row, ...]:
    """Objects of a YOLO text, boxes still in parts of the image."""
    rows: list[Row] = []
    for i, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, *numbers = line.split()
            x, y, w, h = (float(value) for value in numbers)
        except ValueError:
            raise DataError(f"{path}: '{line}' is not a class and four numbers") from None
        rows.append(Row(name, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), f"line {i}"))
    return tuple(rows)
