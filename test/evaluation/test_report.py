"""The numbers of a played recording."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.evaluation.report import Answer, FrameTruth, Playback, percentiles, summarise, times
from thermal_kd_ros.results import Detections, FaceLandmarks

NAMES = ("person", "car", "ignore", "face")
FACE_BOX = np.array([[10, 10, 74, 74]], np.float32)


def faces() -> FaceLandmarks:
    points = np.random.default_rng(0).uniform(10, 74, (1, 54, 2)).astype(np.float32)
    flat = np.ones((1, 54), np.float32)
    return FaceLandmarks(FACE_BOX, np.ones(1, np.float32), points, flat, flat, "sf_tl54")


def found(*entries: tuple[str, list[float]]) -> Detections:
    boxes = np.array([box for _, box in entries], np.float32).reshape(-1, 4)
    return Detections(boxes, np.linspace(0.9, 0.5, len(entries), dtype=np.float32),
                      np.array([NAMES.index(name) for name, _ in entries], np.int64), NAMES)


SCENE = found(("person", [0, 0, 50, 90]), ("ignore", [200, 200, 300, 300]), ("face", FACE_BOX[0].tolist()))
TRUTH = FrameTruth(SCENE, faces())


def test_a_perfect_playback() -> None:
    seen = found(("person", [0, 0, 50, 90]), ("car", [210, 210, 240, 240]), ("face", FACE_BOX[0].tolist()))
    playback = Playback(2, {i: Answer(seen, faces(), 10.0 + i) for i in range(2)}, {"stale": 0}, 0.5)
    summary = summarise(playback, {0: TRUTH, 1: TRUTH}, ("person", "car"), "sf_tl54")
    assert summary["frames_in"] == summary["results_out"] == 2
    assert times(playback)["fps"] == 4.0
    assert times(playback)["latency_ms"]["p50"] == 10.5
    assert summary["precision"] == summary["recall"] == 1.0
    assert summary["detections"] == {"person": 2, "car": 2} and summary["faces"] == 2
    assert summary["map50"] == 1.0 and summary["ap50"] == {"person": 1.0}
    assert summary["nme"] == 0.0 and summary["face_recall"] == summary["face_precision"] == 1.0


def test_frames_without_an_answer_cost_accuracy() -> None:
    seen = found(("person", [0, 0, 50, 90]), ("face", FACE_BOX[0].tolist()))
    summary = summarise(Playback(2, {1: Answer(seen, faces())}), {0: TRUTH, 1: TRUTH}, ("person", "car"), "sf_tl54")
    assert summary["map50"] == pytest.approx(51 / 101, abs=1e-4)
    assert summary["face_recall"] == 0.5 and summary["results_out"] == 1
    assert summary["precision"] == 1.0 and summary["recall"] == 0.5


def test_without_truth_there_is_no_accuracy() -> None:
    summary = summarise(Playback(1, {0: Answer(SCENE, faces())}), {}, ("person",), "sf_tl54")
    assert summary["map50"] is None and summary["nme"] is None and summary["ap50"] == {}


def test_landmarks_of_another_layout_are_not_compared() -> None:
    flat = np.ones((1, 68), np.float32)
    other = FaceLandmarks(FACE_BOX, np.ones(1, np.float32), np.ones((1, 68, 2), np.float32), flat, flat, "ibug68")
    summary = summarise(Playback(1, {0: Answer(SCENE, other)}), {0: TRUTH}, ("person",), "ibug68")
    assert summary["nme"] is None and summary["face_recall"] is None
    assert summary["map50"] == 1.0 and summary["faces"] == 1


def test_no_answer_at_all() -> None:
    summary = summarise(Playback(3), {0: TRUTH}, ("person",), "sf_tl54")
    assert summary["results_out"] == 0 and summary["map50"] == 0.0 and summary["face_recall"] == 0.0
    assert summary["nme"] is None and times(Playback(3))["fps"] is None
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
