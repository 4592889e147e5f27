"""Comparing face detectors by what they wrote."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from training.detector.compare_faces import images_with_people, main, scores, truth_of


@pytest.fixture
def data(tmp_path):
    """A driver with a labelled face, a zoo image with a visitor and one without, a drone image."""
    sequence = tmp_path / "driver_faces" / "2_Man_Normal"
    (sequence / "labels").mkdir(parents=True)
    points = " ".join("0.5 0.5 0.99" for _ in range(54))
    (sequence / "labels" / "a.txt").write_text(f"0 0.5 0.5 0.2 0.4 {points}\n")
    (tmp_path / "cheetah").mkdir()
    (tmp_path / "cheetah" / "val.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "visitor.jpg"}, {"id": 2, "file_name": "cat.jpg"}],
        "categories": [{"id": 1, "name": "cheetah"}, {"id": 2, "name": "person"}],
        "annotations": [{"image_id": 1, "category_id": 2}, {"image_id": 2, "category_id": 1}]}))
    return tmp_path


def entry(path, *faces):
    return {"file": str(path), "width": 100, "height": 50,
            "faces": [{"score": score, "box": box} for score, box in faces]}


def entries(data):
    # The label's box: x 40..60, y 15..35.
    return [entry(data / "driver_faces/2_Man_Normal/Jpg/a.jpg", (0.9, [40, 15, 20, 20]), (0.5, [0, 0, 10, 10])),
            entry(data / "driver_faces/1_Man_Normal/Jpg/a.jpg", (0.9, [0, 0, 10, 10])),
            entry(data / "hit_uav/val/x.jpg", (0.45, [0, 0, 10, 10])),
            entry(data / "cheetah/val/visitor.jpg", (0.9, [0, 0, 10, 10])),
            entry(data / "cheetah/val/cat.jpg", (0.9, [0, 0, 10, 10]), (0.8, [20, 0, 10, 10])),
            # Who knows whether somebody is on images without labels?
            entry(data / "cheetah/test/visitor.jpg", (0.9, [0, 0, 10, 10])),
            entry(data / "elsewhere/b.jpg", (0.9, [0, 0, 10, 10]))]


def test_each_folder_is_judged_as_it_must(data):
    peopled = images_with_people(data)
    assert peopled == {("cheetah", "val"): {"visitor.jpg"}}
    found = scores(entries(data), "2", 0.4, peopled)
    assert set(found) == {"driver_faces 2_*", "no faces: hit_uav", "no faces: cheetah"}
    assert found["driver_faces 2_*"] == pytest.approx(
        {"images": 1, "recall": 1.0, "mean_iou": 1.0, "false_per_image": 1.0})
    assert found["no faces: hit_uav"] == {"images": 1, "false_per_image": 1.0}
    assert found["no faces: cheetah"] == {"images": 1, "false_per_image": 2.0}
    strict = scores(entries(data), "2", 0.6, peopled)
    assert strict["no faces: hit_uav"]["false_per_image"] == strict["driver_faces 2_*"]["false_per_image"] == 0.0
    assert scores(entries(data), "2", 0.95, peopled)["driver_faces 2_*"]["recall"] == 0.0


def test_labelled_points_make_a_box(tmp_path):
    folder = tmp_path / "sf_tl54_sample"
    folder.mkdir()
    points = np.random.default_rng(0).uniform(0.3, 0.6, (54, 2))
    rows = np.column_stack([np.arange(54), points, np.full((54, 2), 0.1)])
    np.savetxt(folder / "f.txt", rows)
    group, box = truth_of(folder / "f.npy", 640, 512, "2", {})
    assert group == "sf_tl54_sample" and box.shape == (1, 4)
    inside = points * (640, 512)
    assert (box[0, :2] <= inside.min(axis=0)).all() and (box[0, 2:] >= inside.max(axis=0)).all()


def test_files_that_are_no_predictions_are_named(data, capsys):
    path = data / "p.json"
    path.write_text(json.dumps({"images": entries(data)}))
    assert main([f"ours={path}", "--data", str(data), "--threshold", "0.4"]) == 0
    assert json.loads(capsys.readouterr().out)["ours"]["driver_faces 2_*"]["recall"] == 1.0
    (data / "empty").mkdir()
    assert main([f"ours={path}", "--data", str(data / "empty")]) == 1
    assert "has none of the folders driver_faces" in capsys.readouterr().err
    path.write_text(json.dumps({"images": entries(data)[-1:]}))
    assert main([f"ours={path}", "--data", str(data)]) == 1
    streams = capsys.readouterr()
    assert not streams.out and streams.err.startswith(f"error: {path}: none of its 1 images is judged")
    assert main([f"ours={path}", "--data", str(data), "--threshold", "nan"]) == 1
    assert "--threshold nan" in capsys.readouterr().err
    path.write_text("{}")
    assert main([f"ours={path}", "--data", str(data)]) == 1
    assert "not NAME=JSON" in capsys.readouterr().err
