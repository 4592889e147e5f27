"""The layouts of public face sets, on tiny trees written as their authors publish them."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")  # the crops are a torch data set

from thermal_kd_ros.faces import CROP_MARGIN, face_box
from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54
from training.data.coco import DataError
from training.data.driver_faces import FaceFrame
from training.data.face_sets import SfTl54, TFake, Tfw, five_points, sample_faces
from training.data.labelled_crops import LabelledCrops
from training.data.rendered_faces import ORDINARY, CropConfig

RNG = np.random.default_rng(0)
POINTS = np.round(RNG.uniform(60, 160, (54, 2)), 1)
POINTS[8], POINTS[27] = (110, 170), (110, 90)


def labelme(points, box=((50, 180), (170, 40))):
    groups = [("face", box), *((f"group {k}", points[k : k + 9].tolist()) for k in range(0, len(points), 9))]
    return json.dumps({"shapes": [{"label": label, "points": [list(p) for p in places]} for label, places in groups]})


@pytest.fixture
def sf_tl54(tmp_path):
    folder = tmp_path / "gray" / "val"
    (folder / "images").mkdir(parents=True)
    (folder / "json").mkdir()
    for name in ("103_1_1_4_450_1", "7_2_1_1_9_1"):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), RNG.integers(0, 255, (200, 220, 3)).astype(np.uint8))
        (folder / "json" / f"{name}.json").write_text(labelme(POINTS))
    return tmp_path


def test_sf_tl54(sf_tl54):
    faces = SfTl54(sf_tl54, "val")
    assert len(faces) == 2
    face = faces[0]
    assert face.values.shape == (200, 220) and face.values.dtype == np.uint8
    np.testing.assert_allclose(face.points, POINTS, atol=1e-4)
    np.testing.assert_allclose(face.box, (50, 40, 170, 180))


@pytest.mark.parametrize("content, word", [
    ("{", "labelme"), ('{"shapes": []}', "0 face boxes and 0 points"), (labelme(POINTS[:53]), "53 points"),
    ('{"shapes": [{"label": "face"}]}', "labelme"), ('{"shapes": [{"label": "x", "points": "abc"}]}', "labelme")])
def test_broken_labels_of_sf_tl54_are_told(sf_tl54, content, word):
    path = sf_tl54 / "gray" / "val" / "json" / "103_1_1_4_450_1.json"
    path.write_text(content)
    with pytest.raises(DataError, match=word) as caught:
        SfTl54(sf_tl54, "val")[0]
    assert str(path) in str(caught.value)


def moved(index, place):
    points = POINTS.copy()
    points[index] = place
    return points


@pytest.mark.parametrize("content, word", [
    (labelme(moved(4, (np.nan, 2))), "points must be finite"),
    (labelme(moved(4, (np.inf, 2))), "points must be finite"),
    (labelme(POINTS, ((50, np.nan), (170, 40))), "face box must be finite"),
    (labelme(POINTS, ((50, 40), (50, 40))), "a face box of 0 x 0 pixels"),
    (labelme(moved(4, (9e5, 2))), "lies too far from an image of 220 x 200"),
    (labelme(moved(45, POINTS[36])), "outer eye corners"), ("[" * 100_000, "labelme"),
    (labelme(POINTS).replace(str(POINTS[3, 0]), "1" + "0" * 400, 1), "labelme"), ("\udcff", "labelme")])
def test_labels_of_sf_tl54_that_can_be_no_face_are_told(sf_tl54, content, word):
    path = sf_tl54 / "gray" / "val" / "json" / "103_1_1_4_450_1.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=word) as caught:
        SfTl54(sf_tl54, "val")[0]
    assert str(caught.value).startswith(str(path))


def test_missing_parts_are_told(sf_tl54, tmp_path):
    with pytest.raises(DataError, match="no images"):
        SfTl54(sf_tl54, "test")
    (sf_tl54 / "gray" / "val" / "json" / "7_2_1_1_9_1.json").unlink()
    with pytest.raises(DataError, match="7_2_1_1_9_1.json is missing"):
        SfTl54(sf_tl54, "val")
    with pytest.raises(DataError, match="indoor.csv is missing"):
        Tfw(tmp_path, "indoor")
    with pytest.raises(DataError, match="_thermal.png"):
        TFake(tmp_path, tmp_path)


@pytest.fixture
def tfw(tmp_path):
    (tmp_path / "outdoor").mkdir()
    cv2.imwrite(str(tmp_path / "outdoor" / "a.png"), np.zeros((50, 60, 3), np.uint8))
    with open(tmp_path / "outdoor.csv", "w", newline="") as file:
        csv.writer(file).writerows([["image", "xs", "ys", "xe", "ye", *(f"p{k}" for k in range(10))],
                                    ["a.png", 1, 2, 30, 40, *range(10)], ["a.png", 3, 4, 31, 41, *range(10, 20)]])
    return tmp_path


def test_tfw_has_several_faces_in_an_image(tfw):
    faces = Tfw(tfw, "outdoor")
    assert len(faces) == 2 and faces[0].path == faces[1].path
    np.testing.assert_array_equal(faces[1].box, (3, 4, 31, 41))
    np.testing.assert_array_equal(faces[0].points, np.arange(10).reshape(5, 2))


@pytest.mark.parametrize("line, word", [("a.png,1,2", "line 4: 2 values"), ("a.png,1,x", "line 4: could not"),
                                        ("a.png,1,nan" + ",0" * 12, "line 4: 14 values"),
                                        ("a.png,1,\udcff", "line 4: not text"), ("a,\0", "line 4|separated by commas")])
def test_broken_rows_of_tfw_are_told(tfw, line, word):
    with open(tfw / "outdoor.csv", "a", errors="surrogateescape") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=word):
        Tfw(tfw, "outdoor")


@pytest.mark.parametrize("box, word", [((5, 5, 5, 5), "line 4: a face box of 0 x 0"),
                                       ((9, 9, 5, 5), "line 4: a face box of -4 x -4"),
                                       ((900, 5, 950, 50), "line 4: .* too far from an image of 60 x 50 pixels")])
def test_rows_of_tfw_that_can_be_no_face_are_told(tfw, box, word):
    with open(tfw / "outdoor.csv", "a") as file:
        file.write(",".join(map(str, ["a.png", *box, *range(10)])) + "\n")
    faces = Tfw(tfw, "outdoor")
    assert faces[0].box[0] == 1
    with pytest.raises(DataError, match=word) as caught:
        faces[2]
    assert str(tfw / "outdoor.csv") in str(caught.value)


def test_five_points_of_the_54():
    found = five_points(np.stack([POINTS, POINTS + 1]))
    np.testing.assert_allclose(found[1], found[0] + 1)
    np.testing.assert_allclose(found[0, 0], POINTS[[36, 37, 38, 39, 40, 41]].sum(axis=0) / 6)
    np.testing.assert_allclose(found[0, 2:], POINTS[[30, 48, 50]])


def test_t_fake_takes_54_of_70_points(tmp_path):
    places = RNG.uniform(100, 400, (70, 2))
    np.savetxt(tmp_path / "000012_ldmks.txt", places)
    thermal = tmp_path / "cold"
    thermal.mkdir()
    cv2.imwrite(str(thermal / "000012_thermal.png"), RNG.integers(0, 65535, (512, 512)).astype(np.uint16))
    face = TFake(tmp_path, thermal)[0]
    assert face.values.dtype == np.uint16 and face.values.shape == (512, 512)
    np.testing.assert_allclose(face.points, places[list(IBUG68_TO_SF_TL54)], rtol=1e-5)
    lines = [f"{x} {y}" for x, y in places]
    for k, line, word in ((3, "nan 2", "line 4: 2 values, and not all"), (0, "1", "line 1: 1 values, expected x and y"),
                          (69, "x y", "line 70: could not"), (69, "\udcff", "line 70: not text"),
                          (3, "9000 2", r"\(9000, 2\) lies too far"), (45, lines[36], "outer eye corners")):
        changed = [*lines[:k], line, *lines[k + 1 :]]
        (tmp_path / "000012_ldmks.txt").write_bytes("\n".join(changed).encode(errors="surrogateescape"))
        with pytest.raises(DataError, match=word) as caught:
            TFake(tmp_path, thermal)[0]
        assert str(caught.value).startswith(str(tmp_path / "000012_ldmks.txt"))
    (tmp_path / "000012_ldmks.txt").write_text("1 2\n3 4\n")
    with pytest.raises(DataError, match="2 lines, expected 70"):
        TFake(tmp_path, thermal)[0]


def test_no_published_sample_is_refused(shared_data):
    if not (shared_data / "sf_tl54_sample").is_dir():
        pytest.skip("sf_tl54_sample is not on this machine")
    assert len(sample_faces(shared_data / "sf_tl54_sample")) == 2


def test_samples_are_arrays_with_numbered_points(tmp_path):
    with pytest.raises(DataError, match="no images"):
        sample_faces(tmp_path)
    np.save(tmp_path / "a.npy", np.zeros((200, 220), np.float32))
    with pytest.raises(DataError, match="a.txt is missing"):
        sample_faces(tmp_path)
    lines = [f"{k} {x / 220} {y / 200} 0.1 0.1" for k, (x, y) in enumerate(POINTS)]
    label = tmp_path / "a.txt"
    label.write_text("\n".join(lines[::-1]))
    (face,) = sample_faces(tmp_path)
    np.testing.assert_allclose(face.points, POINTS, rtol=1e-5)
    assert (face.box[:2] < POINTS.min(axis=0)).all() and (face.box[2:] > POINTS.max(axis=0)).all()
    for changed, word in (([*lines[:-1], lines[0]], "line 54: expected the number of a point"),
                          (lines[:-1], "53 points"), (["0 nan 0.5", *lines[1:]], "line 1: 3 values, and"),
                          (["54 0.5 0.5", *lines[1:]], "line 1: expected"), (["0 9 0.5", *lines[1:]], "too far")):
        label.write_text("\n".join(changed))
        with pytest.raises(DataError, match=word) as caught:
            sample_faces(tmp_path)
        assert str(caught.value).startswith(str(label))
    whole = (tmp_path / "a.npy").read_bytes()
    for content in (b"no array", b"", b"PK\x03\x04 no archive", whole[:60], whole[:1000]):
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(DataError, match="a.npy cannot be read"):
            sample_faces(tmp_path)


def test_large_labelled_faces_are_not_aliased():
    """Noise of a face five times as large as its crop averages out, as it does where the pipeline cuts faces out."""
    rng = np.random.default_rng(0)
    points = (250 + 5 * (POINTS - POINTS.mean(0))).astype(np.float32)
    values = rng.normal(0, 3, (500, 500)).astype(np.float32)
    values[:250] += 20  # what the contrast of the crop spans
    face = FaceFrame(Path("none"), values, np.array([*points.min(0), *points.max(0)], np.float32), points)
    crops = LabelledCrops([face], 24, 0, CropConfig(size=64, rotate_deg=0, shift=0.0, zoom=(1.0, 1.0)))
    rough = [float(np.median(np.abs(np.diff(crops[i][0][0][44:60, 4:60], axis=1)))) for i in range(24)]
    assert np.median(rough) < 0.03


def test_crops_of_labelled_faces_move_pixels_and_points_together(sf_tl54):
    """A bright spot on a point of the image is under that point in the crop."""
    folder = sf_tl54 / "gray" / "val" / "images"
    y, x = np.mgrid[:200, :220] + 0.5
    spot = 255 * np.exp(-((x - POINTS[30, 0]) ** 2 + (y - POINTS[30, 1]) ** 2) / 200)
    for path in folder.iterdir():
        cv2.imwrite(str(path), spot.astype(np.uint8))
    crops = LabelledCrops(SfTl54(sf_tl54, "val"), 12, 0, CropConfig(size=64))
    rows, columns = np.mgrid[:64, :64] + 0.5
    checked = 0
    for i in range(12):
        values, points = crops[i]
        assert values.shape == (1, 64, 64) and values.dtype == points.dtype == np.float32
        weight = np.clip(values[0] - 0.6, 0, None)
        found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        if (np.abs(points[30] - 32) < 24).all():
            checked += 1
            np.testing.assert_allclose(found, points[30], atol=0.7)
    assert checked > 6
    np.testing.assert_array_equal(crops[3][0], crops[3][0])
    first = crops[3][1]
    crops.epoch = 1
    assert not np.array_equal(crops[3][1], first)


def test_real_faces_too_are_cut_as_ordinary_ones_where_that_is_asked():
    face = FaceFrame(Path("none"), np.random.default_rng(0).normal(0, 3, (200, 220)).astype(np.float32),
                     np.array([*POINTS.min(0), *POINTS.max(0)], np.float32), POINTS.astype(np.float32))

    def sides(config: CropConfig) -> np.ndarray:
        crops = LabelledCrops([face], 40, 0, config)
        boxes = [face_box(crops[i][1]) for i in range(40)]
        return np.array([(box[2:] - box[:2]).max() for box in boxes]) * (1 + 2 * CROP_MARGIN) / 64

    still = {"size": 64, "rotate_deg": 0.0}
    every = sides(CropConfig(**still))
    ordinary = sides(CropConfig(**still, ordinary=1.0))
    assert every.min() < 0.77 < 0.94 / ORDINARY.zoom[1] < ordinary.min()
    assert every.max() > 1.27 > 1.06 / ORDINARY.zoom[0] > ordinary.max()
