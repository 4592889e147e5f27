"""Rendered scenes as a COCO set."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.simulation.random_frames import random_scene_frame
from training.data.coco import IGNORED_CLASSES, CocoDetection
from training.data.render_scenes import CATEGORIES, annotations_of, main

CLASSES = ("person", "bicycle", "car")


def test_scenes_are_a_coco_set_and_are_rendered_once(tmp_path):
    command = ["--output", str(tmp_path), "--count", "3", "--processes", "1"]
    assert main(command) == 0
    data = CocoDetection(tmp_path, "train", CLASSES)
    assert len(data) == 3 and data.labelled.all()
    assert sum((data[i].labels >= 0).sum() for i in range(3)) > 0
    for i in range(3):
        sample = data[i]
        height, width = sample.values.shape
        assert (width, height) == (data.images[i]["width"], data.images[i]["height"])
        assert (sample.boxes >= 0).all() and (sample.boxes <= [width, height, width, height]).all()

    first = tmp_path / "train" / "000000.png"
    cv2.imwrite(str(first), np.zeros((512, 640), np.uint8))
    (tmp_path / "train" / "000001.json").unlink()
    assert main(command) == 0
    # What has its sidecar is kept; what lacks it is rendered again.
    assert cv2.imread(str(first), cv2.IMREAD_UNCHANGED).max() == 0
    assert cv2.imread(str(tmp_path / "train" / "000001.png"), cv2.IMREAD_UNCHANGED).max() > 0


def test_no_scene_is_in_two_splits(tmp_path):
    for split in ("train", "val"):
        assert main(["--output", str(tmp_path), "--split", split, "--count", "2", "--processes", "1"]) == 0
    sets = [{path.read_bytes() for path in (tmp_path / split).glob("*.png")} for split in ("train", "val")]
    assert [len(found) for found in sets] == [2, 2] and not sets[0] & sets[1]


@pytest.mark.parametrize(("options", "said"), [
    (["--count", "0"], "--count 0: give at least 1"), (["--count", "-5"], "--count -5"),
    (["--seed", "-1"], "--seed -1"), (["--seed", "600000000"], "--seed 600000000"),
    (["--processes", "0"], "--processes 0"), (["--split", "../evil"], "--split ../evil: give the name of a folder"),
    (["--split", ".."], "--split .."), (["--output", "{}/train.json/sc"], "[Errno")])
def test_what_cannot_be_rendered_leaves_the_set_alone(tmp_path, capsys, options, said):
    inside = tmp_path / "sets"
    inside.mkdir()
    (inside / "train.json").write_text("{}")
    assert main(["--output", str(inside), "--count", "1", *(option.format(inside) for option in options)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["sets", "train.json"]
    assert (inside / "train.json").read_text() == "{}"


def test_faces_that_do_not_count_are_ignore_regions():
    frames = [random_scene_frame(seed, 160, 128, "indoor") for seed in range(6)]
    rows = [row for frame in frames for row in annotations_of(frame)]
    counted = sum(not face.ignore for frame in frames for face in frame.faces)
    unsure = sum(bool(face.ignore) for frame in frames for face in frame.faces)
    ignored = sum(int(frame.ignore.sum()) for frame in frames)
    kinds = [CATEGORIES[row["category_id"] - 1] for row in rows]
    assert kinds.count("face") == counted > 0 and kinds.count("ignore") == ignored
    assert kinds.count("ignored_face") == unsure > 0 and "ignored_face" in IGNORED_CLASSES


def test_a_picture_that_could_not_be_written_is_not_vouched_for(tmp_path, little_room, capsys):
    with little_room():
        assert main(["--output", str(tmp_path), "--count", "1", "--processes", "1"]) == 1
    assert "error: [Errno 27]" in capsys.readouterr().err
    assert not list((tmp_path / "train").iterdir()) and not (tmp_path / "train.json").exists()
