"""The tables of the documentation: right figures, in the right place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pycocotools")

from thermal_kd_ros.config import CONTRAST_METHODS, ThermalConfig
from thermal_kd_ros.evaluation.detection import Truth, average_precision, precision_and_recall
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import read, write
from thermal_kd_ros.results import Detections
from training.data.coco import CocoDetection, DataError
from training.detector import contrast_table, correction_table, evaluate, evaluate_faces, threshold_table
from training.detector.tables import PARTS, cell, map50, publish
from training.pages import markdown, place


@pytest.fixture(scope="module")
def model(untrained_models: Callable[..., dict[str, str]]) -> str:
    """A network that was never trained, sure of everything, lest all its scores lie below what is measured."""
    path = Path(untrained_models(height=64, width=96, seed=3)["detector.model"])
    card, weights = read(path)
    biases = [name for name, value in weights.items() if name.endswith("bias") and np.allclose(value, -4.6)]
    assert biases
    write(path, card, weights | {name: weights[name] + 4.0 for name in biases})
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, model: str) -> Path:
    """A COCO set ``scenes`` of bright bars, every other one with 16 bits; true is what the network finds."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "scenes" / "val"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    perception = evaluate.for_measuring(Path(model), {"contrast.method": "percentile"})
    images, annotations = [], []
    for i in range(12):
        values = (28000 + 400 * rng.standard_normal((64, 96))).astype(np.uint16)
        x, y = (int(v) for v in rng.integers(4, 36, 2))
        values[y : y + 24, x : x + 12] += 2500
        values = values if i % 2 else (values // 128).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), values)
        images.append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 64})
        found = perception.process([ThermalFrame.from_array(values, ThermalConfig())])[0].detections
        for x1, y1, x2, y2 in found.boxes[found.labels == 0][:6].tolist():
            annotations.append({"id": len(annotations) + 1, "image_id": i, "category_id": 1,
                                "bbox": [x1, y1, x2 - x1, y2 - y1]})
    (root / "scenes" / "val.json").write_text(json.dumps(
        {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}))
    return root


def test_parts_are_the_images_dealt_out() -> None:
    rng = np.random.default_rng(1)
    truths, found = [], []
    for _ in range(23):
        box = np.append(rng.uniform(0, 40, 2), rng.uniform(50, 80, 2)).astype(np.float32)[None]
        truths.append(Truth(box, ("person",), np.zeros(1, bool)))
        score = np.array([rng.random()], np.float32)
        found.append(Detections(box + rng.uniform(-12, 12, 4), score, np.zeros(1, np.int64), ("person",)))
    scores = map50(truths, found, ("person",))
    assert scores[0] == average_precision(truths, found, ("person",))["map50"]
    for part in range(PARTS):
        mine = [i for i in range(23) if i % PARTS == part]
        assert scores[1 + part] == average_precision([truths[i] for i in mine], [found[i] for i in mine],
                                                     ("person",))["map50"]
    assert 0.1 < scores[0] < 1.0 and np.ptp(scores[1:]) > 0.0


def test_a_cell_has_the_paired_difference() -> None:
    reference, scores = np.array([0.5, 0.4, 0.6]), np.array([0.45, 0.37, 0.53])
    # Differences -0.03 and -0.07: their mean's standard error is 0.04 / sqrt(2) / sqrt(2).
    assert cell(scores, reference) == "0.450 (-0.050 ± 0.020)"
    assert cell(scores, None) == "0.450"


def test_a_table_is_put_between_its_marks_again_and_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    for text in ("x", markdown(["data", "b"], {"row": ["1"]})):
        place(text, "a", page)
    assert page.read_text() == ("before\n<!-- a: begin -->\n\n| data | b |\n| --- | --- |\n| row | 1 |\n\n"
                                "<!-- a: end -->\nafter\n")
    with pytest.raises(DataError, match="b: begin"):
        place("x", "b", page)


def test_a_page_that_cannot_hold_the_table_is_told_before_anything_is_measured(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare.md").write_text("# Cameras\n")
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xff")
    for page, said in (("missing.md", "No such file"), ("bare.md", "has no lines"), ("bytes.md", "cannot be read"),
                       ("", "Is a directory")):
        assert publish(lambda: pytest.fail("measured"), "contrast", tmp_path / page) == 1
        error = capsys.readouterr().err
        assert said in error and str(tmp_path) in error and error.startswith("error: ") and error.count("\n") == 1


def test_a_page_that_cannot_be_written_any_more_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("<!-- a: begin --><!-- a: end -->")

    def table() -> str:
        page.unlink()
        page.parent.rmdir()
        page.parent.write_text("a file")
        return "table"

    assert publish(table, "a", page) == 1
    streams = capsys.readouterr()
    assert streams.out == "table\n" and streams.err.startswith("error: ")


def test_the_contrast_table_agrees_with_single_measurements(
        tmp_path: Path, model: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- contrast: begin --><!-- contrast: end -->")
    arguments = ["--root", str(data)]
    assert contrast_table.main(["--model", model, "--page", str(page), *arguments]) == 0
    rows = [line for line in page.read_text().splitlines() if "rendered" in line]
    assert len(rows) == 2 and all(row.count("|") == 2 + len(CONTRAST_METHODS) for row in rows)
    assert contrast_table.main(["--root", str(tmp_path / "nothing")]) == 1
    assert "--root" in capsys.readouterr().err
    for bits, row in zip((8, 16), rows, strict=True):
        shown = [float(part.split()[0]) for part in row.strip("|").split("|")[1:]]
        for method, figure in zip(CONTRAST_METHODS, shown, strict=True):
            assert evaluate.main([model, "--data", "scenes", "--classes", "person", "--bits",
                                  str(bits), "--set", f"contrast.method={method}", *arguments]) == 0
            assert json.loads(capsys.readouterr().out)["map50"] == pytest.approx(figure, abs=6e-4)
        assert min(shown) > 0.5 and np.ptp(shown) > 0.005, shown


def test_the_threshold_table_has_what_is_found_at_each(
        tmp_path: Path, model: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
        ) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- thresholds: begin --><!-- thresholds: end -->")
    monkeypatch.setattr(threshold_table, "SETS", {"absent": (), "scenes": ("person",)})
    assert threshold_table.main(["--model", model, "--root", str(data), "--page", str(page)]) == 0
    lines = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("|")]
    assert lines[0] == ["threshold", "scenes"]
    assert [float(line[0]) for line in lines[2:]] == list(threshold_table.THRESHOLDS)
    recalls = [float(line[1].split(", ")[1].split(";")[0]) for line in lines[2:]]
    assert recalls == sorted(recalls, reverse=True) and recalls[0] > 0
    perception = evaluate.for_measuring(Path(model), {"engine.threads": 1})
    found = evaluate.answers(perception, CocoDetection(data / "scenes", "val"))
    precision, recall = precision_and_recall(*found, ("person",), 0.35)
    assert next(line[1] for line in lines if line[0] == "0.35").startswith(f"{precision:.3f}, {recall:.3f};")
    assert threshold_table.main(["--model", model, "--root", str(tmp_path / "nothing")]) == 1
    assert "--root" in capsys.readouterr().err


def test_parameters_change_what_is_measured_and_mistakes_are_told(
        model: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [model, "--root", str(data), "--data", "scenes"]

    def measured(*more: str) -> str:
        assert evaluate.main([*arguments, *more]) == 0
        return capsys.readouterr().out

    plain = measured()
    assert measured("--set", "detector.max_detections=1") != plain
    assert measured("--step", "2") == measured("--bits", "8") != plain
    for more, word in ((["--set", "contrast.method=loud"], "clahe"), (["--set", "contrast"], "NAME=VALUE"),
                       (["--set", "detector.model=other", "--set", "face.enabled=true"],
                        "detector.model, face.enabled: this command sets that itself")):
        assert evaluate.main([*arguments, *more]) != 0
        assert word in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        evaluate.main([*arguments, "--write-card", "--set", "contrast.method=clahe"])
    assert "leave out --set" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "said"), [
    (["--step", "0"], "--step 0"), (["--step", "-1"], "--step -1"), (["--device", "foo"], "'foo' is not a device"),
    (["--step", "2", "--bits", "16"], "scenes val: none of the images taken has 16 bits")])
def test_no_figures_are_printed_of_nothing(model: str, data: Path, capsys: pytest.CaptureFixture[str],
                                           more: list[str], said: str) -> None:
    assert evaluate.main([model, "--root", str(data), "--data", "scenes", *more]) == 1
    streams = capsys.readouterr()
    assert not streams.out and streams.err.splitlines()[-1].startswith("error: ") and said in streams.err


def test_figures_are_made_in_fp32_unless_another_precision_is_asked_for(model: str) -> None:
    assert evaluate.for_measuring(Path(model), {}).config.engine.precision == "fp32"
    assert evaluate.for_measuring(Path(model), {"engine.precision": "bf16", "engine.backend": "torch"}
                                  ).config.engine.precision == "bf16"


def test_what_is_no_detector_is_not_measured_as_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["landmarks_tiny", "--root", str(data), "--data", "scenes"]) == 1
    assert capsys.readouterr().err == "error: landmarks_tiny is a network for landmarks: give a detector\n"


def test_the_measure_of_faces_keeps_what_it_measures(model: str, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_faces.main([model, "--data", str(tmp_path), "--set", "face.enabled=false"]) == 1
    assert capsys.readouterr().err == "error: --set face.enabled: this command sets that itself\n"


def test_a_step_of_0_is_told_before_anything_is_measured(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (contrast_table, correction_table):
        assert command.main(["--model", "none", "--root", str(data), "--step", "0"]) == 1
        assert "--step 0" in capsys.readouterr().err


def test_a_list_of_clips_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "feverscreen").mkdir()
    for content in (b"[]", b'{"clips": [{"file": "a.npz"}]}', b"\xff\xfe{"):
        (tmp_path / "feverscreen" / "clips.json").write_bytes(content)
        with pytest.raises(DataError, match=r"clips.json: not the list of feverscreen's clips"):
            contrast_table.kiosk("face_detector", tmp_path, "percentile", 1)


def test_a_device_that_does_not_exist_is_told_by_the_measure_of_faces(model: str, tmp_path: Path,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_faces.main([model, "--data", str(tmp_path), "--set", "engine.device=foo"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "'foo' is not a device" in error and error.count("\n") == 1


def test_faults_are_where_they_are_said_to_be_and_the_same_in_all_images() -> None:
    faults = correction_table.Faults(0.02, 0.05)
    rng = np.random.default_rng(0)
    first, second = (rng.normal(30000, 200, (60, 80)).astype(np.uint16) for _ in range(2))
    bad = faults.mask(first.shape)
    assert 0.01 < bad.mean() < 0.03
    added = [faults.apply(values).astype(float) - values for values in (first, second)]
    assert all(np.isin(faults.apply(first)[bad], (0, 65535)))
    spread = np.ptp(np.percentile(first, (1, 99)))
    columns = np.nanmedian(np.where(bad, np.nan, added[0]), axis=0)
    assert columns.std() == pytest.approx(0.05 * spread, rel=0.3)
    assert np.corrcoef(added[0][~bad], added[1][~bad])[0, 1] > 0.99
    unharmed = correction_table.Faults(0.0, 0.0).apply(first)
    np.testing.assert_array_equal(unharmed, first)


def test_the_correction_table_has_every_case(model: str, data: Path, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- correction: begin --><!-- correction: end -->")
    assert correction_table.main(["--model", model, "--root", str(data), "--page", str(page), "--dead", "0.05"]) == 0
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
            for line in page.read_text().splitlines() if line.startswith("|")}
    assert len(rows) == 2 + 8
    assert rows["images"] == ["rendered scenes, 8 bits, mAP50", "rendered scenes, 16 bits, mAP50"]
    assert "5.0% dead pixels" in page.read_text()
    for bits, shown in zip(("8", "16"), rows["as recorded"], strict=True):
        capsys.readouterr()
        assert evaluate.main([model, "--data", "scenes", "--classes", "person", "--bits", bits, "--root",
                              str(data)]) == 0
        assert json.loads(capsys.readouterr().out)["map50"] == pytest.approx(float(shown), abs=6e-4)
    # What an untrained network finds is no better or worse for it, but not the same.
    others = [rows[name] for name in rows if name.startswith(("with", "the same, `bad", "the same, `stripes"))]
    assert len({cells[1].split()[0] for cells in [rows["as recorded"], *others]}) >= 4


def test_parts_without_a_true_object_tell_nothing_of_the_error():
    nan = float("nan")
    assert cell(np.array([0.4, nan, 0.4, 0.5]), np.array([0.5, nan, 0.5, 0.5])) == "0.400 (-0.100 ± 0.050)"
    assert cell(np.array([0.4, nan, 0.4]), np.array([0.5, nan, 0.5])) == "0.400 (-0.100)"
