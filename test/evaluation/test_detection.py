"""Average precision against a small implementation of COCO's rules that shares no code with the tested one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thermal_kd_ros.evaluation.detection import Truth, average_precision, duplicates, precision_and_recall
from thermal_kd_ros.results import Detections

CLASSES = ("person", "car")


def overlap(detection: list[float], truth: list[float], crowd: bool) -> float:
    wide = min(detection[2], truth[2]) - max(detection[0], truth[0])
    high = min(detection[3], truth[3]) - max(detection[1], truth[1])
    shared = max(0.0, wide) * max(0.0, high)
    own = (detection[2] - detection[0]) * (detection[3] - detection[1])
    other = (truth[2] - truth[0]) * (truth[3] - truth[1])
    return shared / own if crowd else shared / (own + other - shared)


def brute_force_ap(truths: list[Truth], results: list[Detections], name: str, iou: float) -> float:
    """AP of one class at one IoU: greedy matching, 101 recall points, ignore regions absorb what overlaps nothing."""
    verdicts: list[tuple[float, bool]] = []
    positives = 0
    for truth, result in zip(truths, results, strict=True):
        labelled = list(zip(truth.boxes.tolist(), truth.names, truth.ignore, strict=True))
        real = [box for box, label, ignore in labelled if label == name and not ignore]
        regions = [box for box, _, ignore in labelled if ignore]
        positives += len(real)
        free = set(range(len(real)))
        mine = [(float(s), b) for s, b, k in zip(result.scores, result.boxes.tolist(), result.labels, strict=True)
                if result.class_names[k] == name]
        for score, box in sorted(mine, key=lambda entry: -entry[0]):
            best = max(free, key=lambda j: overlap(box, real[j], False), default=None)
            if best is not None and overlap(box, real[best], False) >= iou:
                free.remove(best)
                verdicts.append((score, True))
            elif not any(overlap(box, region, True) >= iou for region in regions):
                verdicts.append((score, False))
    if not positives:
        return math.nan
    verdicts.sort(key=lambda entry: -entry[0])
    hits, curve = 0, []
    for rank, (_, hit) in enumerate(verdicts, 1):
        hits += hit
        curve.append((hits / positives, hits / rank))
    best_after = [max((precision for recall, precision in curve if recall >= step), default=0.0)
                  for step in np.linspace(0.0, 1.0, 101)]
    return sum(best_after) / 101


def random_scene(rng: np.random.Generator) -> tuple[Truth, Detections]:
    count, extra = int(rng.integers(0, 6)), int(rng.integers(0, 5))
    corners = rng.uniform(0, 400, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(12, 90, (count, 2))])
    ignore = rng.random(count) < 0.25
    names = tuple("" if i else str(rng.choice(CLASSES)) for i in ignore)
    near = boxes[rng.random(count) < 0.8]
    near = near + rng.normal(0, 4, near.shape)
    corners = rng.uniform(0, 400, (extra, 2))
    found = np.vstack([near, np.hstack([corners, corners + rng.uniform(12, 60, (extra, 2))])]).astype(np.float32)
    labels = rng.integers(0, 2, len(found))
    order = rng.permutation(len(found))
    scores = rng.random(len(found)).astype(np.float32)
    return (Truth(boxes.astype(np.float32), names, ignore),
            Detections(found[order], scores, labels[order], CLASSES))


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_agrees_with_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truths, results = (list(part) for part in zip(*(random_scene(rng) for _ in range(25)), strict=True))
    scores = average_precision(truths, results, CLASSES)
    expected = {name: brute_force_ap(truths, results, name, 0.5) for name in CLASSES}
    for name, value in expected.items():
        assert scores[f"ap50/{name}"] == pytest.approx(value, abs=1e-6)
    assert scores["map50"] == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
    levels = [brute_force_ap(truths, results, name, iou) for name in CLASSES for iou in np.arange(0.5, 0.96, 0.05)]
    assert scores["map"] == pytest.approx(np.mean(levels), abs=1e-6)


def one(boxes: list[list[float]], names: tuple[str, ...], ignore: list[bool]) -> Truth:
    return Truth(np.array(boxes, np.float32).reshape(-1, 4), names, np.array(ignore, bool))


def test_detections_in_an_ignore_region_count_neither_way() -> None:
    truth = one([[0, 0, 50, 50], [100, 100, 300, 300]], ("person", ""), [False, True])
    found = Detections(np.array([[0, 0, 50, 50], [120, 120, 140, 140], [200, 200, 230, 240]], np.float32),
                       np.array([0.5, 0.9, 0.8], np.float32), np.array([0, 0, 1]), CLASSES)
    assert average_precision([truth], [found], CLASSES)["map50"] == pytest.approx(1.0)
    without = one([[0, 0, 50, 50]], ("person",), [False])
    assert average_precision([without], [found], CLASSES)["map50"] == pytest.approx(0.5)


def test_classes_without_truth_and_unknown_classes_do_not_count() -> None:
    truth = one([[0, 0, 50, 50], [60, 60, 90, 90]], ("person", "tree"), [False, False])
    found = Detections(np.array([[0, 0, 50, 50], [60, 60, 90, 90]], np.float32), np.array([0.9, 0.8], np.float32),
                       np.array([0, 1]), ("person", "tree"))
    scores = average_precision([truth], [found], CLASSES)
    assert scores["map50"] == pytest.approx(1.0) and "ap50/car" not in scores


def test_nothing_found_is_zero() -> None:
    truth = one([[0, 0, 50, 50]], ("person",), [False])
    assert average_precision([truth], [Detections.empty(CLASSES)], CLASSES)["map50"] == 0.0


def test_what_has_no_truth_has_no_figure() -> None:
    large, region = one([[0, 0, 50, 50]], ("person",), [False]), one([[0, 0, 50, 50]], ("person",), [True])
    found = Detections(np.array([[60, 60, 90, 90]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES)
    for result in (found, Detections.empty(CLASSES)):
        scores = average_precision([large], [result], CLASSES)
        assert scores["map50"] == scores["map"] == scores["ap50/person"] == 0.0 and math.isnan(scores["ap_small"])
        assert average_precision([one([[0, 0, 9, 9]], ("car",), [False])], [result], CLASSES)["ap_small"] == 0.0
        assert all(math.isnan(value) for value in average_precision([region], [result], CLASSES).values())


def counted(truths: list[Truth], results: list[Detections], threshold: float) -> tuple[int, int, int, int]:
    """What is found, found twice and false from a score of ``threshold`` on, and the number of truths."""
    found = twice = false = positives = 0
    for truth, result in zip(truths, results, strict=True):
        regions = [b for b, i in zip(truth.boxes.tolist(), truth.ignore, strict=True) if i]
        for name in CLASSES:
            real = [b for b, label, i in zip(truth.boxes.tolist(), truth.names, truth.ignore, strict=True)
                    if label == name and not i]
            positives += len(real)
            mine = sorted(((float(s), b) for s, b, k in zip(result.scores, result.boxes.tolist(), result.labels,
                                                            strict=True)
                           if result.class_names[k] == name and s >= threshold), key=lambda e: -e[0])
            taken: set[int] = set()
            for _, box in mine:
                free = [j for j in range(len(real)) if j not in taken and overlap(box, real[j], False) >= 0.5]
                if free:
                    taken.add(max(free, key=lambda j: overlap(box, real[j], False)))
                    found += 1
                elif any(overlap(box, real[j], False) > 0.5 for j in taken):
                    twice += 1
                elif not any(overlap(box, region, True) >= 0.5 for region in regions):
                    false += 1
    return found, twice, false, positives


def brute_force_duplicates(truths: list[Truth], results: list[Detections]) -> tuple[float, float]:
    """Duplicate rate and F1 at the best of all thresholds, each threshold counted from scratch."""
    best = (-1.0, 0.0)
    for threshold in sorted({float(s) for r in results for s in r.scores}, reverse=True):
        found, twice, false, positives = counted(truths, results, threshold)
        f1 = 2 * found / (found + twice + false + positives)
        if f1 > best[0] + 1e-12:
            best = (f1, twice / max(found, 1))
    return best[1], best[0]


def crowded_scenes(seed: int) -> tuple[list[Truth], list[Detections]]:
    """Random scenes in which some objects are found again, a little aside."""
    rng = np.random.default_rng(seed)
    truths, results = (list(part) for part in zip(*(random_scene(rng) for _ in range(12)), strict=True))
    crowded = []
    for found in results:
        again = rng.random(len(found)) < 0.5
        boxes = np.concatenate([found.boxes, found.boxes[again] + rng.normal(0, 3, (int(again.sum()), 4))])
        scores = np.concatenate([found.scores, rng.random(int(again.sum()))]).astype(np.float32)
        crowded.append(Detections(boxes.astype(np.float32), scores,
                                  np.concatenate([found.labels, found.labels[again]]), CLASSES))
    return truths, crowded


@pytest.mark.parametrize("seed", range(8))
def test_duplicates_agree_with_brute_force(seed: int) -> None:
    truths, crowded = crowded_scenes(100 + seed)
    scores = duplicates(truths, crowded, CLASSES)
    rate, f1 = brute_force_duplicates(truths, crowded)
    assert scores["best_f1"] == pytest.approx(f1, abs=1e-9)
    assert scores["duplicate_rate"] == pytest.approx(rate, abs=1e-9) and rate > 0


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.1])
def test_precision_and_recall_agree_with_counting(threshold: float) -> None:
    truths, crowded = crowded_scenes(7)
    found, twice, false, positives = counted(truths, crowded, threshold)
    precision, recall = precision_and_recall(truths, crowded, CLASSES, threshold)
    assert recall == pytest.approx(found / positives)
    shown = found + twice + false
    assert precision == pytest.approx(found / shown) if shown else math.isnan(precision)


def test_what_counts_as_a_duplicate() -> None:
    truth = one([[0, 0, 50, 50], [200, 200, 240, 240]], ("person", "person"), [False, False])

    def rate(boxes: list[list[float]], scores: list[float], labels: list[int]) -> float:
        found = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(labels), CLASSES)
        return duplicates([truth], [found], CLASSES)["duplicate_rate"]

    right = [[0, 0, 50, 50], [200, 200, 240, 240]]
    assert rate(right, [0.9, 0.8], [0, 0]) == 0
    # Between two right ones: one duplicate for two found truths. Beside any object it is a false alarm instead.
    assert rate([*right, [2, 2, 50, 50]], [0.9, 0.5, 0.7], [0, 0, 0]) == pytest.approx(0.5)
    assert rate([*right, [100, 100, 140, 140]], [0.9, 0.5, 0.7], [0, 0, 0]) == 0
    assert rate([*right, [2, 2, 50, 50]], [0.9, 0.5, 0.7], [0, 0, 1]) == 0
    # Below the score of best F1 it does not count.
    assert rate([*right, [2, 2, 50, 50]], [0.9, 0.8, 0.1], [0, 0, 0]) == 0
    assert duplicates([truth], [Detections.empty(CLASSES)], CLASSES)["duplicate_rate"] == 0
