"""Average precision of detections, by pycocotools, with ignore regions."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np

from ..nms import iou_matrix
from ..results import Detections

FOR_METRICS = {"detector.score_threshold": 0.01, "detector.max_detections": 300, "face.score_threshold": 0.01,
               "face.min_landmark_confidence": 0.0}
"""Parameters for measuring: average precision needs the unsure detections too."""
EXACT = {"engine.precision": "fp32"}
"""Parameters that figures are made with unless others are given: what is measured are the weights, which CPUs and GPUs
that compute in fewer bits do not all reproduce alike."""


@dataclass(frozen=True)
class Truth:
    """The true boxes of one image."""

    boxes: np.ndarray
    """(N, 4) float32, x1 y1 x2 y2."""
    names: tuple[str, ...]
    """Class of each box."""
    ignore: np.ndarray
    """(N,) bool: regions in which detections of any class are neither right nor wrong."""


def average_precision(truths: list[Truth], results: list[Detections], classes: tuple[str, ...],
                      max_detections: int = 300) -> dict[str, float]:
    """mAP of ``classes`` as COCO computes it; NaN without a truth of them.

    Returns ``map50``, ``map`` (IoU 0.50 to 0.95), ``ap_small`` (area below 32 x 32, NaN without such truths), and
    ``ap50/<class>`` for each class that has truth. Ignore regions absorb detections of every class that lie in them
    (COCO's crowd rule: overlap by the detection's own area).
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    index = {name: i + 1 for i, name in enumerate(classes)}
    annotations: list[dict[str, object]] = []
    for image, truth in enumerate(truths, 1):
        for box, name, ignore in zip(truth.boxes.tolist(), truth.names, truth.ignore, strict=True):
            wanted = list(index.values()) if ignore else [index[name]] if name in index else []
            width, height = box[2] - box[0], box[3] - box[1]
            for category in wanted:
                annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": category,
                                    "bbox": [box[0], box[1], width, height], "area": width * height,
                                    "iscrowd": int(ignore)})
    rows: list[dict[str, object]] = []
    for image, result in enumerate(results, 1):
        for box, score, label in zip(result.boxes.tolist(), result.scores.tolist(), result.labels, strict=True):
            name = result.class_names[label]
            if name in index:
                rows.append({"image_id": image, "category_id": index[name], "score": score,
                             "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]})
    present = [name for name in classes
               if any(a["category_id"] == index[name] and not a["iscrowd"] for a in annotations)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = COCO()
        truth_set.dataset = {"images": [{"id": i} for i in range(1, len(truths) + 1)], "annotations": annotations,
                             "categories": [{"id": i, "name": name} for name, i in index.items()], "info": {}}
        truth_set.createIndex()
        if not present:
            return dict.fromkeys(("map50", "map", "ap_small"), float("nan"))
        # loadRes cannot read an empty list.
        result_set = truth_set.loadRes(rows) if rows else COCO()
        run = COCOeval(truth_set, result_set, "bbox")
        run.params.catIds = [index[name] for name in present]
        run.params.maxDets = [1, 10, max_detections]
        run.evaluate()
        run.accumulate()
    # precision: IoU threshold x recall x class x area (all, small, medium, large) x maxDets; -1 where there is no truth
    precision = run.eval["precision"][:, :, :, :, -1]

    def mean(values: np.ndarray) -> float:
        valid = values[values > -1]
        return float(valid.mean()) if valid.size else float("nan")

    scores = {"map50": mean(precision[0, :, :, 0]), "map": mean(precision[:, :, :, 0]),
              "ap_small": mean(precision[:, :, :, 1])}
    return scores | {f"ap50/{name}": mean(precision[0, :, k, 0]) for k, name in enumerate(present)}


def duplicates(truths: list[Truth], results: list[Detections], classes: tuple[str, ...], iou: float = 0.5
               ) -> dict[str, float]:
    """How often one object is found twice: the failure that low contrast causes and contrastive training is to mend.

    Counted above the score at which the F1 measure over all images and ``classes`` is highest, so that a network whose
    scores are higher in general is not charged for it; see ``_verdicts`` for what a duplicate is.

    Returns ``duplicate_rate``, duplicates per found truth (0 where none is found), and ``best_f1`` with its
    ``best_f1_score``.
    """
    scores, kinds, positives = _verdicts(truths, results, classes, iou)
    found = np.cumsum(kinds == _FOUND)
    f1 = 2 * found / (np.arange(1, len(kinds) + 1) + positives)
    if not positives or not found.any():
        return {"duplicate_rate": 0.0, "best_f1": 0.0, "best_f1_score": 1.0}
    last = int(f1.argmax())
    return {"duplicate_rate": float((kinds[: last + 1] == _DUPLICATE).sum() / found[last]), "best_f1": float(f1[last]),
            "best_f1_score": float(scores[last])}


def precision_and_recall(truths: list[Truth], results: list[Detections], classes: tuple[str, ...], threshold: float,
                         iou: float = 0.5) -> tuple[float, float]:
    """Of the detections from a score of ``threshold`` on the part that is right, and the part of the truths found.

    NaN for a part of nothing. What ``_verdicts`` takes for a duplicate is wrong.
    """
    scores, kinds, positives = _verdicts(truths, results, classes, iou)
    kinds = kinds[scores >= threshold]
    found = float((kinds == _FOUND).sum())
    return found / len(kinds) if len(kinds) else float("nan"), found / positives if positives else float("nan")


_FOUND, _DUPLICATE, _FALSE = range(3)


def _verdicts(truths: list[Truth], results: list[Detections], classes: tuple[str, ...], iou: float
              ) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores (N,), best first, and verdicts (N,) of all detections of ``classes``, and the number of truths.

    In each image and class, detections take the free truth that they overlap most, by at least ``iou``, best score
    first. One that takes none, but overlaps a truth that is already taken by more than ``iou``, is a duplicate. What
    lies in an ignored region, and is neither, is left out.
    """
    verdicts: list[tuple[float, int]] = []
    positives = 0
    for truth, result in zip(truths, results, strict=True):
        regions = truth.boxes[truth.ignore]
        for name in classes:
            real = truth.boxes[[not ignored and label == name
                                for label, ignored in zip(truth.names, truth.ignore, strict=True)]]
            positives += len(real)
            index = [i for i, label in enumerate(result.labels) if result.class_names[label] == name]
            order = np.array(index, np.int64)[np.argsort(-result.scores[index], kind="stable")]
            overlap = iou_matrix(result.boxes[order], real)
            ignored = _share_inside(result.boxes[order], regions) >= iou
            taken = np.zeros(len(real), bool)
            for row, detection in enumerate(order):
                free = np.where(taken, -1.0, overlap[row])
                verdict = _FALSE
                if len(real) and free.max() >= iou:
                    taken[free.argmax()] = True
                    verdict = _FOUND
                elif (overlap[row][taken] > iou).any():
                    verdict = _DUPLICATE
                elif ignored[row]:
                    continue
                verdicts.append((float(result.scores[detection]), verdict))
    verdicts.sort(key=lambda entry: -entry[0])
    return np.array([score for score, _ in verdicts]), np.array([kind for _, kind in verdicts], np.int64), positives


def _share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Largest part (N,) of each box (N, 4) that lies in one of the regions (M, 4)."""
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0.0, None), axis=2)
    area = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 1e-9, None), axis=1)
    return (inside / area[:, None]).max(axis=1, initial=0.0)
