"""What the pipeline returns: typed arrays in source-image pixels.

Coordinates are continuous: the image spans [0, width] x [0, height], and the centre of the top-left pixel is
(0.5, 0.5). Boxes are ``x1, y1, x2, y2``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from .frames import ThermalFrame


@dataclass(frozen=True)
class Detections:
    """N detected objects, sorted by falling score."""

    boxes: np.ndarray
    """(N, 4) float32, x1 y1 x2 y2, source pixels."""
    scores: np.ndarray
    """(N,) float32 in [0, 1]."""
    labels: np.ndarray
    """(N,) int64, index into ``class_names``."""
    class_names: tuple[str, ...]
    track_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(N,) int64; -1 where there is no track. Filled with -1 if not given."""

    def __post_init__(self) -> None:
        """Give every detection an (absent) track id."""
        if len(self.track_ids) != len(self.boxes):
            object.__setattr__(self, "track_ids", np.full(len(self.boxes), -1, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls, class_names: tuple[str, ...]) -> Detections:
        """No detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), class_names)

    def select(self, index: np.ndarray) -> Detections:
        """The detections at ``index`` (indices or mask)."""
        return Detections(self.boxes[index], self.scores[index], self.labels[index], self.class_names,
                          self.track_ids[index])


@dataclass(frozen=True)
class FaceLandmarks:
    """F faces with K landmark points each; position in a row is the point's identity."""

    boxes: np.ndarray
    """(F, 4) float32, x1 y1 x2 y2, source pixels."""
    scores: np.ndarray
    """(F,) float32 in [0, 1], the face detector's."""
    points: np.ndarray
    """(F, K, 2) float32, u v, source pixels."""
    confidence: np.ndarray
    """(F, K) float32 in [0, 1]."""
    temperature: np.ndarray
    """(F, K) float32, degrees Celsius, NaN where the image is not radiometric or the point lies outside."""
    layout: str
    """Name of the landmark layout, see ``layouts.py``."""
    track_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(F,) int64; -1 where there is no track. Filled with -1 if not given."""
    canthus_temperature: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(F,) float32, degrees Celsius at the warmer inner eye corner, NaN where it is not known and if not given."""

    def __post_init__(self) -> None:
        """Give every face an (absent) track id and an (unknown) temperature of its eye corners."""
        if len(self.canthus_temperature) != len(self.boxes):
            object.__setattr__(self, "canthus_temperature", np.full(len(self.boxes), np.nan, np.float32))
        if len(self.track_ids) != len(self.boxes):
            object.__setattr__(self, "track_ids", np.full(len(self.boxes), -1, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def sure(self, least: float) -> FaceLandmarks:
        """The faces whose landmarks have a mean confidence of ``least`` or more."""
        kept = self.confidence.mean(axis=1) >= least if self.confidence.size else np.ones(len(self), bool)
        if kept.all():
            return self
        rows = {item.name: getattr(self, item.name)[kept] for item in dataclasses.fields(self) if item.name != "layout"}
        return dataclasses.replace(self, **rows)

    @classmethod
    def empty(cls, layout: str, points: int) -> FaceLandmarks:
        """No faces."""
        none = np.zeros((0, points), np.float32)
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, points, 2), np.float32),
                   none, none.copy(), layout)


@dataclass(frozen=True)
class HeadPoses:
    """Where the heads of F faces are, in the camera's optical frame; rows are NaN where that is not known.

    The head's frame: x forward out of the face, y to the subject's left, z up, origin between the eyes.
    """

    rotation: np.ndarray
    """(F, 3, 3) float64, from the head's frame to the optical frame."""
    translation: np.ndarray
    """(F, 3) float64, metres."""
    error: np.ndarray
    """(F,) float64, root mean square distance of the landmarks from those of the posed model, as part of its width."""

    def __len__(self) -> int:
        return len(self.rotation)


@dataclass(frozen=True)
class PerceptionResult:
    """Everything found in one frame."""

    detections: Detections
    faces: FaceLandmarks
    stage_ms: dict[str, float]
    """Wall time of the stages of the batch that this frame was in, milliseconds: correct, which turns the image upright
    too; contrast, detect, faces and landmarks, or device where it was one go; tracking and pose."""
    frame: ThermalFrame
    """What was looked at: without bad pixels and stripes, in the camera's own orientation."""
    poses: HeadPoses | None = None
    """Of the faces, in their order; None if the camera's rays are not known or nobody asked."""
