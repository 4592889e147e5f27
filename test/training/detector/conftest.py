"""What tests of several parts of detector training share."""

import json

import cv2
import numpy as np
import pytest


@pytest.fixture
def data(tmp_path):
    """A data folder with ``set``: 16 thermal images with a warm person in each, and no val split."""
    folder = tmp_path / "data" / "set" / "train"
    folder.mkdir(parents=True)
    images, annotations = [], []
    rng = np.random.default_rng(0)
    for i in range(16):
        values = rng.integers(0, 60, (64, 64), np.uint8)
        x, y = (int(v) for v in rng.integers(4, 36, 2))
        values[y : y + 24, x : x + 12] += 150
        cv2.imwrite(str(folder / f"{i}.png"), values)
        images.append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 64})
        annotations.append({"id": i, "image_id": i, "category_id": 1, "bbox": [x, y, 12, 24]})
    (folder.parent / "train.json").write_text(json.dumps(
        {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}))
    return tmp_path / "data"
