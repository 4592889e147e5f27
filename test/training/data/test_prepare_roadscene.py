"""Joining RoadScene's crops with boxes of whole frames, on a small tree whose registration is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_kd_ros.simulation.noise import value_noise
from training.data.coco import DataError
from training.data.pairs import PairedCoco
from training.data.prepare_roadscene import VALIDATION, main, mapped, prepare, registration, split_of

MATRIX = np.array([[0.88, 0.02, -30.0], [-0.01, 0.80, -25.0], [2e-5, -4e-5, 1.0]])
"""Of the kind found in RoadScene: unequal scales, a little turn and perspective."""
SIZE = (400, 300)
CLASSES = ("person", "bicycle", "car", "dog")


def whole_frame(seed: int) -> np.ndarray:
    noise = value_noise(np.random.default_rng(seed), 512, 640, 40, 5, 0.8)
    return np.clip(128 + 45 * noise, 0, 255).astype(np.uint8)


def checkout(root: Path, stems: tuple[str, ...]) -> Path:
    for i, stem in enumerate(stems):
        frame = whole_frame(i)
        crop = cv2.warpPerspective(frame, MATRIX, SIZE)
        for folder, name, image in (("infrared", f"{stem}.png", frame), ("cropinfrared", f"{stem}.jpg", crop),
                                    ("crop_LR_visible", f"{stem}.jpg", cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR))):
            (root / folder).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(root / folder / name), image)
    return root


def listing(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["image_name,class_id,xmin,xmax,ymin,ymax", *rows]) + "\n")
    return path


def project(points: np.ndarray) -> np.ndarray:
    """Continuous coordinates by the matrix for pixel centres, point by point."""
    out = []
    for x, y in points - 0.5:
        u, v, w = MATRIX @ (x, y, 1)
        out.append((u / w + 0.5, v / w + 0.5))
    return np.array(out)


def test_boxes_follow_the_homography_point_by_point() -> None:
    boxes = np.array([[100, 120, 180, 260], [20, 30, 60, 70], [300, 200, 700, 500]], float)
    got, share = mapped(boxes, MATRIX, *SIZE)
    for box, mine, inside in zip(boxes, got, share, strict=True):
        corners = project(np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]]))
        low, high = corners.min(0), corners.max(0)
        cut_low, cut_high = np.clip(low, 0, SIZE), np.clip(high, 0, SIZE)
        np.testing.assert_allclose(mine, [*cut_low, *cut_high], atol=1e-3)
        assert inside == pytest.approx(np.prod(cut_high - cut_low) / np.prod(high - low), abs=1e-5)


def test_a_crop_is_found_in_its_frame() -> None:
    frame = whole_frame(0)
    crop = cv2.warpPerspective(frame, MATRIX, SIZE)
    crop = np.clip(255.0 * (crop / 255.0) ** 0.7 + np.random.default_rng(0).normal(0, 3, crop.shape), 0, 255)
    found, agreed = registration(frame, crop.astype(np.uint8))
    corners = np.array([[60, 60], [500, 60], [60, 420], [500, 420]], np.float64)
    expected = project(corners + 0.5) - 0.5
    np.testing.assert_allclose(cv2.perspectiveTransform(corners[None], found)[0], expected, atol=0.8)
    assert agreed > 100
    assert registration(frame, np.full((100, 100), 7, np.uint8))[1] == 0


def test_the_joined_set_reads_as_pairs(tmp_path: Path) -> None:
    root = checkout(tmp_path / "RoadScene", ("FLIR_00006", "FLIR_00977", "FLIR_00018"))
    boxes = listing(tmp_path / "a.csv", "FLIR_00006.jpeg,1,100,180,120,260", "FLIR_00006.jpeg,3,600,639,100,200",
                    "FLIR_00977.jpeg,3,200,300,200,300", "FLIR_00977.jpeg,7,320,380,200,300")
    assert prepare(root, [boxes], tmp_path / "out") == {"train": 1, "val": 1, "without boxes": 1}
    sample = PairedCoco(tmp_path / "out", "train", CLASSES)[0]
    assert sample.labels.tolist() == [0], "the second box lies outside the crop"
    expected, _ = mapped(np.array([[100.0, 120, 180, 260]]), MATRIX, *SIZE)
    np.testing.assert_allclose(sample.boxes, expected, atol=1.0)
    assert PairedCoco(tmp_path / "out", "val", CLASSES)[0].labels.tolist() == [2, -1], "a class of no name is ignored"


def test_no_frame_near_a_validation_stretch_is_trained_on() -> None:
    for prefix, first, last in VALIDATION:
        assert split_of(f"{prefix}{first:05d}") == split_of(f"{prefix}{last:05d}") == "val"
        assert split_of(f"{prefix}{first - 1:05d}") == split_of(f"{prefix}{last + 1:05d}") == "train"
    assert split_of("FLIR_video_00977") == "train"


def test_what_does_not_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = checkout(tmp_path / "RoadScene", ("FLIR_00006",))
    good = listing(tmp_path / "a.csv", "FLIR_00006.jpeg,1,100,180,120,260")

    def refused(message: str, boxes: Path = good, source: Path = root) -> None:
        with pytest.raises(DataError, match=message):
            prepare(source, [boxes], tmp_path / "out")

    refused("cropinfrared is missing", source=tmp_path)
    refused("cannot be read", tmp_path / "none.csv")
    refused("first line should be", Path(__file__))
    refused("line 2: .*five whole numbers", listing(tmp_path / "b.csv", "FLIR_00006.jpeg,1,a,180,120,260"))
    refused("line 2: .*five whole numbers", listing(tmp_path / "e.csv", ""))
    (tmp_path / "f.csv").write_bytes(b"\xff\xfe")
    refused("f.csv cannot be read", tmp_path / "f.csv")
    refused("has no area", listing(tmp_path / "c.csv", "FLIR_00006.jpeg,1,180,180,120,260"))
    refused("names none of the 1 images", listing(tmp_path / "d.csv", "FLIR_07777.jpeg,1,100,180,120,260"))
    visible = root / "crop_LR_visible" / "FLIR_00006.jpg"
    cv2.imwrite(str(visible), np.zeros((300, 402, 3), np.uint8))
    refused("not registered")
    visible.unlink()
    refused("lack their visible half")
    assert main(["--roadscene", str(root), "--flir", str(good), "--output", str(tmp_path / "out")]) == 1
    assert "error: 1 crops lack" in capsys.readouterr().err


def test_a_crop_of_another_frame_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path / "RoadScene", ("FLIR_00006",))
    assert cv2.imwrite(str(root / "infrared" / "FLIR_00006.png"), whole_frame(9))
    with pytest.raises(DataError, match="not found in their whole frames"):
        prepare(root, [listing(tmp_path / "a.csv", "FLIR_00006.jpeg,1,100,180,120,260")], tmp_path / "out")
