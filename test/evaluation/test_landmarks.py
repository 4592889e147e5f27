"""Landmark metrics against plain loops over their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thermal_kd_ros.evaluation.landmarks import (
    THRESHOLD,
    FaceTruth,
    area_under_curve,
    error_over,
    evaluate_landmarks,
    match,
    nme,
)
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.results import FaceLandmarks

LAYOUT = get_layout("sf_tl54")


def random_faces(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    points = rng.uniform(0, 60, (count, LAYOUT.points, 2)) + rng.uniform(0, 500, (count, 1, 2))
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return boxes.astype(np.float32), points.astype(np.float32)


def found(boxes: np.ndarray, points: np.ndarray, scores: np.ndarray | None = None) -> FaceLandmarks:
    count = len(boxes)
    flat = np.ones(points.shape[:2], np.float32)
    return FaceLandmarks(boxes, np.ones(count, np.float32) if scores is None else scores, points, flat, flat, "sf_tl54")


def brute_force_nme(predicted: np.ndarray, true: np.ndarray) -> float:
    total = sum(math.dist(predicted[k], true[k]) for k in range(len(true)))
    return 100.0 * total / len(true) / math.dist(true[36], true[45])


def brute_force_match(predicted: np.ndarray, true: np.ndarray, scores: np.ndarray) -> list[tuple[int, int]]:
    def iou(a: np.ndarray, b: np.ndarray) -> float:
        shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    pairs, used = [], set()
    for i in sorted(range(len(predicted)), key=lambda i: -scores[i]):
        options = [(iou(predicted[i], true[j]), j) for j in range(len(true)) if j not in used]
        if options and max(options)[0] >= 0.5:
            used.add(max(options)[1])
            pairs.append((i, max(options)[1]))
    return pairs


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truths, results, errors = [], [], []
    faces = hits = false = 0
    for _ in range(20):
        boxes, points = random_faces(rng, int(rng.integers(0, 4)))
        keep = rng.random(len(boxes)) < 0.8
        moved = points[keep] + rng.normal(0, rng.uniform(0.5, 6), points[keep].shape)
        extra_boxes, extra_points = random_faces(rng, int(rng.integers(0, 2)))
        shifted = boxes[keep] + rng.normal(0, 6, boxes[keep].shape)
        mine = np.vstack([shifted, extra_boxes]).astype(np.float32)
        mine_points = np.concatenate([moved, extra_points]).astype(np.float32)
        scores = rng.random(len(mine)).astype(np.float32)
        truths.append(FaceTruth(boxes, points))
        results.append(found(mine, mine_points, scores))
        pairs = brute_force_match(mine, boxes, scores)
        faces, hits, false = faces + len(boxes), hits + len(pairs), false + len(mine) - len(pairs)
        errors += [brute_force_nme(mine_points[i], points[j]) for i, j in pairs]
    scores = evaluate_landmarks(truths, results, "sf_tl54")
    assert scores.faces == faces
    assert scores.recall == pytest.approx(hits / faces)
    assert scores.precision == pytest.approx(hits / (hits + false))
    assert scores.nme == pytest.approx(np.mean(errors), rel=1e-5)
    assert scores.failure_rate == pytest.approx(np.mean([error > THRESHOLD for error in errors]))
    steps = (np.arange(80_000) + 0.5) / 80_000 * THRESHOLD
    cumulative = np.searchsorted(np.sort(errors), steps, side="right") / len(errors)
    assert scores.auc == pytest.approx(cumulative.mean(), abs=1e-4)


def test_nme_is_in_percent_of_the_outer_eye_distance() -> None:
    true = np.zeros((1, 54, 2))
    true[0, 36], true[0, 45] = (10, 0), (60, 0)
    assert nme(true + (3, 4), true, "sf_tl54") == pytest.approx([10.0])
    assert nme(true, true, "sf_tl54") == pytest.approx([0.0])
    assert np.isnan(nme(true, np.zeros((1, 54, 2)), "sf_tl54")).all()
    five = np.array([[[10, 0], [30, 0], [20, 9], [12, 20], [28, 20]]] * 2, float)
    five[1, 1] = five[1, 0]
    np.testing.assert_allclose(error_over(five + (6, 8), five, (0, 1)), [50.0, np.nan])


def test_perfect_and_hopeless_errors_give_the_ends_of_the_area() -> None:
    assert area_under_curve(np.zeros(3)) == 1.0
    assert area_under_curve(np.full(3, THRESHOLD)) == 0.0
    assert area_under_curve(np.array([THRESHOLD / 2, 2 * THRESHOLD])) == pytest.approx(0.25)
    assert math.isnan(area_under_curve(np.zeros(0)))


def test_the_higher_score_takes_the_face_and_the_other_is_false() -> None:
    true = np.array([[0, 0, 10, 10]], np.float32)
    both = np.array([[0, 0, 10, 10], [0, 1, 10, 11]], np.float32)
    assert match(both, true, np.array([0.2, 0.9])) == [(1, 0)]
    assert match(both, np.zeros((0, 4)), np.array([0.2, 0.9])) == []
    assert match(np.zeros((0, 4)), true, np.zeros(0)) == []


def test_faces_in_ignore_regions_are_not_false() -> None:
    boxes, points = random_faces(np.random.default_rng(0), 2)
    truth = FaceTruth(boxes[:1], points[:1], ignore=boxes[1:])
    assert evaluate_landmarks([truth], [found(boxes, points)], "sf_tl54").precision == 1.0
    assert evaluate_landmarks([FaceTruth(boxes[:1], points[:1])], [found(boxes, points)], "sf_tl54").precision == 0.5


def test_without_faces_there_is_nothing_to_measure() -> None:
    nothing = FaceTruth(np.zeros((0, 4), np.float32), np.zeros((0, 54, 2), np.float32))
    scores = evaluate_landmarks([nothing], [FaceLandmarks.empty("sf_tl54", 54)], "sf_tl54")
    assert all(math.isnan(v) for v in (scores.nme, scores.failure_rate, scores.auc, scores.recall, scores.precision))
