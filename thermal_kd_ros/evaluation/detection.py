"""Average precision of detections, by pycocotools, with ignore regions."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np

from ..results import Detections

FOR_METRICS = {"detector.score_threshold": 0.01, "detector.max_detections": 300, "face.score_threshold": 0.01}
"""Parameters for measuring: average precision needs the unsure detections too."""


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
    """mAP of ``classes`` as COCO computes it.

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
        if not rows or not present:
            return {"map50": 0.0, "map": 0.0, "ap_small": 0.0} | {f"ap50/{name}": 0.0 for name in present}
        run = COCOeval(truth_set, truth_set.loadRes(rows), "bbox")
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
