"""A tiny paired data set, for tests of what learns from pairs."""

import json

import cv2
import numpy as np


def write_pairs(root, split="train", count=8, classes=("person", "car"), shift=0):
    """COCO files with a visible half: blocks that are hot and coloured, at the same place in both."""
    rng = np.random.default_rng(5)
    (root / split).mkdir(parents=True)
    (root / f"{split}_visible").mkdir()
    images, annotations = [], []
    for i in range(count):
        coarse = rng.integers(0, 90, (16, 16), np.uint8)
        thermal = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)
        visible = np.dstack([160 - thermal] * 3)
        for k in range(2):
            x, y = (int(v) for v in rng.integers(2, 36, 2))
            label = (i + k) % len(classes)
            width, height = ((12, 24), (26, 12))[label % 2]
            thermal[y : y + height, x : x + width] = 200 + 20 * label
            visible[y : y + height, x : x + width] = ((60, 200, 30), (40, 40, 220))[label % 2]  # blue green red
            annotations.append({"id": len(annotations), "image_id": i, "category_id": label + 1,
                                "bbox": [x, y, width, height]})
        cv2.imwrite(str(root / split / f"{i}.png"), thermal)
        cv2.imwrite(str(root / f"{split}_visible" / f"{i}.png"), np.roll(visible, shift, 1))
        images.append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 64})
    (root / f"{split}.json").write_text(json.dumps({
        "images": images, "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)]}))
