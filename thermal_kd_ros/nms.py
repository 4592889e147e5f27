"""Non-maximum suppression, box voting and box overlap, in NumPy."""

from __future__ import annotations

import numpy as np

VOTE_IOU = 0.65
"""Candidates of a kept box's class that overlap it by more than this have a say in where it lies."""
VOTE_POWER = 3
"""A vote counts as much as its score to this power: sure ones decide, and it hardly matters where candidates end."""
LEAST_VOTE = 1e-6
"""Scores below this count as this: a box whose score is 0 still lies somewhere."""


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) and (M, 4), x1 y1 x2 y2: (N, M) float32; empty boxes overlap nothing."""
    # Side by side in planes: with the two axes of a box as a third dimension this takes up to five times as long.
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    inter = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    union = _areas(a)[:, None] + _areas(b)[None, :] - inter
    return np.where(union > 0.0, inter / np.maximum(union, 1e-12), 0.0).astype(np.float32)


def _areas(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) to (N,); 0 for empty boxes."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0.0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0.0)


def nms(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou: float, limit: int) -> np.ndarray:
    """Indices of the boxes to keep, best first, at most ``limit``.

    Boxes (N, 4), scores (N,), labels (N,): a box is suppressed by a better one of its own class that overlaps it by
    more than ``iou``. Ties go to the lower index.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes[order], labels[order]
    rival = (iou_matrix(boxes, boxes) > iou) & (labels[:, None] == labels[None, :])
    alive = np.ones(len(boxes), bool)
    kept: list[int] = []
    for i in range(len(boxes)):
        if alive[i]:
            kept.append(i)
            if len(kept) == limit:
                break
            alive &= ~rival[i]
    return order[np.array(kept, np.int64)]


def voted(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The kept boxes (K, 4) float32, each the weighted mean of itself and of what it suppressed nearby.

    Boxes (N, 4), scores (N,), labels (N,) of all candidates, ``keep`` (K,) indices. Neighbouring cells see the same
    object and err differently. Gidaris and Komodakis, "Object detection via a multi-region and semantic
    segmentation-aware CNN model", ICCV 2015, section 5.
    """
    near = (iou_matrix(boxes[keep], boxes) > VOTE_IOU) & (labels[keep][:, None] == labels[None, :])
    near[np.arange(len(keep)), keep] = True  # an empty box overlaps nothing, not even itself
    weight = near * np.maximum(scores, LEAST_VOTE)[None, :] ** VOTE_POWER
    return ((weight @ boxes) / weight.sum(axis=1, keepdims=True)).astype(np.float32)


CANDIDATES = 1000
"""So many boxes, at most, go into suppression and voting."""


def select(boxes: np.ndarray, scores: np.ndarray, thresholds: np.ndarray, iou: float, limit: int,
           candidates: int = CANDIDATES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From a network's dense output to final boxes (K, 4), scores (K,), labels (K,), best first.

    ``boxes`` (N, 4) and ``scores`` (N, C); ``thresholds`` (C,) per class. A cell may give several classes. Only the
    best ``candidates`` go into suppression and voting.
    """
    # Several times faster than nonzero of two dimensions, where nearly all are below their thresholds.
    cell, label = np.divmod(np.flatnonzero(scores >= thresholds[None, :]), scores.shape[1])
    score = scores[cell, label]
    if len(score) > candidates:
        best = np.argpartition(-score, candidates)[:candidates]
        best.sort()
        cell, label, score = cell[best], label[best], score[best]
    chosen = boxes[cell].astype(np.float32)
    keep = nms(chosen, score, label, iou, limit)
    return voted(chosen, score, label, keep), score[keep].astype(np.float32), label[keep].astype(np.int64)
