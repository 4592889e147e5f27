"""Metrics, and what the shipped models reach on people that no training saw."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.faces import face_box  # noqa: E402
from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER, read, read_card, write  # noqa: E402
from training.card import as_json  # noqa: E402
from training.data.driver_faces import DriverFaces  # noqa: E402
from training.data.face_sets import five_points  # noqa: E402
from training.detector import evaluate_faces  # noqa: E402
from training.landmarks import evaluate  # noqa: E402
from training.landmarks.evaluate import (  # noqa: E402
    Predictions,
    detected_summary,
    driver_predictions,
    load,
    main,
    nme,
    predict,
    summary,
)


def _promised(model: str, metric: str, on: str) -> float:
    """What a shipped model's card says."""
    card = read_card(WEIGHTS_FOLDER / f"{model}.safetensors")
    return next(entry["value"] for entry in card.metrics if entry["metric"] == metric and on in entry["on"])


def _need(data: Path, model: str) -> None:
    if not (WEIGHTS_FOLDER / f"{model}.safetensors").is_file():
        pytest.skip(f"{model} is not shipped")
    if not (data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")


def test_nme_is_the_mean_distance_over_the_outer_eye_corners():
    truth = np.random.default_rng(0).uniform(0, 100, (3, 54, 2))
    truth[:, 36], truth[:, 45] = (10, 50), (60, 50)
    found = truth + np.array([3.0, 4.0])
    np.testing.assert_allclose(nme(found, truth), 5.0 / 50.0)


def found_faces(count, **places):
    """Predictions a pixel or so off, with the labelled points of ``places`` {p36: (x, y)} in the first face."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(20, 80, (count, 54, 2))
    for name, place in places.items():
        truth[0, int(name[1:])] = place
    return Predictions(truth + rng.normal(0, 1, truth.shape), truth, rng.uniform(0.5, 3, (count, 54)),
                       np.full(count, 80.0))


def test_the_summary_is_that_of_the_run_time_evaluation():
    found = found_faces(7)
    across = np.linalg.norm(found.truth[:, 36] - found.truth[:, 45], axis=1)
    errors = 100 * np.linalg.norm(found.points - found.truth, axis=2).mean(axis=1) / across
    figures = summary(found)
    assert figures["nme_percent"] == pytest.approx(errors.mean())
    assert figures["nme_median_percent"] == pytest.approx(np.median(errors))
    assert figures["failure_rate_8_percent"] == pytest.approx(100 * (errors > 8).mean())
    steps = (np.arange(100_000) + 0.5) / 100_000 * 8
    assert figures["auc_8_percent"] == pytest.approx(100 * (errors[:, None] <= steps[None]).mean(), abs=1e-2)


def strictly(text):
    """JSON as other readers take it, without NaN and Infinity."""
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_coinciding_eye_corners_give_no_figure_that_is_no_number():
    both = found_faces(5, p36=(50, 50), p45=(50, 50))
    without = Predictions(*(part[1:] for part in (both.points, both.truth, both.sigma, both.side)))
    for name in ("nme_percent", "nme_median_percent", "failure_rate_8_percent", "auc_8_percent"):
        assert summary(both)[name] == pytest.approx(summary(without)[name])
    alone = Predictions(*(part[:1] for part in (both.points, both.truth, both.sigma, both.side)))
    figures = strictly(json.dumps(as_json(summary(alone)), allow_nan=False))
    assert figures["nme_percent"] is figures["auc_8_percent"] is figures["failure_rate_8_percent"] is None
    assert 0 <= figures["within_tolerance"] <= 1
    same = Predictions(both.points, both.truth, np.ones_like(both.sigma), both.side)
    assert as_json(summary(same))["confidence_error_correlation"] is None


@pytest.mark.parametrize("name", ["nme_percent", "calibration_error"])
def test_what_is_no_number_is_printed_as_null_and_stays_out_of_the_card(name, tmp_path, monkeypatch, capsys):
    path = tmp_path / "m.safetensors"
    shutil.copy(WEIGHTS_FOLDER / "landmarks_light.safetensors", path)
    figures = {**summary(found_faces(3)), name: float("nan")}
    monkeypatch.setattr(evaluate, "driver_predictions", lambda *given: None)
    monkeypatch.setattr(evaluate, "summary", lambda found: figures)
    monkeypatch.setattr(evaluate, "detected_summary", lambda *given: {name: float("inf"), "missed_percent": 100.0})
    assert main([str(path), "--data", str(tmp_path), "--write-card"]) == 0
    printed = strictly(capsys.readouterr().out)
    assert [values[name] for on, values in printed.items() if "people" in on] == [None, None]
    new = [entry for entry in read_card(path).metrics if str(path.stem) in entry["command"] and "2_*" in entry["on"]]
    assert {entry["metric"] for entry in new} >= {"risk_area_percent", "missed_percent"}
    assert name not in {entry["metric"] for entry in new}


def test_a_network_whose_outputs_are_no_numbers_is_told(tmp_path, capsys, shared_data):
    _need(shared_data, "landmarks_light")
    card, weights = read(WEIGHTS_FOLDER / "landmarks_light.safetensors")
    # Finite, as a file must be, but too large to reckon with.
    weights["stem.1.0.weight"] = np.sign(weights["stem.1.0.weight"]) * np.float32(3e38)
    write(tmp_path / "m.safetensors", card, weights)
    assert main([str(tmp_path / "m.safetensors"), "--data", str(shared_data), "--step", "200"]) == 1
    streams = capsys.readouterr()
    assert "outputs are not finite numbers" in streams.err and streams.err.count("\n") == 1 and not streams.out


def test_a_set_in_which_no_face_is_found_is_all_failures(tmp_path):
    if not (WEIGHTS_FOLDER / "landmarks_light.safetensors").is_file():
        pytest.skip("landmarks_light is not shipped")
    sequence = tmp_path / "driver_faces" / "2_Man_NoGlasses_Empty"
    for folder in ("Jpg", "labels"):
        (sequence / folder).mkdir(parents=True)
    cv2.imwrite(str(sequence / "Jpg" / "a.jpg"), np.full((128, 160), 90, np.uint8))
    points = np.random.default_rng(0).uniform(0.4, 0.6, (54, 3))
    (sequence / "labels" / "a.txt").write_text(" ".join(map(str, [0, 0.5, 0.5, 0.2, 0.2, *points.ravel()])))
    found = detected_summary("landmarks_light", tmp_path)
    assert found["missed_percent"] == found["failure_rate_8_percent"] == 100.0
    assert np.isnan(found["nme_percent"]) and np.isnan(found["nme_median_percent"])


@pytest.mark.parametrize("more", [["--step", "2"], ["--jitter", "0.1"], ["--box-errors", "curve.png"]])
def test_figures_of_a_part_or_of_other_boxes_do_not_enter_a_card(tmp_path, capsys, more):
    path = tmp_path / "m.safetensors"
    shutil.copy(WEIGHTS_FOLDER / "landmarks_light.safetensors", path)
    before = path.read_bytes()
    # There is no data: what is refused later has another reason.
    assert main([str(path), "--data", str(tmp_path), "--write-card", *more]) == 1
    error = capsys.readouterr().err
    assert more[0] in error and "whole sets" in error and error.count("\n") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("more", [["--step", "2"], ["--threshold", "0.3"], ["--set", "contrast.method=clahe"]])
def test_figures_of_a_face_detector_with_other_settings_do_not_enter_a_card(tmp_path, capsys, more):
    assert evaluate_faces.main(["face_detector", "--data", str(tmp_path), "--write-card", *more]) == 1
    error = capsys.readouterr().err
    assert more[0] in error and "whole sets" in error and error.count("\n") == 1


def test_mistakes_are_told_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for more, said in ((["--box-errors", str(tmp_path / "file" / "curve.png")], "file"),
                       (["--box-errors", str(tmp_path / "curve")], "ends in .png"),
                       (["--step", "0"], "--step 0"), (["--jitter", "-1"], "--jitter -1.0: give at least 0"),
                       (["--jitter", "inf"], "--jitter inf")):
        assert main(["landmarks_light", "--data", str(tmp_path), *more]) == 1
        error = capsys.readouterr().err
        assert said in error and error.startswith("error: ") and error.count("\n") == 1
    assert main(["detector_nano", "--data", str(tmp_path)]) == 1
    assert "this is a model for detection" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["landmarks_light", "landmarks_tiny"])
def test_landmarks_on_people_never_seen(shared_data, name):
    _need(shared_data, name)
    found = summary(driver_predictions(name, shared_data, "2"))
    assert found["nme_percent"] == pytest.approx(_promised(name, "nme_percent", "2_*"), abs=0.05)
    assert found["confidence_error_correlation"] < 0.0


def test_faces_of_people_never_seen(shared_data):
    _need(shared_data, "face_detector")
    from training.detector.evaluate_faces import driver_scores

    recall = driver_scores("face_detector", None, shared_data, "2", step=6)["recall_iou50"]
    # Every sixth frame only: about a hundred faces.
    assert recall == pytest.approx(_promised("face_detector", "recall_iou50", "2_*"), abs=0.04)


def test_tfw_is_measured_by_its_five_points(tmp_path, shared_data, capsys):
    """Two recorded faces in TFW's layout, with the points that the network itself finds, one moved by a known way."""
    _need(shared_data, "landmarks_light")
    frames = DriverFaces(shared_data / "driver_faces", "2", 200)
    card, network = load("landmarks_light")
    rows = ["name,box and points"]
    (tmp_path / "indoor").mkdir()
    for i in range(2):
        frame = frames[i]
        cv2.imwrite(str(tmp_path / "indoor" / f"{i}.png"), frame.values)
        points = five_points(predict(network, card, [(frame.values, frame.box, frame.points)]).points[0])
        points[2, 0] += i * np.linalg.norm(points[0] - points[1])  # the nose, by the distance of the eyes
        rows.append(",".join(map(str, [f"{i}.png", *frame.box, *points.ravel()])))
    (tmp_path / "indoor.csv").write_text("\n".join(rows) + "\n")
    assert main(["landmarks_light", "--tfw", str(tmp_path)]) == 0
    (figures,) = json.loads(capsys.readouterr().out).values()
    assert figures["faces"] == 2 and figures["error_percent"] == pytest.approx(100 / 5 / 2, abs=0.02)
    assert main(["landmarks_light", "--tfw", str(tmp_path / "indoor")]) == 1
    assert "has none of indoor.csv" in capsys.readouterr().err
    assert main(["landmarks_light", "--tfw", str(tmp_path), "--step", "3"]) == 1
    assert "--tfw takes none of" in capsys.readouterr().err


def test_sf_tl54_is_measured_in_both_kinds_of_boxes(tmp_path, shared_data, capsys):
    """Recorded faces in SF-TL54's layout; the labels are what the network finds in the boxes of the points."""
    _need(shared_data, "landmarks_light")
    frames = DriverFaces(shared_data / "driver_faces", "2", 200)
    card, network = load("landmarks_light")
    folder = tmp_path / "gray" / "test"
    (folder / "images").mkdir(parents=True)
    (folder / "json").mkdir()
    for i in range(2):
        frame = frames[i]
        cv2.imwrite(str(folder / "images" / f"{i}.png"), frame.values)
        points = frame.points.astype(np.float64)
        for _ in range(8):  # until the box around what is found gives nearly the same again
            points = predict(network, card, [(frame.values, face_box(points), points)]).points[0]
        x1, y1, x2, y2 = (float(v) for v in frame.box)
        shapes = [{"label": "face", "points": [[x1, y1], [x2, y2]]}, {"label": "all", "points": points.tolist()}]
        (folder / "json" / f"{i}.json").write_text(json.dumps({"shapes": shapes}))
    assert main(["landmarks_light", "--sf-tl54", str(tmp_path)]) == 0
    figures = json.loads(capsys.readouterr().out)
    own, ours = (figures[f"SF-TL54 test, {box}"] for box in ("labelled boxes", "boxes of the points"))
    assert own["faces"] == ours["faces"] == 2
    assert ours["nme_percent"] < 1.0 and ours["nme_percent"] < own["nme_percent"] < 15.0
    assert main(["landmarks_light", "--sf-tl54", str(tmp_path / "gray")]) == 1
    assert "has no images" in capsys.readouterr().err
    assert main(["landmarks_light", "--sf-tl54", str(tmp_path), "--jitter", "0.1"]) == 1
    assert "--sf-tl54 takes none of" in capsys.readouterr().err
