"""Labels of driver_faces: geometry, missing and corrupt files."""

import cv2
import numpy as np
import pytest

from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, read_label
from training.data.face_labels import check_apart


def _line(box=(0.5, 0.5, 0.25, 0.5), points=None, confidence="0.99", kind="0", unit=1.0):
    points = np.linspace(0.1, 0.9, 108).reshape(54, 2) if points is None else points
    return (f"{kind} " + " ".join(f"{v * unit:.6f}" for v in box) + " "
            + " ".join(f"{x * unit:.6f} {y * unit:.6f} {confidence}" for x, y in points))


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


@pytest.mark.parametrize("text, word", [
    (_line((0.5, 0.5, -0.25, 0.5)), "line 1: a face box of -80 x 120 pixels"),
    (_line((0.5, 0.5, 0.0, 0.0)), "line 1: a face box of 0 x 0 pixels"),
    (_line(unit=320.0), r"line 1: \(.*\) lies too far from an image of 320 x 240 pixels"),
    (_line((3.0, 0.5, 0.2, 0.2)), "line 1: .* lies too far"), (_line((1.5, 0.5, 0.2, 0.2)), "line 1: .* lies too far"),
    (_line(points=np.zeros((54, 2)), confidence="0"), "line 1: the confidence of each point"),
    (_line(confidence="1.5"), "line 1: the confidence"), (_line(kind="7"), "line 1: class 7 is unknown"),
    (_line(kind="1e400"), "line 1: 167 values, and not all"), (_line((1e300, 0.5, 0.2, 0.2)), "line 1"),
    (_line() + "\n0 garbage\n", "line 2: could not convert"), (_line() + "\n\n" + _line(), "line 3: a second face"),
    (_line().encode() + b"\n\xff\xfe\x00", "line 2: not text"), (b"\x00\x00", "line 1: could not convert")])
def test_labels_that_can_be_no_face_name_file_and_line(root, text, word):
    path = root / "2_Man_NoGlasses_Normal" / "labels" / "a.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=word) as error:
        read_label(path, 320, 240)
    assert str(error.value).startswith(f"{path}, line ") and "\n" not in str(error.value)


def test_eye_corners_on_each_other_are_refused_where_points_are_needed(root):
    path = root / "2_Man_NoGlasses_Normal" / "labels" / "a.txt"
    points = np.random.default_rng(0).uniform(0.3, 0.6, (54, 2))
    points[45] = points[36]
    path.write_text(_line(points=points))
    with pytest.raises(DataError, match="points 36 and 45, the outer eye corners, lie on each other") as error:
        DriverFaces(root, "2")[0]
    assert str(path) in str(error.value)
    assert read_label(path, 320, 240)[0].shape == (4,)  # the box can be used


def test_a_face_that_the_image_cuts_off_is_one(root):
    path = root / "2_Man_NoGlasses_Normal" / "labels" / "a.txt"
    path.write_text(_line((0.05, 0.5, 0.4, 0.9), np.random.default_rng(0).uniform(-0.3, 0.3, (54, 2))))
    assert DriverFaces(root, "2")[0].box[0] < 0


def test_no_published_label_is_refused(shared_data):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")
    read = 0
    for person in ("1", "2"):
        for image, label in DriverFaces(shared_data / "driver_faces", person).pairs:
            box, points = read_label(label, 320, 240)
            check_apart(points, (36, 45), str(image))
            words = np.array(label.read_text().split(), np.float64)
            np.testing.assert_allclose(points[7], words[26:28] * (320, 240), rtol=1e-6)
            np.testing.assert_allclose(box[2:] - box[:2], words[3:5] * (320, 240), rtol=1e-5)
            read += 1
    assert read == 1620


def test_an_unknown_person_is_refused(root):
    with pytest.raises(DataError, match="7_"):
        DriverFaces(root, "7")
