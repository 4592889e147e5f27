"""Suppression and overlap against torchvision and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.nms import LEAST_VOTE, VOTE_IOU, VOTE_POWER, iou_matrix, nms, select, voted


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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 3))
def test_votes_equal_brute_force(seed, count, classes):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 30, (3, 2))  # three crowds, so that many overlap
    boxes = np.concatenate([centres, centres + 20], 1)[rng.integers(0, 3, count)]
    boxes = (boxes + rng.normal(0, 1.5, (count, 4))).astype(np.float32)
    scores = np.round(rng.random(count), 1).astype(np.float32)
    labels = rng.integers(0, classes, count)
    keep = nms(boxes, scores, labels, 0.5, 10)
    for k, got in zip(keep, voted(boxes, scores, labels, keep), strict=True):
        total, weights = np.zeros(4), 0.0
        for j in range(count):
            if j == k or labels[j] == labels[k] and brute_force_iou(boxes[j], boxes[k]) > VOTE_IOU:
                weight = max(float(scores[j]), LEAST_VOTE) ** VOTE_POWER
                total, weights = total + weight * boxes[j].astype(np.float64), weights + weight
        np.testing.assert_allclose(got, total / weights, rtol=1e-5, atol=1e-4)


def test_votes_leave_a_lonely_box_where_it_is_and_halve_noise():
    lonely = np.array([[3, 4, 10, 12], [50, 50, 50, 60]], np.float32)
    kept = np.arange(2)
    np.testing.assert_array_equal(voted(lonely, np.array([0.9, 0.0], np.float32), np.zeros(2, int), kept), lonely)
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        boxes = (np.array([10, 10, 60, 90]) + rng.normal(0, 2, (8, 4))).astype(np.float32)
        mean = voted(boxes, np.full(8, 0.5, np.float32), np.zeros(8, int), np.array([0]))[0]
        errors.append((np.abs(mean - (10, 10, 60, 90)).mean(), np.abs(boxes[0] - (10, 10, 60, 90)).mean()))
    assert np.mean([e[0] for e in errors]) < 0.5 * np.mean([e[1] for e in errors])
