"""Accuracy of faces and their landmarks.

NME: mean distance between predicted and true points, in percent of the distance of the true outer eye corners
("interocular" in Sagonas et al., "300 Faces in-the-Wild", ICCVW 2013). Failure rate: part of the faces above a
threshold. AUC: area under the cumulative error curve up to the threshold, 1 for a perfect model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..layouts import get_layout
from ..nms import iou_matrix
from ..results import FaceLandmarks

THRESHOLD = 8.0
"""Percent of the outer-eye distance above which a face counts as failed."""


@dataclass(frozen=True)
class FaceTruth:
    """The true faces of one image."""

    boxes: np.ndarray
    """(F, 4) float32, x1 y1 x2 y2."""
    points: np.ndarray
    """(F, K, 2) float32."""
    ignore: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    """(R, 4) regions in which an unmatched face is neither right nor wrong."""


@dataclass(frozen=True)
class LandmarkScores:
    """Accuracy over a set of images. What has nothing to be measured on is NaN."""

    nme: float
    """Mean NME of the matched faces, percent."""
    failure_rate: float
    """Part of the matched faces with an NME above THRESHOLD."""
    auc: float
    """Area under the cumulative error curve up to THRESHOLD, in [0, 1]."""
    recall: float
    """Part of the true faces that were found."""
    precision: float
    """Part of the found faces that are true; those in ignore regions do not count."""
    faces: int
    """Number of true faces."""


def nme(predicted: np.ndarray, true: np.ndarray, layout: str) -> np.ndarray:
    """NME of faces (F, K, 2) and (F, K, 2) in percent, (F,) float64; NaN where the true eye corners coincide."""
    return error_over(predicted, true, get_layout(layout).outer_eyes)


def error_over(predicted: np.ndarray, true: np.ndarray, ends: tuple[int, int]) -> np.ndarray:
    """Mean distance of the points in percent of the true distance of ``ends``, (F,) float64; NaN where those coincide.

    For sets whose points have no eye corners; ``nme`` has the layout's.
    """
    right, left = ends
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    across = np.linalg.norm(true[:, right] - true[:, left], axis=-1)
    distance = np.linalg.norm(predicted - true, axis=-1).mean(axis=-1)
    return np.where(across > 0.0, 100.0 * distance / np.where(across > 0.0, across, 1.0), np.nan)


def match(predicted: np.ndarray, true: np.ndarray, scores: np.ndarray, min_iou: float = 0.5) -> list[tuple[int, int]]:
    """Pairs (predicted, true) of boxes (N, 4) and (M, 4).

    Greedy as in detection: from the highest score down, each box takes the free true box that it overlaps most, if by
    at least ``min_iou``.
    """
    overlap = iou_matrix(np.asarray(predicted, np.float64), np.asarray(true, np.float64))
    pairs: list[tuple[int, int]] = []
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        if not overlap.shape[1]:
            break
        j = int(overlap[i].argmax())
        if overlap[i, j] >= min_iou:
            pairs.append((int(i), j))
            overlap[:, j] = -1.0
    return pairs


def area_under_curve(errors: np.ndarray, threshold: float = THRESHOLD) -> float:
    """Area under the cumulative distribution of ``errors`` (F,) from 0 to ``threshold``, divided by it; exact.

    Each error e adds the part of the range at which it counts as solved: max(0, 1 - e / threshold).
    """
    errors = np.asarray(errors, np.float64)
    return float(np.clip(1.0 - errors / threshold, 0.0, 1.0).mean()) if errors.size else float("nan")


def evaluate_landmarks(truths: list[FaceTruth], results: list[FaceLandmarks], layout: str,
                       min_iou: float = 0.5) -> LandmarkScores:
    """Scores over images; ``truths`` and ``results`` belong together one by one."""
    errors: list[np.ndarray] = []
    found = true_faces = true_positive = false_positive = 0
    for truth, result in zip(truths, results, strict=True):
        pairs = match(result.boxes, truth.boxes, result.scores, min_iou)
        true_faces += len(truth.boxes)
        found += len(pairs)
        true_positive += len(pairs)
        extra = np.setdiff1d(np.arange(len(result)), [i for i, _ in pairs])
        false_positive += int((~_mostly_inside(result.boxes[extra], truth.ignore)).sum())
        if pairs:
            ours, theirs = (list(index) for index in zip(*pairs, strict=True))
            errors.append(nme(result.points[ours], truth.points[theirs], layout))
    error = np.concatenate(errors) if errors else np.zeros(0)
    error = error[np.isfinite(error)]
    positive = true_positive + false_positive
    nothing = float("nan")
    return LandmarkScores(
        nme=float(error.mean()) if error.size else nothing,
        failure_rate=float((error > THRESHOLD).mean()) if error.size else nothing,
        auc=area_under_curve(error),
        recall=found / true_faces if true_faces else nothing,
        precision=true_positive / positive if positive else nothing,
        faces=true_faces,
    )


def _mostly_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Which boxes (N, 4) lie with at least half of their area in one of the regions (R, 4): (N,) bool."""
    if not len(boxes) or not len(regions):
        return np.zeros(len(boxes), bool)
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2).max(axis=1)
    return shared >= 0.5 * np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
