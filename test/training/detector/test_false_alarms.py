"""Counting what is found where there is nothing."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pycocotools")

from thermal_kd_ros.results import Detections  # noqa: E402
from training.detector.false_alarms import counted, main  # noqa: E402

NAMES = ("dog", "person")


def found(*labels):
    return Detections(np.zeros((len(labels), 4), np.float32), np.ones(len(labels), np.float32),
                      np.array(labels, np.int64), NAMES)


def test_every_detection_counts():
    assert counted([found(1, 1, 0), found(), found(1), found()]) == {
        "false_per_image": 1.0, "images_with_any": 0.5, "false_per_image/person": 0.75, "false_per_image/dog": 0.25}
    assert counted([found()]) == {"false_per_image": 0.0, "images_with_any": 0.0}


@pytest.fixture
def data(tmp_path):
    """Two flat images of a set ``sky`` with a bird."""
    folder = tmp_path / "sky" / "val"
    folder.mkdir(parents=True)
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((128, 160), 90, np.uint8))
    (tmp_path / "sky" / "val.json").write_text(json.dumps({
        "images": [{"id": i, "file_name": f"{i}.png", "width": 160, "height": 128} for i in range(2)],
        "annotations": [], "categories": [{"id": 1, "name": "bird"}]}))
    return tmp_path


def test_a_flat_sky_raises_no_alarm(data, capsys):
    assert main(["detector_nano", "--root", str(data)]) == 0
    assert json.loads(capsys.readouterr().out) == {"false_per_image": 0.0, "images_with_any": 0.0}


def test_sets_with_what_the_model_knows_are_refused(data, capsys):
    path = data / "sky" / "val.json"
    path.write_text(path.read_text().replace('"bird"', '"person"'))
    for arguments, said in (([], "sky labels person, which detector_nano knows"), (["--split", "none"], "is missing"),
                            (["--step", "0"], "--step 0"), (["--set", "tracking.enabled=true"], "sets that itself")):
        if arguments:
            path.write_text(path.read_text().replace('"person"', '"bird"'))
        assert main(["detector_nano", "--root", str(data), *arguments]) == 1
        streams = capsys.readouterr()
        assert not streams.out and said in streams.err and streams.err.splitlines()[-1].startswith("error: ")
