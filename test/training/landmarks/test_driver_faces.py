"""Labels of driver_faces: geometry, missing and corrupt files."""

import cv2
import numpy as np
import pytest

from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, read_label


def _line(box=(0.5, 0.5, 0.25, 0.5)):
    points = np.linspace(0.1, 0.9, 108).reshape(54, 2)
    return "0 " + " ".join(f"{v:.6f}" for v in box) + " " + " ".join(f"{x:.6f} {y:.6f} 0.99" for x, y in points)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "2_Man_NoGlasses_Normal"
    (folder / "Jpg").mkdir(parents=True)
    (folder / "labels").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(folder / "Jpg" / f"{name}.jpg"), np.full((240, 320), 90, np.uint8))
    (folder / "labels" / "a.txt").write_text(_line() + "\n")
    return tmp_path


def test_frames_without_a_label_are_left_out(root):
    faces = DriverFaces(root, "2")
    assert len(faces) == 1
    frame = faces[0]
    np.testing.assert_allclose(frame.box, [120, 60, 200, 180], atol=1e-3)
    np.testing.assert_allclose(frame.points[0], [32, 240 * 0.107477], atol=1e-2)
    assert frame.values.shape == (240, 320)


@pytest.mark.parametrize("text, word", [("0 0.5 0.5 0.1", "4 values"), ("0 0.5 x " + "0.5 " * 164, "could not convert"),
                                        (_line((np.nan, 0.5, 0.2, 0.2)), "finite"), ("", "no label")])
def test_corrupt_labels_name_file_and_line(root, text, word):
    path = root / "2_Man_NoGlasses_Normal" / "labels" / "a.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=word) as error:
        read_label(path, 320, 240)
    assert str(path) in str(error.value) and "line 1" in str(error.value)


def test_an_unknown_person_is_refused(root):
    with pytest.raises(DataError, match="7_"):
        DriverFaces(root, "7")
