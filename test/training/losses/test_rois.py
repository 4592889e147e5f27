"""Regions of pyramid features against sampling by hand."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.detection import Targets  # noqa: E402
from training.losses.rois import box_mask, crop, level_of, pooled, rois_of  # noqa: E402

STRIDES = (8, 16, 32)


def test_only_solid_objects_become_rois():
    boxes = [[[1.0, 2, 5, 9], [0, 0, 4, 4], [3, 3, 3, 8]], [[2, 2, 6, 7], [0] * 4, [0] * 4]]
    targets = Targets(torch.tensor(boxes), torch.tensor([[2, -1, 1], [0, -2, -2]]), torch.ones(2, 3).bool())
    rois, labels = rois_of(targets)
    assert rois.tolist() == [[0, 1, 2, 5, 9], [1, 2, 2, 6, 7]] and labels.tolist() == [2, 0]


def test_levels_follow_the_formula():
    sides = [3, 31, 33, 63, 64.5, 100, 127, 129, 400, 2000]
    rois = torch.tensor([[0.0, 5, 5, 5 + s * 2, 5 + s / 2] for s in sides])
    expected = [min(max(math.floor(4 + math.log2(s / 64)), 3), 5) - 3 for s in sides]
    assert level_of(rois, STRIDES).tolist() == expected and set(expected) == {0, 1, 2}
    assert level_of(rois, (4, 8, 16, 32))[0] == 0


def test_the_largest_objects_of_a_small_canvas_belong_to_the_coarsest_level():
    whole, part = torch.tensor([[0.0, 0, 0, 256, 192]]), torch.tensor([[0.0, 10, 10, 90, 90]])
    assert level_of(whole, STRIDES).tolist() == [2] and level_of(part, STRIDES).tolist() == [1]


def bilinear(plane, y, x):
    """The value at a point whose coordinates put cell centres on whole numbers; cells repeat beyond the border."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = min(int(y), height - 2), min(int(x), width - 2)
    dy, dx = y - top, x - left
    return ((1 - dy) * (1 - dx) * plane[top, left] + (1 - dy) * dx * plane[top, left + 1]
            + dy * (1 - dx) * plane[top + 1, left] + dy * dx * plane[top + 1, left + 1])


def test_crops_and_pools_equal_sampling_by_hand():
    rng = np.random.default_rng(0)
    levels = [torch.from_numpy(rng.normal(size=(2, 3, 64 // s * 4, 96 // s * 4))) for s in STRIDES]
    rois = torch.tensor([[0, 20.5, 33.0, 60.0, 90.0], [1, 10, 10, 250, 170], [1, 350, 200, 384, 256.0]])
    found = pooled(levels, rois, STRIDES)
    seen = []
    for stride, level, (index, features) in zip(STRIDES, levels, found, strict=True):
        for k, feature in zip(index.tolist(), features, strict=True):
            seen.append(k)
            image, x1, y1, x2, y2 = rois[k].tolist()
            samples = [[bilinear(level[int(image), c].numpy(), (y1 + (y2 - y1) * (i + 0.5) / 14) / stride - 0.5,
                                 (x1 + (x2 - x1) * (j + 0.5) / 14) / stride - 0.5)
                        for i in range(14) for j in range(14)] for c in range(3)]
            np.testing.assert_allclose(feature, np.mean(samples, 1), atol=1e-9)
    assert sorted(seen) == [0, 1, 2]
    assert crop(levels[0], rois[:0], 8).shape == (0, 3, 7, 7)


def test_the_mask_covers_what_boxes_touch():
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 50, (6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.5, 30, (6, 2))], 1)
    rois = torch.from_numpy(np.concatenate([rng.integers(0, 2, (6, 1)), boxes], 1))
    mask = box_mask(rois, (2, 8, 8), 8)
    for image in range(2):
        for row in range(8):
            for column in range(8):
                touched = any(r[0] == image and r[1] < 8 * column + 8 and r[3] > 8 * column and r[2] < 8 * row + 8
                              and r[4] > 8 * row for r in rois.tolist())
                assert mask[image, 0, row, column] == touched
