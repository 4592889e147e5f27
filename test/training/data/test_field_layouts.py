"""Published layouts, each on a tiny tree written here as its set is laid out."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_kd_ros.config import ContrastConfig
from training.data.augment import AugmentConfig
from training.data.coco import DataError
from training.data.field_layouts import FlirAligned, HitUav, Kaist, Llvip, M3fd, Msrs
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
    "m3fd": (m3fd, lambda r: M3fd(r, "train", CLASSES), [[5, 6, 15, 30], [1, 1, 4, 4], [20, 10, 58, 39]],
             [0, -1, 3]),
    "msrs": (msrs, lambda r: Msrs(r, "train", CLASSES), [[24, 10, 36, 30], [12, 6, 18, 14]], [2, 0]),
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
             "msrs": [True, False, True, False, False]}
    assert sample.labelled.tolist() == known[name]


@pytest.mark.parametrize("name", PAIRED)
def test_missing_halves_sizes_and_classes_are_named(name: str, tmp_path: Path) -> None:
    build, open_set, _, _ = PAIRED[name]
    build(tmp_path)
    visible = next(p for p in tmp_path.rglob("*") if p.is_file() and ("vi" in p.parent.name.lower()
                   or "visible" in str(p) or "RGB" in p.name))
    image(visible, width=61, colour=True)
    with pytest.raises(DataError, match="61 x 40 pixels, its thermal half .* is 60 x 40: register and crop"):
        open_set(tmp_path)
    visible.unlink()
    with pytest.raises(DataError, match="visible partner|1 of 1 images are not there"):
        open_set(tmp_path)


def test_a_set_without_the_models_classes_is_refused(tmp_path: Path) -> None:
    llvip(tmp_path)
    with pytest.raises(DataError, match="none of the model's classes"):
        Llvip(tmp_path, "train", ("boat",))


def test_a_class_that_the_model_lacks_is_ignored_and_background_where_it_is_said(tmp_path: Path) -> None:
    flir(tmp_path)
    assert FlirAligned(tmp_path, "train", ("person",))[0].labels.tolist() == [0, -1]
    alone = FlirAligned(tmp_path, "train", ("person",), background=("car",))[0]
    assert alone.labels.tolist() == [0] and alone.boxes.tolist() == [[5, 6, 15, 30]]
    m3fd(tmp_path)
    assert M3fd(tmp_path, "train", ("person", "car"))[0].labels.tolist() == [0, -1, -1]
    # By the class or by the set's own name for it.
    for name in ("lamp", "Lamp"):
        assert M3fd(tmp_path, "train", ("person", "car"), background=(name,))[0].labels.tolist() == [0, -1]
    assert FlirAligned(tmp_path, "train", ("person", "cat"), absent=("cat",)).labelled.tolist() == [True, True]
    assert FlirAligned(tmp_path, "train", ("person", "cat")).labelled.tolist() == [True, False]


def test_without_a_model_the_sets_own_classes_count(tmp_path: Path) -> None:
    m3fd(tmp_path)
    data = M3fd(tmp_path, "train")
    assert data.classes == ("person", "car", "other_vehicle", "bicycle", "lamp") and data.labelled.all()
    assert [data.classes[label] for label in data.boxes(0)[1]] == ["person", "lamp", "other_vehicle"]


def test_a_spelling_that_the_set_does_not_have_is_refused(tmp_path: Path) -> None:
    llvip(tmp_path)
    text(tmp_path / "Annotations/010001.xml", voc(("person", 5, 6, 15, 30), ("Person", 20, 6, 30, 30)))
    with pytest.raises(DataError, match=r"010001.xml: object 2 has the label 'Person'; this set's are person:"):
        Llvip(tmp_path, "train", CLASSES)
    assert len(Llvip(tmp_path, "train", CLASSES, background=("Person",))[0].boxes) == 1
    kaist(tmp_path)
    text(tmp_path / "annotations/set00/V000/I00019.txt", "% bbGt version=3\nPerson 5 6 10 24 0 0 0 0 0 0 0\n")
    with pytest.raises(DataError, match="I00019.txt: line 2 has the label 'Person'"):
        Kaist(tmp_path, "train", CLASSES)


@pytest.mark.parametrize("label", ["people", "person?", "person?a", "unpaired"])
def test_what_kaist_is_not_sure_of_is_ignored(tmp_path: Path, label: str) -> None:
    kaist(tmp_path)
    text(tmp_path / "annotations/set00/V000/I00019.txt", f"{label} 5 6 10 24 0 0 0 0 0 0 0\n")
    sample = Kaist(tmp_path, "train", CLASSES)[0]
    assert sample.boxes.tolist() == [[5, 6, 15, 30]] and sample.labels.tolist() == [-1]


def test_odd_boxes_are_mended_and_counted_when_the_set_is_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                                                 ) -> None:
    llvip(tmp_path)
    objects = [(5, 6, 15, 30), (-3, 5, 8, 99), (9, 5, 10, 30), (5, 5, 5, 9), (30, 9, 20, 20), (70, 5, 80, 9)]
    text(tmp_path / "Annotations/010001.xml", voc(*(("person", *box) for box in objects)))
    data = Llvip(tmp_path, "train", CLASSES)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "of 6 boxes 1 reach over the border and are clipped, 1 are a pixel thin" in said
    assert "3 without area are left out, first object 4 of 010001.xml, 5 5 5 9 (x1 y1 x2 y2) in 60 x 40 pixels" in said
    sample = data[0]
    assert sample.boxes.tolist() == [[5, 6, 15, 30], [0, 5, 8, 40], [9, 5, 10, 30]]
    assert sample.labels.tolist() == [0, 0, -1]
    assert not capsys.readouterr().err, "said once, not for every image"


@pytest.mark.parametrize("name", [name for name in PAIRED if name != "msrs"])
def test_a_box_of_no_numbers_is_told_when_the_set_is_opened(name: str, tmp_path: Path) -> None:
    build, open_set, _, _ = PAIRED[name]
    build(tmp_path)
    labels = next(path for path in tmp_path.rglob("*") if path.suffix == ".xml" or path.parent.name == "V000"
                  and path.suffix == ".txt")
    labels.write_text(labels.read_text().replace("<xmin>5<", "<xmin>nan<").replace("person 5 ", "person nan "))
    with pytest.raises(DataError, match=f"{labels.name}: (object 1|line 2) has the box .*nan.*not four finite numbers"):
        open_set(tmp_path)


def test_a_set_whose_boxes_mean_something_else_is_refused(tmp_path: Path) -> None:
    llvip(tmp_path)
    # Corner, width and height where two corners belong.
    text(tmp_path / "Annotations/010001.xml", voc(*[("person", 20 + i, 20, 8, 9) for i in range(12)]))
    with pytest.raises(DataError, match="12 of 12 boxes have no area inside their images, first object 1 of 010001"):
        Llvip(tmp_path, "train", CLASSES)


@pytest.mark.parametrize(("name", "folder"), [("llvip", "visible/train"), ("msrs", "detection/vi")])
def test_visible_files_that_lost_their_thermal_half_are_named(name: str, folder: str, tmp_path: Path) -> None:
    build, open_set, _, _ = PAIRED[name]
    build(tmp_path)
    image(tmp_path / folder / "orphan.png", colour=True)
    with pytest.raises(DataError, match=f"1 of 2 visible images in .*{folder} have no thermal partner: orphan.png"):
        open_set(tmp_path)


def test_two_visible_halves_of_one_name_are_told(tmp_path: Path) -> None:
    llvip(tmp_path)
    image(tmp_path / "visible/train/010001.png", colour=True)
    with pytest.raises(DataError, match="both 010001.jpg and 010001.png"):
        Llvip(tmp_path, "train", CLASSES)


def test_a_pair_that_is_listed_twice_is_told(tmp_path: Path) -> None:
    flir(tmp_path)
    text(tmp_path / "align_train.txt", "FLIR_00001_PreviewData\nFLIR_00001_PreviewData\n")
    with pytest.raises(DataError, match="lists FLIR_00001_PreviewData.jpeg twice"):
        FlirAligned(tmp_path, "train", CLASSES)


@pytest.mark.parametrize("name", PAIRED)
def test_no_pixel_is_decoded_before_it_is_wanted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build, open_set, boxes, labels = PAIRED[name]
    build(tmp_path)
    monkeypatch.setattr(cv2, "imread", lambda *_: pytest.fail("an image was decoded"))
    np.testing.assert_allclose(open_set(tmp_path).boxes(0)[0], boxes, atol=1e-4)
    assert open_set(tmp_path).boxes(0)[1].tolist() == labels


def test_msrs_has_one_split(tmp_path: Path) -> None:
    msrs(tmp_path)
    with pytest.raises(DataError, match="no split 'val': all of it is train"):
        Msrs(tmp_path, "val", CLASSES)


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
    assert HitUav(tmp_path, "val", ("car",)).boxes(0)[1].tolist() == [0, -1]
    assert HitUav(tmp_path, "val", ("car",), background=("DontCare",)).boxes(0)[1].tolist() == [0]
    image(folder / "val/0_60_30_0_00001.jpg", width=50)
    with pytest.raises(DataError, match="labels are for 60 x 40"):
        HitUav(tmp_path, "val", CLASSES)
    (folder / "val/0_60_30_0_00001.jpg").unlink()
    with pytest.raises(DataError, match="1 of 1 images are not there: 0_60_30_0_00001.jpg"):
        HitUav(tmp_path, "val", CLASSES)


@pytest.mark.parametrize(("change", "said"), [
    (lambda c: c["annotation"][0].update(category_id=99), "annotation 1 has a 'category_id' that is not listed .99."),
    (lambda c: c["annotation"][0].update(image_id=99), "annotation 1 has a 'image_id' that is not listed .99."),
    (lambda c: c["annotation"][0].update(bbox=[1, 2, 3]), "annotation 1 has the 'bbox'"),
    (lambda c: c["images"][0].pop("filename"), "image 7 has no 'filename'"),
    (lambda c: c["categories"][0].pop("name"), "category 1 has no 'name'"),
    (lambda c: c["images"].append({**c["images"][0], "filename": "b.jpg"}), "image 7 is listed twice, as a.jpg and as"),
    (lambda c: c["categories"][0].update(name="Persons"), "annotation 1 has the label 'Persons'; this set's are"),
    (lambda c: c.pop("annotation"), "is not HIT-UAV's json")])
def test_entries_of_hit_uav_that_lack_something_are_told(tmp_path: Path, change: Callable[[dict], object], said: str
                                                         ) -> None:
    content = {"images": [{"filename": "a.jpg", "width": 60, "height": 40, "id": 7}],
               "categories": [{"id": 1, "name": "Person"}],
               "annotation": [{"image_id": 7, "category_id": 1, "bbox": [5, 6, 10, 20], "id": 1}]}
    change(content)
    image(tmp_path / "normal_json" / "val" / "a.jpg")
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
    opened = part.opened(tmp_path, "train", CLASSES)
    np.testing.assert_allclose(opened.boxes(0)[0], boxes, atol=1e-4)
