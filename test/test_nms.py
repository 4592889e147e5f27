"""Suppression and overlap against torchvision and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.nms import iou_matrix, nms, select


def random_boxes(rng, count):
    corner = rng.uniform(0, 80, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 40, (count, 2))], 1).astype(np.float32)


def brute_force_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = width * height if width > 0 and height > 0 else 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / union


def brute_force_nms(boxes, scores, labels, iou, limit):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(labels[i] != labels[j] or brute_force_iou(boxes[i], boxes[j]) <= iou for j in kept):
            kept.append(i)
    return kept[:limit]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), st.integers(0, 40), st.integers(1, 3), st.floats(0.1, 0.9))
def test_nms_equals_brute_force(seed, count, classes, iou):
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, count), rng.random(count).astype(np.float32)
    labels = rng.integers(0, classes, count)
    kept = nms(boxes, scores, labels, iou, 1000)
    assert kept.tolist() == brute_force_nms(boxes.astype(np.float64), scores, labels, iou, 1000)
    np.testing.assert_array_equal(nms(boxes, scores, labels, iou, 5), kept[:5])


def test_nms_equals_torchvision():
    torch = pytest.importorskip("torch")
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(3)
    boxes, scores, labels = random_boxes(rng, 300), rng.random(300).astype(np.float32), rng.integers(0, 4, 300)
    expected = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels), 0.5)
    assert nms(boxes, scores, labels, 0.5, 300).tolist() == expected.tolist()


def test_iou_matrix_equals_brute_force_and_empty_boxes_overlap_nothing():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 12), random_boxes(rng, 9)
    np.testing.assert_allclose(iou_matrix(a, b), [[brute_force_iou(x, y) for y in b] for x in a], atol=1e-5)
    assert iou_matrix(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0.0
    assert iou_matrix(np.zeros((0, 4)), b).shape == (0, 9)


def test_select_uses_the_threshold_of_each_class_and_limits():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([[0.9, 0.5], [0.8, 0.1], [0.2, 0.35]], np.float32)
    kept, score, label = select(boxes, scores, np.array([0.3, 0.3]), 0.5, 10)
    assert [(round(float(s), 2), int(c)) for s, c in zip(score, label, strict=True)] == [(0.9, 0), (0.5, 1), (0.35, 1)]
    assert len(select(boxes, scores, np.array([0.3, 0.6]), 0.5, 10)[0]) == 1
    assert len(select(boxes, scores, np.array([0.0, 0.0]), 0.5, 2)[0]) == 2
    assert len(select(boxes, scores, np.array([0.95, 0.95]), 0.5, 2)[0]) == 0


def test_select_candidates_are_the_best_ones():
    rng = np.random.default_rng(1)
    corner = np.arange(500)[:, None] * 20.0
    boxes = np.concatenate([corner, corner * 0, corner + 10, corner * 0 + 10], 1).astype(np.float32)
    scores = rng.random((500, 1)).astype(np.float32)
    _, score, _ = select(boxes, scores, np.array([0.0]), 0.5, 300, candidates=50)
    np.testing.assert_array_equal(score, np.sort(scores[:, 0])[::-1][:50])
