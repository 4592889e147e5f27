"""Registered pairs: what is refused, and one geometry for both halves."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.config import ContrastConfig  # noqa: E402
from training.data.augment import AugmentConfig, daylight  # noqa: E402
from training.data.coco import CocoDetection, DataError  # noqa: E402
from training.data.mixture import Mixture, Part, collate  # noqa: E402
from training.data.pairs import PairedCoco, PairedSample  # noqa: E402

_spec = importlib.util.spec_from_file_location("pairs", Path(__file__).parents[1] / "pairs.py")
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)

CLASSES = ("person", "car")


@pytest.fixture
def tree(tmp_path):
    made.write_pairs(tmp_path)
    return tmp_path


def test_partners_are_found_by_stem_whatever_the_ending(tree):
    image = cv2.imread(str(tree / "train_visible" / "3.png"))
    (tree / "train_visible" / "3.png").unlink()
    cv2.imwrite(str(tree / "train_visible" / "3.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    pairs = PairedCoco(tree, "train", CLASSES)
    thermal = CocoDetection(tree, "train", CLASSES)
    assert len(pairs) == 8
    for i in range(8):
        sample = pairs[i]
        np.testing.assert_array_equal(sample.thermal, thermal[i].values)
        np.testing.assert_array_equal(sample.boxes, thermal[i].boxes)
        first = sample.boxes[1].astype(int)
        # Red green blue: people are green in the visible half, cars red.
        colour = sample.visible[first[1] + 3, first[0] + 3].tolist()
        np.testing.assert_allclose(colour, ((30, 200, 60), (220, 40, 40))[sample.labels[1]], atol=12)


def test_unpaired_files_are_named(tree):
    (tree / "train_visible" / "5.png").unlink()
    with pytest.raises(DataError, match=r"1 of 8 thermal images have no visible partner.*5\.png"):
        PairedCoco(tree, "train", CLASSES)
    for path in (tree / "train_visible").iterdir():
        path.unlink()
    (tree / "train_visible").rmdir()
    with pytest.raises(DataError, match="train_visible is missing"):
        PairedCoco(tree, "train", CLASSES)


def test_broken_visible_images_are_named(tree):
    (tree / "train_visible" / "2.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"2\.png cannot be read"):
        PairedCoco(tree, "train", CLASSES)


def test_halves_of_another_size_are_told_when_the_set_is_opened(tree):
    cv2.imwrite(str(tree / "train_visible" / "2.png"), np.zeros((64, 66, 3), np.uint8))
    with pytest.raises(DataError, match=r"2\.png is 66 x 64 pixels, its thermal half 2.png is 64 x 64: register"):
        PairedCoco(tree, "train", CLASSES)


def test_two_thermal_images_of_one_visible_half_are_told(tree):
    content = json.loads((tree / "train.json").read_text())
    (tree / "train" / "more").mkdir()
    (tree / "train" / "5.png").rename(tree / "train" / "more" / "4.png")
    content["images"][5]["file_name"] = "more/4.png"
    (tree / "train.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"4.png and more/4.png would have the same visible half"):
        PairedCoco(tree, "train", CLASSES)


def test_sets_without_a_class_of_the_model_are_refused(tree):
    content = json.loads((tree / "train.json").read_text())
    content["categories"] = [{"id": 1, "name": "tram"}, {"id": 2, "name": "boat"}]
    (tree / "train.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="none of the model's classes"):
        PairedCoco(tree, "train", CLASSES)


def test_what_is_background_is_so_with_the_visible_half_too(tree):
    from training.detector.experiment import DataPart
    from training.detector.train import build_source

    part = DataPart("pairs", str(tree), background=("car",))
    for visible in (False, True):
        source = build_source(part, ("person",), tree, visible)
        assert [source[i].labels.tolist() for i in range(len(source))] == [[0]] * 8


GOOD = PairedSample(np.zeros((40, 60), np.uint16), np.zeros((40, 60, 3), np.uint8),
                    np.array([[1, 2, 30, 40]], np.float32), np.array([1]), np.array([True, True]))


@pytest.mark.parametrize("changes, message", [
    ({"thermal": np.zeros((40, 60, 3), np.uint8)}, "thermal image has the shape"),
    ({"visible": np.zeros((40, 60), np.uint8)}, "visible image is uint8"),
    ({"visible": np.zeros((40, 60, 3), np.float32)}, "visible image is float32"),
    ({"visible": np.zeros((44, 60, 3), np.uint8)}, "register and crop"),
    ({"boxes": np.array([[5, 5, 5, 9]], np.float32)}, "no area"),
    ({"boxes": np.array([[5, 5, 61, 9]], np.float32)}, "leaves the 60 x 40 image"),
    ({"boxes": np.array([[5, 5, np.nan, 9]], np.float32)}, "leaves the"),
    ({"boxes": np.zeros((2, 4), np.float32)}, "1 labels for boxes"),
    ({"labels": np.array([2])}, "there are 2 classes"),
])
def test_impossible_pairs_are_refused(changes, message):
    assert GOOD.check("here") is GOOD
    with pytest.raises(DataError, match=f"here.*{message}"):
        PairedSample(**{**GOOD.__dict__, **changes}).check("here")


PLAIN = AugmentConfig(gain=0, gamma=0, noise=0, blur=0, stripes=0, dead_pixels=0, shading=0, polarity=0,
                      vertical_flip=0.5, rotate_deg=20)


class Twins:
    """Pairs whose halves are the same picture."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        rng = np.random.default_rng(i)
        thermal = np.kron(rng.integers(0, 255, (12, 16)), np.ones((6, 6))).astype(np.uint8)
        thermal[0, 0], thermal[0, 1] = 0, 255
        return PairedSample(thermal, np.dstack([thermal] * 3), np.array([[20, 20, 50, 50]], np.float32), np.array([0]),
                            np.array([True, True]))


def mixture(augment, visible, seed=0):
    # The fixed span of 0 to 255 makes the thermal half's contrast that of the visible half.
    contrast = ContrastConfig(low_percentile=0.0, high_percentile=100.0, headroom=0.0)
    return Mixture([Part(Twins(), 4.0, augment)], (64, 64), seed, contrast, visible)


def test_both_halves_go_through_one_geometry():
    data = mixture(PLAIN, True)
    for i in range(len(data)):
        image = data[i][0]
        assert image.shape == (4, 64, 64)
        exposure = image[1:].mean((1, 2)) / image[1].mean()
        # Exposure differs by at most 10 % a channel; everything else must lie on everything else.
        for channel, gain in zip(image[1:], exposure, strict=True):
            assert np.corrcoef(channel.ravel(), image[0].ravel())[0, 1] > 0.98
            assert 0.75 < gain < 1.35


def test_photometric_changes_are_independent_and_the_thermal_half_is_that_of_thermal_training():
    strong = AugmentConfig(polarity=0.5, gain=0.3, gamma=0.5, blur=0.5)
    both, alone = mixture(strong, True), mixture(strong, False)
    brightness = []
    for i in range(len(both)):
        image, boxes, labels, _ = both[i]
        thermal, thermal_boxes, thermal_labels, _ = alone[i]
        np.testing.assert_allclose(image[:1], thermal, atol=1e-6)
        np.testing.assert_array_equal(boxes, thermal_boxes)
        np.testing.assert_array_equal(labels, thermal_labels)
        brightness.append((image[0].mean(), image[1:].mean()))
    assert abs(np.corrcoef(np.array(brightness).T)[0, 1]) < 0.6
    again = mixture(strong, True)
    np.testing.assert_array_equal(both[5][0], again[5][0])
    images, targets = collate([both[i] for i in range(3)])
    assert images.shape == (3, 4, 64, 64) and targets.boxes.shape[0] == 3


def test_daylight_stays_in_range_and_does_not_touch_its_input():
    image = np.random.default_rng(0).random((32, 48, 3)).astype(np.float32)
    before = image.copy()
    for seed in range(20):
        out = daylight(image, np.random.default_rng(seed), AugmentConfig())
        assert out.dtype == np.float32 and out.shape == image.shape and 0 <= out.min() and out.max() <= 1
    np.testing.assert_array_equal(image, before)
