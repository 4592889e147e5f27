"""Published layouts, each on a tiny tree written here as its set is laid out."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_kd_ros.config import ContrastConfig
from training.data.augment import AugmentConfig
from training.data.coco import DataError
from training.data.field_layouts import FlirAligned, HitUav, Kaist, Llvip, M3fd, Msrs, checked_boxes
from training.data.mixture import Mixture, Part
from training.detector.experiment import DataPart
from training.detector.train import build_source

CLASSES = ("person", "bicycle", "car", "other_vehicle", "dog")


def image(path: Path, width: int = 60, height: int = 40, colour: bool = False, value: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if colour else (height, width)
    pixels = np.full(shape, value, np.uint8)
    if colour:
        pixels[..., 2] = 250  # red in OpenCV's order
    assert cv2.imwrite(str(path), pixels)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def voc(*objects: tuple[str, int, int, int, int]) -> str:
    rows = "".join(f"<object><name>{n}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
                   "</bndbox></object>" for n, a, b, c, d in objects)
    return f"<annotation>{rows}</annotation>"


def flir(root: Path) -> None:
    image(root / "JPEGImages/FLIR_00001_PreviewData.jpeg")
    image(root / "JPEGImages/FLIR_00001_RGB.jpg", colour=True)
    text(root / "Annotations/FLIR_00001_PreviewData.xml", voc(("person", 5, 6, 15, 30), ("car", 20, 10, 58, 39)))
    text(root / "align_train.txt", "FLIR_00001_PreviewData\n")


def llvip(root: Path) -> None:
    image(root / "infrared/train/010001.jpg")
    image(root / "visible/train/010001.jpg", colour=True)
    text(root / "Annotations/010001.xml", voc(("person", 5, 6, 15, 30)))


def kaist(root: Path) -> None:
    image(root / "images/set00/V000/lwir/I00019.jpg")
    image(root / "images/set00/V000/visible/I00019.jpg", colour=True)
    text(root / "annotations/set00/V000/I00019.txt",
         "% bbGt version=3\nperson 5 6 10 24 0 0 0 0 0 0 0\npeople 20 10 30 20 0 0 0 0 0 0 0\n")
    text(root / "imageSets/train.txt", "set00/V000/I00019\n")


def m3fd(root: Path) -> None:
    image(root / "Ir/00000.png")
    image(root / "Vis/00000.png", colour=True)
    text(root / "Annotation/00000.xml", voc(("People", 5, 6, 15, 30), ("Lamp", 1, 1, 4, 4), ("Bus", 20, 10, 58, 39)))
    text(root / "meta/train.txt", "00000\n")


def msrs(root: Path) -> None:
    image(root / "detection/ir/1.png")
    image(root / "detection/vi/1.png", colour=True)
    text(root / "detection/labels/1.txt", "2 0.5 0.5 0.2 0.5\n0 0.25 0.25 0.1 0.2\n")


PAIRED: dict[str, tuple[Callable[[Path], None], Callable[[Path], object], list[list[float]], list[int]]] = {
    "flir": (flir, lambda r: FlirAligned(r, "train", CLASSES), [[5, 6, 15, 30], [20, 10, 58, 39]], [0, 2]),
    "llvip": (llvip, lambda r: Llvip(r, "train", CLASSES), [[5, 6, 15, 30]], [0]),
    "kaist": (kaist, lambda r: Kaist(r, "train", CLASSES), [[5, 6, 15, 30], [20, 10, 50, 30]], [0, -1]),
    "m3fd": (m3fd, lambda r: M3fd(r, "train", CLASSES), [[5, 6, 15, 30], [20, 10, 58, 39]], [0, 3]),
    "msrs": (msrs, lambda r: Msrs(r, CLASSES), [[24, 10, 36, 30], [12, 6, 18, 14]], [2, 0]),
}


@pytest.mark.parametrize("name", PAIRED)
def test_a_pair_of_every_layout(name: str, tmp_path: Path) -> None:
    build, open_set, boxes, labels = PAIRED[name]
    build(tmp_path)
    data = open_set(tmp_path)
    assert len(data) == 1
    sample = data[0]
    assert sample.thermal.shape == (40, 60) and sample.visible.shape == (40, 60, 3)
    assert sample.visible[..., 0].mean() > 240 > sample.visible[..., 2].mean(), "red comes first"
    np.testing.assert_allclose(sample.boxes, boxes, atol=1e-4)
    assert sample.labels.tolist() == labels
    known = {"llvip": [True, False, False, False, False], "kaist": [True, False, False, False, False],
             "flir": [True, True, True, False, True], "m3fd": [True, True, True, True, False],
             "msrs": [True, True, True, False, False]}
    assert sample.labelled.tolist() == known[name]


@pytest.mark.parametrize("name", PAIRED)
def test_missing_halves_sizes_and_classes_are_named(name: str, tmp_path: Path) -> None:
    build, open_set, _, _ = PAIRED[name]
    build(tmp_path)
    visible = next(p for p in tmp_path.rglob("*") if p.is_file() and ("vi" in p.parent.name.lower()
                   or "visible" in str(p) or "RGB" in p.name))
    image(visible, width=61, colour=True)
    with pytest.raises(DataError, match="register and crop"):
        open_set(tmp_path)[0]
    visible.unlink()
    with pytest.raises(DataError, match="visible partner|lack a half"):
        open_set(tmp_path)


def test_a_set_without_the_models_classes_is_refused(tmp_path: Path) -> None:
    llvip(tmp_path)
    with pytest.raises(DataError, match="none of the model's classes"):
        Llvip(tmp_path, "train", ("boat",))


@pytest.mark.parametrize(("box", "message"), [
    ((5, 5, 5, 9), "no area"), ((5, 9, 8, 9), "no area"), ((8, 5, 5, 9), "no area"), ((70, 5, 80, 9), "outside"),
    ((5, -9, 8, -1), "outside")])
def test_impossible_boxes_are_refused(box: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_boxes([(box, 0)], 60, 40, Path("x.png"))


def test_boxes_over_the_border_are_clipped() -> None:
    boxes, labels = checked_boxes([((-3, 5, 8, 99), 2)], 60, 40, Path("x.png"))
    assert boxes.tolist() == [[0, 5, 8, 40]] and labels.tolist() == [2]


def test_lists_and_labels_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    flir(tmp_path)
    with pytest.raises(DataError, match="align_validation.txt"):
        FlirAligned(tmp_path, "validation", CLASSES)
    text(tmp_path / "Annotations/FLIR_00001_PreviewData.xml", "<annotation><object>")
    with pytest.raises(DataError, match="Pascal VOC"):
        FlirAligned(tmp_path, "train", CLASSES)
    kaist(tmp_path)
    text(tmp_path / "annotations/set00/V000/I00019.txt", "person 5 six 7 8\n")
    with pytest.raises(DataError, match="five|four numbers"):
        Kaist(tmp_path, "train", CLASSES)


def test_hit_uav_as_published(tmp_path: Path) -> None:
    folder = tmp_path / "normal_json"
    image(folder / "val/0_60_30_0_00001.jpg")
    content = {"images": [{"filename": "0_60_30_0_00001.jpg", "width": 60, "height": 40, "id": 7}],
               "categories": [{"id": i, "name": n} for i, n in enumerate(HitUav.names)],
               "annotation": [{"image_id": 7, "category_id": 1, "bbox": [5, 6, 10, 20], "id": 1},
                              {"image_id": 7, "category_id": 4, "bbox": [30, 6, 10, 20], "id": 2}]}
    text(folder / "annotations/val.json", json.dumps(content))
    sample = HitUav(tmp_path, "val", CLASSES)[0]
    assert sample.boxes.tolist() == [[5, 6, 15, 26], [30, 6, 40, 26]] and sample.labels.tolist() == [2, -1]
    assert sample.labelled.tolist() == [True, True, True, True, False]
    image(folder / "val/0_60_30_0_00001.jpg", width=50)
    with pytest.raises(DataError, match="labels are for 60 x 40"):
        HitUav(tmp_path, "val", CLASSES)[0]


@pytest.mark.parametrize(("change", "said"), [
    (lambda c: c["annotation"][0].update(category_id=99), "annotation 1 has a 'category_id' that is not listed .99."),
    (lambda c: c["annotation"][0].update(image_id=99), "annotation 1 has a 'image_id' that is not listed .99."),
    (lambda c: c["annotation"][0].update(bbox=[1, 2, 3]), "annotation 1 has the 'bbox'"),
    (lambda c: c["images"][0].pop("filename"), "image 7 has no 'filename'"),
    (lambda c: c["categories"][0].pop("name"), "category 1 has no 'name'"),
    (lambda c: c.pop("annotation"), "is not HIT-UAV's json")])
def test_entries_of_hit_uav_that_lack_something_are_told(tmp_path: Path, change: Callable[[dict], object], said: str
                                                         ) -> None:
    content = {"images": [{"filename": "a.jpg", "width": 60, "height": 40, "id": 7}],
               "categories": [{"id": 1, "name": "Person"}],
               "annotation": [{"image_id": 7, "category_id": 1, "bbox": [5, 6, 10, 20], "id": 1}]}
    change(content)
    text(tmp_path / "normal_json" / "annotations" / "val.json", json.dumps(content))
    with pytest.raises(DataError, match=f"val.json.*{said}"):
        HitUav(tmp_path, "val", CLASSES)


@pytest.mark.parametrize("name", PAIRED)
def test_an_experiment_trains_on_a_layout_by_its_name(name: str, tmp_path: Path) -> None:
    build, _, boxes, labels = PAIRED[name]
    build(tmp_path / "set")
    part = DataPart({"flir": "flir_aligned"}.get(name, name), "set")
    source = build_source(part, CLASSES, tmp_path)
    np.testing.assert_allclose(source[0].boxes, boxes, atol=1e-4)
    still = AugmentConfig(scale=(1.0, 1.0), mosaic=0.0, rotate_deg=0.0, flip=0.0, fill=1.0)
    mixed = Mixture([Part(source, 1.0, still)], (40, 60), 0, ContrastConfig(method="percentile"))
    assert mixed[0][0].shape == (1, 40, 60) and sorted(mixed[0][2]) == sorted(labels)
    with pytest.raises(DataError, match="coco sets"):
        build_source(dataclasses.replace(part, absent=("dog",)), CLASSES, tmp_path)
