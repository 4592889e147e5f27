"""A run, and a comparison's, goes on only with what its data held when it began."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.data import digest  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.detector import ablate  # noqa: E402
from training.detector.experiment import DataPart, Experiment  # noqa: E402
from training.detector.train import build_source, identity, train  # noqa: E402

TINY = Experiment(name="tiny", architecture="face", classes=("person",), parts=(DataPart("coco", "set"),),
                  train_size=(64, 64), input_size=(64, 96), epochs=1, batch=4, warmup_steps=2, mosaic_off=1)
CPU = torch.device("cpu")


def of(kind, options=None, classes=("person", "face")):
    return dataclasses.replace(TINY, parts=(DataPart(kind, "set", options=options or {}),), classes=classes)


@pytest.fixture(autouse=True)
def read_anew(monkeypatch):
    """Layouts are read whenever their digest is asked for, as by one process after the other."""
    monkeypatch.setattr("training.detector.train.of_layout", digest.of_layout.__wrapped__)


def moved_box(data):
    """One box of ``data`` a pixel further right."""
    path = data / "set" / "train.json"
    content = json.loads(path.read_text())
    content["annotations"][3]["bbox"][0] += 1
    path.write_text(json.dumps(content))


def test_a_run_on_changed_labels_is_refused(tmp_path, data):
    train(TINY, tmp_path / "run", data, CPU, 0)
    train(TINY, tmp_path / "run", data, CPU, 0)
    moved_box(data)
    with pytest.raises(DataError, match="state.pt belongs to another experiment, to one on other data"):
        train(TINY, tmp_path / "run", data, CPU, 0)


def test_a_comparisons_scores_on_changed_labels_are_refused(tmp_path, data, monkeypatch):
    monkeypatch.setattr(ablate, "train", lambda _, folder, *rest: folder.mkdir(parents=True))
    monkeypatch.setattr(ablate, "evaluate_network", lambda *_: {"map50": 0.5, "duplicate_rate": 0.1})
    comparison = ablate.Comparison(ablate.Grid("tiny", TINY, {"base": {}}), tmp_path / "runs", data, CPU)
    assert comparison.row("base", 0).scores["map50"] == 0.5
    assert [entry.seed for entry in comparison.finished()] == [0]
    moved_box(data)
    with pytest.raises(DataError, match="on other data"):
        comparison.finished()


def test_data_that_is_gone_is_told(tmp_path, data):
    with pytest.raises(DataError, match="train.json is missing: a COCO data set has"):
        train(dataclasses.replace(TINY, parts=(DataPart("coco", "gone"),)), tmp_path / "run", data, CPU, 0)
    with pytest.raises(DataError, match="gone/train.json cannot be read: No such file"):
        identity(dataclasses.replace(TINY, parts=(DataPart("coco", "gone"),)), data)
    with pytest.raises(DataError, match="set/val.json cannot be read: No such file"):
        identity(of("coco", {"split": "val"}), data)
    with pytest.raises(DataError, match="unknown kind of data 'voc'"):
        identity(of("voc"), data)
    with pytest.raises(DataError, match="heads.npz is missing"):
        identity(of("rendered_faces", {"cache": "heads.npz", "length": 8}), data)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))


def llvip(root: Path, box: int, stem: str = "1") -> None:
    """LLVIP with a picture ``stem`` and a box that begins at the column ``box``."""
    for folder in ("infrared/train", "visible/train"):
        picture(root / folder / f"{stem}.jpg")
    (root / "Annotations").mkdir(exist_ok=True)
    (root / "Annotations" / f"{stem}.xml").write_text(
        f"<a><object><name>person</name><bndbox><xmin>{box}</xmin><ymin>1</ymin><xmax>30</xmax><ymax>9</ymax></bndbox>"
        "</object></a>")


def test_a_layouts_identity_is_of_its_files_and_labels(tmp_path):
    experiment, root = of("llvip"), tmp_path / "set"
    llvip(root, 4)
    seen = [identity(experiment, tmp_path)]
    assert identity(experiment, tmp_path / ".." / tmp_path.name) == seen[0]
    opened = build_source(experiment.parts[0], experiment.classes, tmp_path)
    assert identity(experiment, tmp_path, [opened]) == seen[0]
    llvip(root, 5)
    seen.append(identity(experiment, tmp_path))
    llvip(root, 5, "2")
    seen.append(identity(experiment, tmp_path))
    assert len(set(seen)) == 3
    # Of other pictures with the same labels.
    for path in list(root.rglob("2.*")):
        path.rename(path.with_stem("3"))
    assert identity(experiment, tmp_path) not in seen


def test_hit_uavs_identity_is_of_the_split_that_is_learnt(tmp_path):
    folder = tmp_path / "set" / "normal_json" / "annotations"
    folder.mkdir(parents=True)

    def write(split, column):
        (folder / f"{split}.json").write_text(json.dumps({
            "images": [{"id": 1, "filename": "1.jpg", "width": 64, "height": 64}],
            "categories": [{"id": 0, "name": "Person"}],
            "annotation": [{"bbox": [column, 2, 8, 8], "category_id": 0, "image_id": 1}]}))

    write("train", 2)
    write("val", 2)
    experiment = of("hit_uav")
    before = identity(experiment, tmp_path)
    write("val", 3)
    assert identity(experiment, tmp_path) == before
    assert identity(of("hit_uav", {"split": "val"}), tmp_path) != before
    write("train", 3)
    assert identity(experiment, tmp_path) != before


def test_rendered_faces_identity_is_of_the_heads_and_backgrounds(tmp_path):
    experiment = of("rendered_faces", {"cache": "a.npz:b.npz", "length": 8})

    def write(name, value):
        np.savez_compressed(tmp_path / name, patches=np.full(9, value, np.uint16), points=np.zeros(3))

    write("a.npz", 1)
    write("b.npz", 2)
    first = identity(experiment, tmp_path)
    write("a.npz", 1)  # the same heads, written again
    assert identity(experiment, tmp_path) == first
    write("b.npz", 3)
    second = identity(experiment, tmp_path)
    picture(tmp_path / "hit_uav" / "train" / "0.jpg")
    assert len({first, second, identity(experiment, tmp_path)}) == 3
    (tmp_path / "a.npz").write_bytes(b"junk")
    with pytest.raises(DataError, match="a.npz cannot be read: File is not a zip file"):
        identity(experiment, tmp_path)
