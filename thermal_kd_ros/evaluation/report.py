"""A played recording in numbers: results against the frames sent and against the recording's truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..results import Detections, FaceLandmarks
from .detection import Truth, average_precision, precision_and_recall
from .landmarks import FaceTruth, evaluate_landmarks

FACE = "face"
IGNORE = "ignore"
"""Class name of regions in the truth that are neither right nor wrong."""


@dataclass(frozen=True)
class FrameTruth:
    """The truth of one frame."""

    detections: Detections
    """Objects, faces as class ``face``, and regions of class ``ignore``."""
    faces: FaceLandmarks

    def objects(self) -> Truth:
        """What the detector is measured by."""
        found = self.detections
        names = tuple(found.class_names[label] for label in found.labels)
        keep = np.array([name != FACE for name in names], bool)
        kept = tuple(name for name in names if name != FACE)
        return Truth(found.boxes[keep], kept, np.array([name == IGNORE for name in kept], bool))

    def face_truth(self) -> FaceTruth:
        """What the faces are measured by."""
        found = self.detections
        ignored = np.array([found.class_names[label] == IGNORE for label in found.labels], bool)
        return FaceTruth(self.faces.boxes, self.faces.points, found.boxes[ignored])


@dataclass
class Answer:
    """What came back for one frame."""

    detections: Detections
    """Objects, and faces as class ``face``."""
    faces: FaceLandmarks
    latency_ms: float = math.nan

    def objects(self) -> Detections:
        """The detections without the faces."""
        found = self.detections
        if FACE not in found.class_names:
            return found
        return found.select(found.labels != found.class_names.index(FACE))


@dataclass
class Playback:
    """What one play of a recording gave."""

    frames: int
    answers: dict[int, Answer] = field(default_factory=dict)
    """By the index of the frame."""
    drops: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0


def percentiles(values: list[float]) -> dict[str, float | None]:
    """p50, p95 and p99; None without values."""
    found = np.percentile(values, (50, 95, 99)).tolist() if values else (None, None, None)
    return {name: None if value is None else round(value, 2)
            for name, value in zip(("p50", "p95", "p99"), found, strict=True)}


def summarise(playback: Playback, truths: Mapping[int, FrameTruth], classes: tuple[str, ...], layout: str
              ) -> dict[str, Any]:
    """What came of the frames, and its ``accuracy``.

    Frames without an answer count against accuracy: their truth stays, their detections are none.
    """
    answers = playback.answers
    counts: Counter[str] = Counter()
    for answer in answers.values():
        objects = answer.objects()
        counts.update(objects.class_names[label] for label in objects.labels)
    return {
        "frames_in": playback.frames,
        "results_out": len(answers),
        "drops": playback.drops,
        "detections": dict(sorted(counts.items())),
        "faces": sum(len(answer.faces) for answer in answers.values()),
        **accuracy(answers, truths, classes, layout),
    }


def times(playback: Playback) -> dict[str, Any]:
    """How fast the answers of a play came: a second, and after their frames."""
    answers = playback.answers
    return {
        "fps": round(len(answers) / playback.duration_s, 2) if playback.duration_s > 0 else None,
        "latency_ms": percentiles([a.latency_ms for a in answers.values() if math.isfinite(a.latency_ms)]),
    }


def accuracy(answers: Mapping[int, Answer], truths: Mapping[int, FrameTruth], classes: tuple[str, ...], layout: str
             ) -> dict[str, Any]:
    """``map50`` and ``ap50`` by class, over the classes that truth and model share; ``nme`` and what concerns faces.

    ``precision`` and ``recall`` are those of all answers as they are, whatever their scores. None for faces where the
    model's landmark ``layout`` is not that of the truth: its points are others.
    """
    names: dict[str, Any] = {"map50": None, "ap50": {}, "precision": None, "recall": None, "nme": None,
                             "face_recall": None, "face_precision": None}
    if not truths:
        return names
    indices = sorted(truths)
    objects = [truths[i].objects() for i in indices]
    seen = {name for truth in objects for name in truth.names}
    shared = tuple(name for name in classes if name in seen and name not in (FACE, IGNORE))
    if shared:
        none = Detections.empty(shared)
        found = [answers[i].objects() if i in answers else none for i in indices]
        scores = average_precision(objects, found, shared)
        names["map50"] = _finite(scores["map50"])
        names["ap50"] = {name: _finite(scores[f"ap50/{name}"]) for name in shared if f"ap50/{name}" in scores}
        names["precision"], names["recall"] = map(_finite, precision_and_recall(objects, found, shared, 0.0))
    true = next((truths[i].faces for i in indices if len(truths[i].faces)), None)
    if true is not None and true.layout == layout:
        nobody = FaceLandmarks.empty(layout, true.points.shape[1])
        faces = evaluate_landmarks([truths[i].face_truth() for i in indices],
                                   [answers[i].faces if i in answers else nobody for i in indices], layout)
        names.update(nme=_finite(faces.nme, 2), face_recall=_finite(faces.recall),
                     face_precision=_finite(faces.precision))
    return names


def _finite(value: float, digits: int = 4) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def table(summary: Mapping[str, Any]) -> str:
    """A summary for people; what it does not have is left out."""
    drops = {reason: count for reason, count in summary["drops"].items() if count}
    found = ", ".join(f"{count} {name}" for name, count in summary["detections"].items()) or "none"
    rows = [
        ("frames in", str(summary["frames_in"])),
        ("results out", f"{summary['results_out']} ({summary['results_out'] / summary['frames_in']:.1%})"),
        ("drops", ", ".join(f"{count} {reason}" for reason, count in drops.items()) or "none"),
        *_time_rows(summary),
        ("detections", found),
        ("faces", str(summary["faces"])),
        ("mAP50", _number(summary["map50"], 3) + "".join(f"  {n} {_number(v, 3)}" for n, v in summary["ap50"].items())),
        ("as published", f"precision {_number(summary['precision'], 3)}  recall {_number(summary['recall'], 3)}"),
        ("NME", f"{_number(summary['nme'], 2)} %  recall {_number(summary['face_recall'], 3)}"
                f"  precision {_number(summary['face_precision'], 3)}"),
        ("backend", summary["backend"]),
    ]
    return "\n" + "\n".join(f"  {name:<12} {text}" for name, text in rows)


def _time_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "rate_hz" not in summary:
        return []
    rate = f"{summary['rate_hz']:.1f} Hz"
    if summary["realtime_factor"] < 0.999:
        rate += f" ({summary['realtime_factor']:.2f} of the recording's {summary['recorded_rate_hz']:.1f} Hz)"
    return [("rate", rate),
            ("latency", "  ".join(f"{name} {_number(value)} ms" for name, value in summary["latency_ms"].items()))]


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
