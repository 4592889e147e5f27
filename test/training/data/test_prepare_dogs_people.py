"""False colours become grey by the palette that is in the picture."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.images import write_image
from training.data.coco import CocoDetection
from training.data.prepare_dogs_people import _PALETTE, BAR, bar_of, main, warmth


def colours(heat: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 of heat (...) in [0, 1], 1 hottest."""
    at = (1 - heat) * (len(_PALETTE) - 1)
    return np.stack([np.interp(at, np.arange(len(_PALETTE)), channel) for channel in _PALETTE.T], -1).round().astype(
        np.uint8)


def picture(heat: np.ndarray, side: int) -> np.ndarray:
    """A picture of heat (H, W) with its bar below (0) or at the left (1)."""
    image = colours(heat)
    bar = colours(np.linspace(1, 0, heat.shape[1 - side]))
    if side == 0:
        image[-3:] = bar
    else:
        image[:, :3] = bar[:, None]
    return image


@pytest.fixture
def heat() -> np.ndarray:
    """A warm body before a colder gradient."""
    field = np.tile(np.linspace(0.0, 0.5, 120), (90, 1))
    field[30:70, 40:70] = 0.9
    return field


@pytest.mark.parametrize("side", [0, 1])
def test_warmer_is_brighter_again(heat: np.ndarray, side: int) -> None:
    image = picture(heat, side)
    assert bar_of(image)[0] == side
    grey = warmth(image)
    inner = (slice(2, -BAR - 2), slice(BAR + 2, -2))
    # Two of the palette's colours may be next to one; edges are smoothed.
    assert np.abs(grey[inner] / 255.0 - heat[inner]).mean() < 0.01
    # Luminance does not tell the order: the body is no brighter than what is half as warm.
    luminance = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[inner].ravel()
    order, ours = (np.corrcoef(values, heat[inner].ravel())[0, 1] for values in (luminance, grey[inner].ravel()))
    assert ours > 0.99 > order
    # The bar has gone: there the picture goes on.
    strip, beside = (grey[-BAR:], grey[-BAR - 1]) if side == 0 else (grey[:, :BAR].T, grey[:, BAR])
    assert (strip == beside).all()


def test_a_set_keeps_its_boxes_and_a_picture_without_a_bar_is_named(heat: np.ndarray, tmp_path: Path,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    content = {"images": [{"id": 1, "file_name": "a.png", "width": 120, "height": 90}],
               "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [40, 30, 30, 40]}],
               "categories": [{"id": 1, "name": "person"}]}
    for split in ("train", "val"):
        (tmp_path / "in" / split).mkdir(parents=True)
        (tmp_path / "in" / f"{split}.json").write_text(json.dumps(content))
        write_image(tmp_path / "in" / split / "a.png", cv2.cvtColor(picture(heat, 0), cv2.COLOR_RGB2BGR))
    arguments = ["--images", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    sample = CocoDetection(tmp_path / "out", "val")[0]
    np.testing.assert_array_equal(sample.boxes, [[40, 30, 70, 70]])
    assert sample.values.shape == (90, 120) and sample.values[35:65, 45:65].min() > 220 > sample.values[20, 60]
    write_image(tmp_path / "in" / "val" / "a.png", np.full((90, 120, 3), 99, np.uint8))
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "val/a.png: neither its lower nor its left side is the bar" in said and said.count("\n") == 1
