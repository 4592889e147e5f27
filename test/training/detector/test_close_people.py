"""People right before the lens: what counts as found and as false."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pycocotools")

from thermal_kd_ros.results import Detections  # noqa: E402
from training.detector.close_people import judged, main  # noqa: E402

FACE = np.array([40.0, 20.0, 60.0, 50.0])  # its middle is at 50, 35


@pytest.mark.parametrize(("rows", "expected"), [
    ([], (False, 0, 0)),
    ([((30, 10, 70, 90), "person")], (True, 0, 0)),
    ([((50, 35, 70, 90), "person")], (True, 0, 0)),
    ([((51, 10, 70, 90), "person")], (False, 1, 0)),
    ([((30, 10, 70, 90), "dog")], (False, 0, 1)),
    ([((30, 10, 70, 90), "person"), ((35, 15, 65, 80), "person"), ((0, 0, 9, 9), "person"), ((0, 0, 9, 9), "car")],
     (True, 2, 1)),
])
def test_one_person_holds_the_face_and_all_else_is_false(rows, expected):
    names = ("dog", "person", "car")
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    labels = np.array([names.index(name) for _, name in rows], np.int64)
    assert judged(Detections(boxes, np.full(len(rows), 0.5, np.float32), labels, names), FACE) == expected


def test_mistakes_are_told(tmp_path, capsys):
    for arguments, said in ((["detector_nano"], "no sequences"), (["face_detector"], "face_detector knows face: no"),
                            (["detector_nano", "--set", "face.enabled=true"], "--set face.enabled")):
        assert main([*arguments, "--data", str(tmp_path)]) == 1
        streams = capsys.readouterr()
        assert not streams.out and streams.err.startswith("error: ") and said in streams.err


def test_the_shipped_detector_finds_drivers(shared_data, capsys):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not here")
    assert main(["detector_nano", "--data", str(shared_data), "--person", "1", "--step", "40"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["found"] > 0.9
