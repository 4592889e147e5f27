"""Published layouts through the commands: opened by their kind, learnt from, measured and compared as coco sets are."""

import importlib.util
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pycocotools")

from thermal_kd_ros.models.checkpoint import read, read_card, write  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.head_cache import OFFSETS_SOURCE  # noqa: E402
from training.data.mixture import KINDS, open_source  # noqa: E402
from training.detector import ablate, evaluate  # noqa: E402
from training.detector import train as training  # noqa: E402
from training.detector.experiment import EXPERIMENTS, DataPart, Experiment, changed, load, parse_changes  # noqa: E402
from training.detector.teacher import MobileNetFeatures  # noqa: E402

_spec = importlib.util.spec_from_file_location("pairs", Path(__file__).parents[1] / "pairs.py")
pairs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pairs)

CLASSES = ("person", "car")
CPU = torch.device("cpu")
TINY = Experiment(name="tiny", architecture="face", classes=CLASSES, parts=(DataPart("flir_aligned", "flir"),),
                  train_size=(64, 64), input_size=(64, 64), epochs=1, batch=4, warmup_steps=1)


def as_flir(coco, root, split, called, shift=0):
    """The pairs of a coco set as FLIR-aligned has them; its own file endings on files without loss."""
    content = json.loads((coco / f"{split}.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    stems = []
    for entry in content["images"]:
        stem = f"FLIR_{called}{entry['id']}"
        stems.append(f"{stem}_PreviewData\n")
        (root / "JPEGImages" / f"{stem}_PreviewData.jpeg").write_bytes(
            (coco / split / entry["file_name"]).read_bytes())
        visible = cv2.imread(str(coco / f"{split}_visible" / entry["file_name"]))
        data = cv2.imencode(".png", np.roll(visible, shift, 1))[1].tobytes()
        (root / "JPEGImages" / f"{stem}_RGB.jpg").write_bytes(data)
        boxes = [(names[a["category_id"]], *a["bbox"]) for a in content["annotations"] if a["image_id"] == entry["id"]]
        objects = "".join(f"<object><name>{name}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
                          f"<ymax>{y + h}</ymax></bndbox></object>" for name, x, y, w, h in boxes)
        (root / "Annotations" / f"{stem}_PreviewData.xml").write_text(f"<annotation>{objects}</annotation>")
    (root / f"align_{called}.txt").write_text("".join(stems))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One and the same pairs as a coco set ``set`` and in FLIR-aligned's layout, ``flir``."""
    root = tmp_path_factory.mktemp("data")
    for split, called, classes in (("train", "train", CLASSES), ("val", "validation", CLASSES[::-1])):
        pairs.write_pairs(root / "set", split, classes=classes)
        as_flir(root / "set", root / "flir", split, called)
    return root


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    """A visible teacher, learnt from the layout."""
    experiment = changed(TINY, {"name": "teacher", "architecture": "teacher", "modality": "visible"})
    return training.train(experiment, tmp_path_factory.mktemp("teacher"), data, CPU, 0)


@pytest.fixture(scope="module")
def student(data, teacher, tmp_path_factory):
    """A student of that teacher, learnt from the layout."""
    experiment = changed(TINY, {"distill.teacher": str(teacher), "distill.lambda_cms": 1.0})
    return training.train(experiment, tmp_path_factory.mktemp("student"), data, CPU, 0)


@pytest.mark.parametrize("visible", [False, True])
def test_one_set_is_the_same_whatever_its_layout(data, visible):
    flir = open_source("flir_aligned", data / "flir", "validation", CLASSES, visible=visible)
    for kind in ("pairs",) if visible else ("coco", "pairs"):
        other = open_source(kind, data / "set", "val", CLASSES, visible=visible)
        assert len(flir) == len(other) == 8 and flir.classes == other.classes == CLASSES
        for i in range(8):
            for mine, its in zip(flir.boxes(i), other.boxes(i), strict=True):
                np.testing.assert_array_equal(mine, its)
            assert not visible or np.array_equal(flir[i].visible, other[i].visible)


def test_what_cannot_be_opened_is_told(data, tmp_path):
    with pytest.raises(DataError, match="unknown kind of data 'voc'; known: coco, pairs, flir_aligned"):
        open_source("voc", data / "set", "val")
    with pytest.raises(DataError, match="coco has thermal images alone"):
        open_source("coco", data / "set", "val", visible=True)
    as_flir(data / "set", tmp_path / "off", "val", "validation", shift=8)
    assert len(open_source("flir_aligned", tmp_path / "off", "validation")) == 8
    with pytest.raises(DataError, match=r"off: the visible images lie \+12.5 % of the width"):
        open_source("flir_aligned", tmp_path / "off", "validation", visible=True)
    assert len(open_source("flir_aligned", tmp_path / "off", "validation", visible=True, most_shift=math.inf)) == 8
    part = DataPart("flir_aligned", "off", options={"most_shift": 0.2})
    assert len(part.opened(tmp_path, part.validation_split, visible=True)) == 8


FLIR = ("--data", "flir", "--kind", "flir_aligned")


def measured(capsys, model, data, *arguments):
    assert evaluate.main([str(model), "--root", str(data), "--device", "cpu", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_network_finds_the_same_on_a_layout_as_on_the_coco_set(data, teacher, student):
    networks = {student: lambda source: evaluate.answers(evaluate.for_measuring(sure(student), {}), source),
                teacher: lambda source: evaluate.teacher_answers(sure(teacher), source, "cpu")}
    for path, answer in networks.items():
        visible = path is teacher
        flir = answer(open_source("flir_aligned", data / "flir", "validation", visible=visible))
        coco = answer(open_source("pairs", data / "set", "val", visible=visible))
        assert sum(len(found.boxes) for found in flir[1]) > 8 == len(flir[0])
        for (truth, found), (its_truth, its) in zip(zip(*flir, strict=True), zip(*coco, strict=True), strict=True):
            assert truth.names == its_truth.names and np.array_equal(truth.boxes, its_truth.boxes)
            np.testing.assert_array_equal(found.boxes, its.boxes)
            np.testing.assert_array_equal(found.scores, its.scores)


def sure(model):
    """The file with a network that is sure of everything, lest all its scores lie below what is measured."""
    card, weights = read(model)
    path = model.with_stem("sure")
    write(path, card, {name: value + 4.0 if name.endswith("classify.1.bias") else value
                       for name, value in weights.items()})
    return path


def test_the_command_measures_the_split_that_is_asked_for(data, teacher, student, monkeypatch, capsys):
    truths = []
    monkeypatch.setattr(evaluate, "average_precision", lambda own, *_: truths.append(own) or {"map50": 0.25})
    # The splits of the fixture differ in what is called a car.
    firsts = {"train": ("person", "car"), "validation": ("car", "person")}
    for arguments, split, count in (((student, *FLIR), "validation", 8), ((teacher, *FLIR), "validation", 8),
                                    ((student, *FLIR, "--split", "train", "--step", "2"), "train", 4)):
        assert measured(capsys, arguments[0], data, *arguments[1:])["map50"] == 0.25
        assert len(truths[-1]) == count
        assert truths[-1][0].names == firsts[split]
    assert evaluate.main([str(student), "--root", str(data), "--data", "flir"]) == 1
    assert "val.json is missing" in capsys.readouterr().err


def test_a_card_says_how_a_layout_was_measured(data, student, tmp_path, capsys):
    path = tmp_path / "student.safetensors"
    path.write_bytes(student.read_bytes())
    measured(capsys, path, data, *FLIR, "--write-card")
    assert "--data flir --kind flir_aligned --split validation" in json.dumps(read_card(path).__dict__, default=str)


def test_rare_classes_of_a_layout_are_drawn_oftener(data):
    weights = {kind: training.build_mixture(changed(TINY, {"balance": 1.0, "parts": [{"kind": kind, "root": root}]}),
                                            data).parts[0].weights for kind, root in
               (("flir_aligned", "flir"), ("coco", "set"))}
    assert weights["flir_aligned"] is not None
    np.testing.assert_array_equal(weights["flir_aligned"], weights["coco"])


GRID = ablate.Grid("tiny", changed(TINY, {"parts": [{"kind": "pairs", "root": "set"}]}),
                   {"base": {}, "pkd": {"distill.lambda_cms": 1.0, "distill.teacher": "visible"}},
                   {"visible": {"architecture": "teacher", "modality": "visible"}})
LAYOUT = 'parts=[{"kind": "flir_aligned", "root": "flir", "options": {"validation": "%s"}}]'


@pytest.fixture
def comparison(data, tmp_path, monkeypatch):
    monkeypatch.setitem(ablate.GRIDS, "tiny", GRID)
    monkeypatch.setattr(ablate, "CLASSES", CLASSES)
    return ["tiny", "--data", str(data), "--output", str(tmp_path / "runs"), "--device", "cpu", "--seeds", "0"]


def test_a_comparison_runs_on_a_layout(comparison, tmp_path, capsys):
    assert ablate.main([*comparison, "--set", LAYOUT % "validation"]) == 0
    assert "| pkd | 0 |" in capsys.readouterr().out
    layout = [json.loads(path.read_text())["scores"] for path in sorted((tmp_path / "runs").rglob("scores.json"))]
    comparison[4] = str(tmp_path / "coco")
    assert ablate.main(comparison + ["--results", str(page(tmp_path))]) == 0
    assert layout == [json.loads(path.read_text())["scores"]
                      for path in sorted((tmp_path / "coco").rglob("scores.json"))] and len(layout) == 3


def page(folder):
    path = folder / "page.md"
    path.write_text("<!-- tiny: begin --><!-- tiny: end -->")
    return path


@pytest.mark.parametrize(("change", "said"), [
    (LAYOUT % "test", "align_test.txt cannot be read"), (LAYOUT % "", "flir: flir_aligned has no split to measure on"),
    ('parts=[{"kind": "msrs", "root": "flir"}]', "msrs has no split to measure on"),
    ('parts=[{"kind": "coco", "root": "gone"}]', "val.json is missing"), ("parts=[]", "parts is empty"),
    ('parts=[{"kind": "coco", "root": "set"}]', "coco has thermal images alone"),
    ('classes=["person", "dog"]', "no figure for car: runs know person, dog, set val labels car, person")])
def test_a_comparison_that_cannot_be_measured_trains_nothing(comparison, monkeypatch, capsys, change, said):
    monkeypatch.setattr(ablate, "train", lambda *_: pytest.fail("something was trained"))
    assert ablate.main([*comparison, "--set", change]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


def test_a_comparison_of_thermal_rows_alone_needs_no_visible_half(comparison, monkeypatch, capsys):
    trained = []
    monkeypatch.setattr(ablate, "train", lambda experiment, *_: trained.append(experiment.name) or pytest.skip())
    with pytest.raises(pytest.skip.Exception):
        ablate.main([*comparison, "--rows", "base", "--set", 'parts=[{"kind": "coco", "root": "set"}]'])
    assert trained == ["tiny"]


def test_a_data_set_is_given_on_the_command_line():
    text = ('parts=[{"kind": "llvip", "root": "llvip", "repeat": 2, "background": ["lamp"],'
            ' "augment": {"scale": [1, 2]}, "options": {"validation": "test"}},'
            ' {"kind": "coco", "root": "set", "terms": "free"}]')
    first, second = changed(TINY, parse_changes([text])).parts
    assert (first.kind, first.repeat, first.background, first.augment.scale) == ("llvip", 2.0, ("lamp",), (1.0, 2.0))
    assert first.augment.mosaic == DataPart("llvip").augment.mosaic
    assert (first.train_split, first.validation_split) == ("train", "test") and second.validation_split == "val"
    assert type(first.repeat) is float and type(first.augment.scale[0]) is float
    # What nobody gives terms for is not ours to open.
    assert first.terms == "" and second.terms == "free"
    assert changed(Experiment(), parse_changes([text])).parts == (first, second)
    assert changed(TINY, parse_changes(['distill={"lambda_rcs": 1, "queue": 4}'])).distill.queue == 4
    assert changed(TINY, parse_changes(['loss={"dfl": 0}'])).loss.dfl == 0.0


@pytest.mark.parametrize(("setting", "said"), [
    ('parts=[{"root": "set"}]', "parts lacks kind"), ('parts=[{"kind": "coco", "rot": "set"}]', "no field 'parts.rot'"),
    ('parts=[{"kind": "coco", "root": 3}]', "parts.root takes str, not 3"),
    ('parts=[{"kind": "coco", "background": [3]}]', "parts.background takes a list of str, not 3"),
    ('parts=[{"kind": "coco", "augment": {"scale": [1]}}]', "parts.augment.scale takes 2 numbers not 1"),
    ('parts=[{"kind": "llvip", "options": {"spilt": "x"}}]', "no option 'spilt'; there are split, validation, most_sh"),
    ('parts=[{"kind": "llvip", "options": {"most_shift": "x"}}]', "most_shift is 'x', wanted is a part of the image"),
    ('parts={"kind": "llvip"}', "parts takes a list, not {'kind': 'llvip'}"),
    ("distill=[1]", "distill takes DistillConfig, not [1]"),
    ('absent=["dog"]', "no field 'absent'"), ("student=large", "student is one of nano,")])
def test_a_data_set_that_is_given_wrongly_is_told(setting, said):
    with pytest.raises(ValueError) as caught:
        changed(Experiment(), parse_changes([setting]))
    assert said in str(caught.value)


def test_a_model_of_data_without_terms_is_not_open(data, tmp_path):
    experiment = changed(TINY, parse_changes(['parts=[{"kind": "flir_aligned", "root": "flir"}]']))
    assert read_card(training.train(experiment, tmp_path / "run", data, CPU, 0)).licence == "not stated"


def test_the_flir_experiments_fit_each_other():
    teacher, student = load("flir_teacher", {}), load("flir_student", {})
    assert teacher.classes == student.classes == ("person", "bicycle", "car")
    assert teacher.modality == "visible" and student.modality == "thermal" and teacher.parts == student.parts
    assert teacher.spec().strides == student.spec().strides
    (part,) = teacher.parts
    assert part.kind in KINDS and (part.train_split, part.validation_split) == ("train", "validation")
    assert "FLIR" in part.terms
    assert all(experiment.parts[0].kind in (*KINDS, "rendered_faces") for experiment in EXPERIMENTS.values())


@pytest.mark.parametrize("student", ["nano", "small", "nano_stride4"])
def test_a_teacher_has_the_pyramid_of_its_student(student):
    mine = load("nano", {"architecture": student}).spec()
    experiment = load("teacher", {"student": student})
    spec = experiment.spec()
    assert (spec.strides, spec.pyramid_channels) == (mine.strides, mine.pyramid_channels)
    network = training.build_network(experiment).eval()
    assert isinstance(network.backbone, MobileNetFeatures)
    shapes = [tuple(level.shape) for level in network.pyramid(torch.rand(1, 3, 64, 96))]
    assert shapes == [(1, c, 64 // s, 96 // s) for s, c in zip(mine.strides, mine.pyramid_channels, strict=True)]


def test_face_detectors_say_where_their_boxes_come_from() -> None:
    seen = [part for name in ("face", "face_last") for part in EXPERIMENTS[name].parts if part.kind == "rendered_faces"]
    assert seen and all(part.licence.endswith(OFFSETS_SOURCE) for part in seen)
