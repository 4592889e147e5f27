"""Data sets, augmentation and mixtures for the detector."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.config import ContrastConfig  # noqa: E402
from training.data.augment import (  # noqa: E402
    CLOSE_WIDTH,
    MOST_MAGNIFIED,
    AugmentConfig,
    affine,
    detail_enhanced,
    random_matrix,
    sensor,
)
from training.data.coco import CocoDetection, DataError, Sample, write_listing  # noqa: E402
from training.data.mixture import Mixture, Part, collate  # noqa: E402

CLASSES = ("person", "bicycle", "car")


@pytest.fixture
def tree(tmp_path):
    """A tiny COCO set: two images, one class that the model does not know, an ignore region, bad boxes."""
    (tmp_path / "train").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "train" / name), rng.integers(0, 255, (40, 60), np.uint8))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 60, "height": 40},
                   {"id": 9, "file_name": "b.png", "width": 60, "height": 40}],
        "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}, {"id": 5, "name": "dont_care"},
                       {"id": 6, "name": "tram"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [5, 6, 10, 12]},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [30, 6, 10, 12]},
            {"id": 3, "image_id": 7, "category_id": 1, "bbox": [50, 30, 30, 30]},
            {"id": 4, "image_id": 7, "category_id": 1, "bbox": [10, 10, 0, 5]},
            {"id": 5, "image_id": 7, "category_id": 1, "bbox": [100, 100, 5, 5]},
            {"id": 6, "image_id": 7, "category_id": 6, "bbox": [1, 1, 9, 9]},
        ],
    }
    (tmp_path / "train.json").write_text(json.dumps(content))
    return tmp_path


def test_coco_maps_names_clips_boxes_and_keeps_empty_images(tree):
    data = CocoDetection(tree, "train", CLASSES)
    sample = data[0]
    assert len(data) == 2 and len(data[1].boxes) == 0
    assert data.labelled.tolist() == [True, False, True]
    np.testing.assert_allclose(sample.boxes, [[5, 6, 15, 18], [30, 6, 40, 18], [50, 30, 60, 40], [1, 1, 10, 10]])
    # A class that the model lacks is an object all the same: it must not be learnt as background.
    assert sample.labels.tolist() == [2, -1, 0, -1]


def test_what_is_listed_is_read_again(tmp_path):
    (tmp_path / "val").mkdir()
    entries = []
    for number, boxes in ((4, [[5, 6, 10, 12]]), (2, []), (9, [[1, 2, 3, 4], [0, 0, 8, 8]])):
        cv2.imwrite(str(tmp_path / "val" / f"{number}.png"), np.zeros((40, 60), np.uint8))
        entries.append(({"id": number, "file_name": f"{number}.png", "width": 60, "height": 40},
                        [{"category_id": 1 + k, "bbox": box} for k, box in enumerate(boxes)]))
    write_listing(tmp_path / "val.json", entries, ("car", "person"))
    numbers = [row["id"] for row in json.loads((tmp_path / "val.json").read_text())["annotations"]]
    assert numbers == [1, 2, 3]
    data = CocoDetection(tmp_path, "val", CLASSES)
    assert [entry["id"] for entry in data.images] == [4, 2, 9]
    assert [data.boxes(i)[1].tolist() for i in range(3)] == [[2], [], [2, 0]]
    np.testing.assert_array_equal(data.boxes(2)[0], [[1, 2, 4, 6], [0, 0, 8, 8]])


def test_changed_boxes_are_counted_once(tree, capsys):
    rewritten(tree, lambda content: content["annotations"][0].update(bbox=[5, 6, 10, 0.5]))
    data = CocoDetection(tree, "train", CLASSES)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "train.json: of 6 boxes 1 reach over the border and are clipped, 1 are a" in said
    assert "2 without area are left out, first annotation 4, 10 10 10 15 (x1 y1 x2 y2) in 60 x 40" in said
    # A sliver is no target, and no background either.
    assert data.boxes(0)[0][0].tolist() == [5, 6, 15, 6.5] and data.boxes(0)[1][0] == -1
    assert data[0].labels.tolist() == data.boxes(0)[1].tolist() and not capsys.readouterr().err


def test_a_set_with_good_boxes_says_nothing(tree, capsys):
    rewritten(tree, lambda content: content.update(annotations=content["annotations"][:2]))
    CocoDetection(tree, "train", CLASSES)
    assert capsys.readouterr() == ("", "")


def test_a_set_of_which_many_boxes_lie_elsewhere_is_refused(tree):
    def shrunk(content):
        content["images"][0].update(width=6, height=4)
        content["annotations"] = [{**content["annotations"][0], "id": i} for i in range(11)]

    rewritten(tree, shrunk)
    cv2.imwrite(str(tree / "train" / "a.png"), np.zeros((4, 6), np.uint8))
    with pytest.raises(DataError, match="train.json: 11 of 11 boxes have no area inside their images, first annot"):
        CocoDetection(tree, "train", CLASSES)


def test_absent_classes_are_background_and_not_unknown(tree):
    assert CocoDetection(tree, "train", CLASSES, ("bicycle",)).labelled.tolist() == [True, True, True]


def test_a_set_without_the_class_teaches_what_it_does_not_look_like(tree):
    data = CocoDetection(tree, "train", ("face",), absent=("face",), background=("car", "tram"))
    assert data.labelled.tolist() == [True]
    # Cars and trams are background; people, whose faces nobody marked, and dont_care are not judged.
    np.testing.assert_allclose(data[0].boxes, [[30, 6, 40, 18], [50, 30, 60, 40]])
    assert data[0].labels.tolist() == [-1, -1]


def test_unusable_sets_are_named(tree, tmp_path):
    with pytest.raises(DataError, match="none of the model's classes"):
        CocoDetection(tree, "train", ("boat",))
    with pytest.raises(DataError, match="val.json is missing"):
        CocoDetection(tree, "val", CLASSES)
    (tree / "train.json").write_text("{")
    with pytest.raises(DataError, match="not COCO json"):
        CocoDetection(tree, "train", CLASSES)


def rewritten(tree, change):
    content = json.loads((tree / "train.json").read_text())
    change(content)
    (tree / "train.json").write_text(json.dumps(content))


def test_crowds_are_not_judged(tree):
    rewritten(tree, lambda content: content["annotations"][0].update(iscrowd=1))
    sample = CocoDetection(tree, "train", CLASSES)[0]
    np.testing.assert_allclose(sample.boxes[0], [5, 6, 15, 18])
    assert sample.labels.tolist() == [-1, -1, 0, -1]


@pytest.mark.parametrize(("crowd", "label"), [(0, 2), (False, 2), (None, 2), (True, -1)])
def test_crowds_are_told_in_numbers_or_truth(tree, crowd, label):
    rewritten(tree, lambda content: content["annotations"][0].update(iscrowd=crowd))
    assert CocoDetection(tree, "train", CLASSES)[0].labels[0] == label


@pytest.mark.parametrize("field", ["image_id", "category_id"])
def test_annotations_of_nothing_are_told(tree, field):
    rewritten(tree, lambda content: content["annotations"][2].update({field: 99}))
    with pytest.raises(DataError, match=r"train.json: annotation 3 .*\(99\)"):
        CocoDetection(tree, "train", CLASSES)


@pytest.mark.parametrize(("change", "said"), [
    (lambda c: c["images"][1].pop("width"), "image 9 has no 'width'"),
    (lambda c: c["images"][1].update(height=None), "image 9 has the 'height' None"),
    (lambda c: c["images"][1].update(width=0), "image 9 has the 'width' 0"),
    (lambda c: c["images"][1].pop("file_name"), "image 9 has no 'file_name'"),
    (lambda c: c["images"][1].pop("id"), "image at place 2 of the list has no 'id'"),
    (lambda c: c["images"].append("c.png"), "image at place 3 of the list has no 'id'"),
    (lambda c: c.update(images={"a": 1}), "its image entries are no list"),
    (lambda c: c["categories"][2].pop("name"), "category 5 has no 'name'"),
    (lambda c: c["categories"][2].pop("id"), "category at place 3 of the list has no 'id'"),
    (lambda c: c["annotations"][2].pop("bbox"), "annotation 3 has no 'bbox'"),
    (lambda c: c["annotations"][2].update(bbox=[1, 2, 3]), "annotation 3 has the 'bbox' .1, 2, 3.; wanted is four"),
    (lambda c: c["annotations"][2].update(bbox=[1, 2, 3, None]), "annotation 3 has the 'bbox'"),
    (lambda c: c["annotations"][2].update(bbox=[1, 2, 3, float("nan")]), "annotation 3 has the 'bbox'"),
    (lambda c: c["annotations"][2].update(bbox=[1, 2, 3, 10**400]), "annotation 3 has the 'bbox'"),
    (lambda c: c["images"][1].update(width=10**400), "image 9 has the 'width'"),
    (lambda c: c["annotations"][2].update(iscrowd="0"), "annotation 3 has the iscrowd '0', expected 0 or 1"),
    (lambda c: c["annotations"][2].update(image_id=[7]), "annotation 3 has the 'image_id'"),
    (lambda c: c["images"][1].update(id=7), "image 7 is listed twice, as a.png and as b.png"),
    (lambda c: c["categories"][1].update(id=3), "category 3 is listed twice, as car and as person"),
    (lambda c: c["annotations"][2].pop("category_id"), "annotation 3 has no 'category_id'")])
def test_entries_that_lack_something_are_told(tree, change, said):
    rewritten(tree, change)
    with pytest.raises(DataError, match=f"train.json: {said}"):
        CocoDetection(tree, "train", CLASSES)


def test_a_set_without_images_is_told(tree):
    rewritten(tree, lambda content: content.update(images=[], annotations=[]))
    with pytest.raises(DataError, match="lists no image"):
        CocoDetection(tree, "train", CLASSES)


def test_json_without_an_end_of_brackets_is_told(tree):
    (tree / "train.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="train.json is not COCO json"):
        CocoDetection(tree, "train", CLASSES)


@pytest.mark.parametrize("appended", [b"", bytes(64), b"the camera's own" * 999])
def test_a_jpeg_that_is_cut_off_is_named_and_one_with_more_behind_it_is_not(tree, appended):
    whole = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (40, 60), np.uint8))[1].tobytes()
    path = tree / "train" / "a.jpg"
    rewritten(tree, lambda content: content["images"][0].update(file_name="a.jpg"))
    thumbnail = b"\xff\xe1" + (2 + len(whole)).to_bytes(2, "big") + whole
    whole = whole[:2] + thumbnail + whole[2:]
    path.write_bytes(whole + appended)
    data = CocoDetection(tree, "train", CLASSES)
    assert data[0].values.shape == (40, 60)
    path.write_bytes(whole[: 7 * len(whole) // 8])
    assert cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) is not None, "OpenCV refuses it: this tests nothing"
    with pytest.raises(DataError, match="a.jpg is cut off"):
        data[0]


def test_an_image_may_have_the_name_of_another_format(tree):
    rewritten(tree, lambda content: content["images"][0].update(file_name="a.jpg"))
    (tree / "train" / "a.png").rename(tree / "train" / "a.jpg")
    assert CocoDetection(tree, "train", CLASSES)[0].values.ndim == 2


def test_an_unreadable_image_is_named(tree):
    (tree / "train" / "a.png").write_bytes(b"no png")
    with pytest.raises(DataError, match="a.png cannot be read"):
        CocoDetection(tree, "train", CLASSES)


def test_an_image_that_is_not_there_is_named(tree):
    (tree / "train" / "b.png").unlink()
    with pytest.raises(DataError, match="1 of 2 images are not there: b.png in .*train"):
        CocoDetection(tree, "train", CLASSES)


def test_no_pixel_is_decoded_before_it_is_wanted(tree, monkeypatch):
    monkeypatch.setattr(cv2, "imread", lambda *_: pytest.fail("an image was decoded"))
    assert len(CocoDetection(tree, "train", CLASSES).boxes(0)[0]) == 4


def test_an_image_of_another_size_than_its_boxes_are_for_is_told(tree):
    cv2.imwrite(str(tree / "train" / "a.png"), np.zeros((80, 120), np.uint8))
    with pytest.raises(DataError, match="a.png is 120 x 80 pixels, its boxes are for 60 x 40"):
        CocoDetection(tree, "train", CLASSES)


def test_an_orientation_tag_does_not_turn_the_image_under_its_boxes(tree):
    picture = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (40, 60), np.uint8))[1].tobytes()
    # A TIFF directory with one entry: orientation (0x0112), a short, 6: turn by 90 degrees to show.
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path = tree / "train" / "a.jpg"
    path.write_bytes(picture[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + picture[2:])
    assert cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).shape == (60, 40), "the tag is not read: this tests nothing"
    rewritten(tree, lambda content: content["images"][0].update(file_name="a.jpg"))
    assert CocoDetection(tree, "train", CLASSES)[0].values.shape == (40, 60)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_follow_the_pixels(seed):
    # Bright blocks: after the warp each box must bound its block's pixels.
    rng = np.random.default_rng(seed)
    image = np.zeros((120, 160), np.float32)
    boxes = np.array([[20, 30, 50, 60], [90, 50, 130, 110]], np.float32)
    for x1, y1, x2, y2 in boxes.astype(int):
        image[y1:y2, x1:x2] = 1.0
    config = AugmentConfig(rotate_deg=0.0, vertical_flip=0.5, fill=0.0)
    matrix = random_matrix(rng, image.shape, (96, 96), boxes, np.array([0, 1]), config)
    for k in range(2):
        alone = np.zeros_like(image)
        x1, y1, x2, y2 = boxes[k].astype(int)
        alone[y1:y2, x1:x2] = 1.0
        warped, moved, labels = affine(alone, boxes[k : k + 1], np.array([1]), matrix, 96, 96, 0.3)
        hot = np.argwhere(np.isclose(warped, 1.0, atol=0.4) & (warped != 0.5))
        if not len(moved):
            continue
        found = [hot[:, 1].min(), hot[:, 0].min(), hot[:, 1].max() + 1, hot[:, 0].max() + 1]
        np.testing.assert_allclose(moved[0], found, atol=2.0)


@pytest.mark.parametrize("angle", [0.0, 12.0, 45.0, 90.0])
def test_a_turned_box_bounds_a_turned_ellipse(angle):
    image = np.zeros((120, 120), np.float32)
    cv2.ellipse(image, (60, 50), (30, 15), 0, 0, 360, 1.0, -1)
    turn = np.deg2rad(angle)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.column_stack([linear, np.array([60.0, 60.0]) - linear @ (60.5, 50.5)])
    warped, boxes, _ = affine(image, np.array([[30, 35, 91, 66]], np.float32), np.array([0]), matrix, 120, 120, 0.3)
    hot = np.argwhere(np.isclose(warped, 1.0, atol=0.4) & (warped != 0.5))
    found = [hot[:, 1].min(), hot[:, 0].min(), hot[:, 1].max() + 1, hot[:, 0].max() + 1]
    np.testing.assert_allclose(boxes[0], found, atol=1.5)


def test_a_box_that_shrinks_to_a_line_becomes_an_ignore_region_and_stays_one():
    matrix = np.array([[0.1, 0, 5.0], [0, 0.1, 5.0]])
    boxes = np.array([[10, 10, 22, 40], [100, 100, 140, 140], [200, 10, 212, 40], [900, 0, 999, 50]], np.float32)
    _, moved, labels = affine(np.zeros((300, 300), np.float32), boxes, np.array([2, 1, -1, 0]), matrix, 40, 40, 0.3)
    np.testing.assert_allclose(moved, boxes[:3] * 0.1 + 5.0, atol=1e-5)
    assert labels.tolist() == [-1, 1, -1]


def test_a_box_mostly_cut_away_becomes_an_ignore_region():
    matrix = np.array([[1.0, 0, -25.0], [0, 1, 0]])
    _, boxes, labels = affine(np.zeros((40, 40), np.float32), np.array([[10, 10, 30, 30]], np.float32), np.array([2]),
                              matrix, 40, 40, 0.3)
    np.testing.assert_allclose(boxes, [[0, 10, 5, 30]])
    assert labels.tolist() == [-1]


def test_sensor_effects_stay_in_range_and_do_not_touch_their_input():
    image = np.random.default_rng(0).random((48, 64)).astype(np.float32)
    before = image.copy()
    for seed in range(20):
        for config in (AugmentConfig(), AugmentConfig(detail=1.0)):
            out = sensor(image, np.random.default_rng(seed), config)
            assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1 and np.isfinite(out).all()
    np.testing.assert_array_equal(image, before)
    # A blank image has no detail to bring out, and noise is not made to fill the range.
    blank = np.full((48, 64), 0.5, np.float32)
    assert np.ptp(sensor(blank, np.random.default_rng(0), AugmentConfig(detail=1.0, noise=0.0, shading=0.0, stripes=0.0,
                                                                        dead_pixels=0.0))) < 0.05


def test_detail_is_brought_out_and_large_differences_are_not():
    y, x = np.mgrid[:96, :128].astype(np.float32)
    slope, texture = x / 128, 0.02 * ((x.astype(int) // 3 + y.astype(int) // 3) % 2)
    for seed in range(8):
        plain, rich = (detail_enhanced(image.astype(np.float32), np.random.default_rng(seed))
                       for image in (slope, slope + texture))
        added = (rich - plain)[16:-16, 16:-16]
        assert added.std() > 1.1 * texture[16:-16, 16:-16].std()
        # From left to right the slope keeps its order and loses range.
        across = np.diff(plain[48, ::32])
        assert (across > 0).all() and across.sum() < 0.9 * np.ptp(slope[48, ::32])


class Blocks:
    """Images with one bright block."""

    def __init__(self, labelled):
        self.labelled = np.array(labelled)

    def __len__(self):
        return 5

    def __getitem__(self, i):
        values = np.zeros((64, 80), np.uint8)
        values[20:40, 30 + i : 50 + i] = 200
        return Sample(values, np.array([[30 + i, 20, 50 + i, 40]], np.float32), np.array([0]), self.labelled)


def mixture(seed=0):
    parts = [Part(Blocks([True, False]), 2.0, AugmentConfig()), Part(Blocks([True, True]), 1.0, AugmentConfig())]
    return Mixture(parts, (64, 64), seed, ContrastConfig())


def test_items_depend_on_seed_epoch_and_index_alone():
    a, b = mixture(), mixture()
    assert len(a) == 15
    for epoch in (0, 3):
        a.set_epoch(epoch)
        b.set_epoch(epoch)
        _ = b[1]
        for left, right in zip(a[7], b[7], strict=True):
            np.testing.assert_array_equal(left, right)
    a.set_epoch(1)
    assert any(not np.array_equal(x, y) for x, y in zip(a[7], b[7], strict=True))


def test_weighted_parts_are_drawn_by_weight():
    weights = np.array([4.0, 1.0, 1.0, 1.0, 1.0])
    data = Mixture([Part(Blocks([True]), 1.6, AugmentConfig(), weights)], (64, 64), 0, ContrastConfig())
    for epoch in range(3):
        data.set_epoch(epoch)
        assert sorted(i for _, i in data.order) == [0, 0, 0, 0, 1, 2, 3, 4]


def test_all_tiles_of_a_mosaic_are_drawn_by_weight(monkeypatch):
    part = Part(Blocks([True]), 40.0, AugmentConfig(mosaic=1.0), np.array([6.0, 1.0, 1.0, 1.0, 1.0]))
    data = Mixture([part], (64, 64), 0, ContrastConfig())
    seen, own = [], Blocks.__getitem__
    monkeypatch.setattr(Blocks, "__getitem__", lambda self, i: (seen.append(i), own(self, i))[1])
    for index in range(len(data)):
        _ = data[index]
    assert len(seen) == 4 * len(data)
    # 0.6 of 600 drawn tiles, 0.02 the standard deviation; drawn alike it would be 0.2.
    others = [i for k, i in enumerate(seen) if k % 4]
    assert others.count(0) / len(others) == pytest.approx(0.6, abs=0.08)


def test_collate_pads_and_keeps_what_is_labelled():
    data = mixture()
    images, targets = collate([data[i] for i in range(4)])
    assert images.shape == (4, 1, 64, 64) and images.dtype == torch.float32
    for b in range(4):
        _, boxes, labels, labelled = data[b]
        count = (targets.labels[b] != -2).sum()
        assert count == len(labels)
        np.testing.assert_allclose(targets.boxes[b, :count], boxes)
        np.testing.assert_array_equal(targets.labelled[b], labelled)


def test_zoom_one_of_a_fitted_crop_is_the_letterbox():
    config = AugmentConfig(scale=(1.0, 1.0), fit=True, rotate_deg=0.0, flip=0.0)
    for source in ((40, 60), (300, 100)):
        matrix = random_matrix(np.random.default_rng(0), source, (96, 120), np.zeros((0, 4), np.float32),
                               np.zeros(0, int), config)
        scale = min(96 / source[0], 120 / source[1])
        np.testing.assert_allclose(matrix[:, :2], np.eye(2) * scale)


@pytest.mark.parametrize("seed", range(8))
def test_what_comes_close_fills_much_of_the_canvas_and_keeps_its_upper_end(seed):
    person, far = [300, 100, 360, 300], [10, 10, 14, 22]
    config = AugmentConfig(close=1.0, fill=0.0, rotate_deg=0.0)
    boxes = np.array([far, person], np.float32)
    matrix = random_matrix(np.random.default_rng(seed), (480, 640), (256, 320), boxes, np.array([0, 1]), config)
    (left, top), (right, bottom) = sorted((matrix @ np.array([[300, 360], [100, 300], [1, 1]])).T.tolist())
    assert 320 * CLOSE_WIDTH[0] <= right - left <= 60 * MOST_MAGNIFIED
    assert right - left <= 320 * CLOSE_WIDTH[1]
    assert 0 <= min(top, bottom) <= 0.3 * 256 < max(top, bottom)
    assert 0.3 * 320 <= (left + right) / 2 <= 0.7 * 320


def test_what_the_source_hardly_shows_is_not_brought_close():
    boxes = np.array([[10, 10, 10 + 0.99 * CLOSE_WIDTH[0] * 320 / MOST_MAGNIFIED, 90]], np.float32)
    label, rng, other = np.array([0]), np.random.default_rng(0), np.random.default_rng(0)
    other.random()  # whether to come close
    matrix = random_matrix(rng, (480, 640), (256, 320), boxes, label, AugmentConfig(close=1.0))
    np.testing.assert_array_equal(matrix, random_matrix(other, (480, 640), (256, 320), boxes, label, AugmentConfig()))


@pytest.mark.parametrize("config", [AugmentConfig(focus=1.0, fill=0.0), AugmentConfig(close=1.0, fill=0.0)])
def test_a_crop_looks_for_each_class_alike_and_for_no_ignored_region(config):
    # Nine cars at the left, one bicycle on the right, and between them what is ignored.
    boxes = np.array([[10, 10 * i, 90, 10 * i + 60] for i in range(9)] + [[560, 20, 640, 80], [300, 200, 380, 260]],
                     np.float32)
    labels, rng = np.array([2] * 9 + [1, -1]), np.random.default_rng(0)
    seen = []
    for _ in range(300):
        matrix = random_matrix(rng, (480, 640), (256, 320), boxes, labels, config)
        middle = np.linalg.solve(matrix[:, :2], np.array([160, 128]) - matrix[:, 2])
        seen.append(int(np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - middle).sum(1).argmin()))
    share = np.bincount(np.append(labels, 0)[seen] + 1, minlength=4) / len(seen)
    assert share[2] == pytest.approx(0.5, abs=0.1)  # one of ten boxes
    assert share[0] < 0.2  # seen in passing
