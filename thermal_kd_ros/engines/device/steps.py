"""The steps of the path for one shape of input, from tensor to tensor; each can be captured in a CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch

from ...config import ContrastConfig, PerceptionConfig
from ...faces import (
    BOX_MARGIN,
    BRIDGE,
    BROWS,
    CHIN,
    CROP_CONTRAST,
    CROP_MARGIN,
    FOREHEAD,
    LEAST_SPAN,
    LEAST_SPAN_PART,
    MOST_GROWTH,
    MOST_OUTSIDE,
    MOST_SHIFT,
)
from ...geometry import Letterbox
from ...nms import CANDIDATES
from . import tone
from .resample import DeviceLetterbox, face_crops
from .suppression import best_candidates, overlaps, packed, suppress, voted


class Network(Protocol):
    """A network on the device."""

    def infer(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See TorchEngine.infer."""
        ...


@dataclass(frozen=True)
class DeviceNetworks:
    """What runs on the device."""

    detector: Network
    detector_size: tuple[int, int]
    """(height, width) of its input."""
    thresholds: torch.Tensor
    """(C,) float32, of the detector's classes."""
    contrasts: tuple[ContrastConfig, ...]
    """For the detector, and for the face detector if it sees another."""
    face_detector: Network | None = None
    face_detector_size: tuple[int, int] = (0, 0)
    face_class: int = 0
    """Which of the face detector's classes are faces."""
    landmarker: Network | None = None
    crop_size: int = 0
    mirror: torch.Tensor | None = None
    """(K,) int64: which landmark each becomes in a mirror image."""

    def same(self, other: DeviceNetworks) -> bool:
        """Whether steps made of these are those that would be made of the others."""
        return ((self.detector, self.face_detector, self.landmarker, self.contrasts) == (
            other.detector, other.face_detector, other.landmarker, other.contrasts)
            and torch.equal(self.thresholds, other.thresholds))


class Signature(NamedTuple):
    """What a batch must have in common with another to go through the same captured steps."""

    batch: int
    height: int
    width: int
    dtype: str
    """uint8, uint16 or float32."""


class Dense(NamedTuple):
    """What the detectors put out: for objects, then for faces if they are looked for."""

    boxes: torch.Tensor
    scores: torch.Tensor
    face_boxes: torch.Tensor | None
    face_scores: torch.Tensor | None


OBJECT_FIELDS = 7
"""Of a detection: box in the detector's input pixels, score, label, 1."""
FACE_FIELDS = 10
"""Of a face: frame, box in source pixels, score, x, y and side of the crop, 1."""


class Steps:
    """All steps for one signature and configuration."""

    def __init__(self, signature: Signature, networks: DeviceNetworks, config: PerceptionConfig, device: torch.device
                 ) -> None:
        self.signature = signature
        self._networks, self._config = networks, config
        source = signature.height, signature.width
        self._letterbox = DeviceLetterbox(Letterbox(*source, *networks.detector_size), device)
        loaded = networks.face_detector is not None and networks.landmarker is not None
        self.faces = loaded and config.face.enabled and config.face.max_faces > 0
        if self.faces:
            self._face_letterbox = DeviceLetterbox(Letterbox(*source, *networks.face_detector_size), device)

    @property
    def most_faces(self) -> int:
        """In a batch."""
        return self.signature.batch * self._config.face.max_faces if self.faces else 0

    def values(self, raw: torch.Tensor) -> torch.Tensor:
        """Uploaded pixels (B, H, W) to float32; uint16 come as int16 of the same bits."""
        if self.signature.dtype == "uint16":
            return (raw.int() & 0xFFFF).float()
        return raw.float()

    def dense(self, values: torch.Tensor, inputs: torch.Tensor, memories: Sequence[tone.ToneMemory]) -> Dense:
        """Contrast, letterbox and both detectors: values (B, H, W) and the host's ``inputs`` (tones, B, 8) to boxes."""
        networks = self._networks
        greys = [tone.grey(values, tone.ToneInputs(*given.unbind(1)), memory, contrast)
                 for given, memory, contrast in zip(inputs, memories, networks.contrasts, strict=True)]
        images = self._letterbox.apply(greys[0])
        boxes, scores = networks.detector.infer(images[:, None])
        if not self.faces or networks.face_detector is None:
            return Dense(boxes, scores, None, None)
        if len(greys) > 1 or self._face_letterbox.box != self._letterbox.box:
            images = self._face_letterbox.apply(greys[-1])
        face_boxes, face_scores = networks.face_detector.infer(images[:, None])
        return Dense(boxes, scores, face_boxes, face_scores[..., networks.face_class, None])

    def decide(self, dense: Dense, rounds: int | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Thresholds and suppression in ``rounds`` (None: as many as could ever be needed).

        Returns:
            Detections (B, max_detections, OBJECT_FIELDS), faces of all frames (most_faces, FACE_FIELDS), both best
            first with zeros behind them, and (1,) float32 that is 1 if the rounds were enough.
        """
        config = self._config.detector
        objects, enough = _chosen(dense.boxes, dense.scores, self._networks.thresholds, config.nms_iou,
                                  config.max_detections, rounds)
        if dense.face_boxes is None or dense.face_scores is None:
            return objects, objects.new_zeros(0, FACE_FIELDS), enough.float()
        face = self._config.face
        least = torch.full_like(dense.face_scores[0, 0], face.score_threshold)
        # All of them: a face that is too small must not take the place of one that can be used.
        faces, sure = _chosen(dense.face_boxes, dense.face_scores, least, face.nms_iou, CANDIDATES, rounds)
        return objects, self._windows(faces), (enough & sure).float()

    def _windows(self, faces: torch.Tensor) -> torch.Tensor:
        """Chosen faces (B, F, OBJECT_FIELDS) to rows of FACE_FIELDS of those that are wanted, frame by frame.

        In float64 in the order of ``Letterbox.inverse_boxes`` and ``FaceCrop.around``, so that the windows are theirs.
        """
        box = self._face_letterbox.box
        ends = []
        for axis, (source, size) in enumerate(zip((box.source_width, box.source_height), box.inner, strict=True)):
            ends.append(((faces[..., axis:4:2].double() - box.offset[axis]) / (size / source)).clamp(0.0, source))
        x, y = (end.float() for end in ends)
        extent = torch.stack([x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]])
        keep = (faces[..., 6] > 0.0) & (extent > 0.0).all(dim=0) & (
            extent.amax(dim=0) >= self._config.face.min_size_px)
        by_size = self._config.face.priority == "size"
        # By score they are in order already.
        place = _rank(extent.amax(dim=0).masked_fill(~keep, -1.0)) if by_size else keep.cumsum(dim=1) - 1
        keep &= place < self._config.face.max_faces
        boxes = torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1).double()
        frame = torch.arange(len(faces), device=faces.device)[:, None].expand_as(keep)
        rows = torch.cat([frame[..., None], boxes, faces[..., 4:5], _windows_around(boxes), keep[..., None]], dim=-1)
        return packed(keep.reshape(1, -1), rows.float().reshape(1, -1, FACE_FIELDS), self.most_faces)[0]

    def mark(self, values: torch.Tensor, faces: torch.Tensor, count: int) -> torch.Tensor:
        """Landmarks of the first ``count`` faces: (count, K, 3) float32, x and y in the crop's pixels and sigma."""
        rows, size = faces[:count], self._networks.crop_size
        image, window = rows[:, 0].long(), torch.cat([rows[:, 6:8], rows[:, 8:9].clamp(min=2.0)], dim=1)
        crops, config = self._crops(values, image, window), self._config.face
        if not config.second_look:
            if not config.mirror:
                return self._answers(crops)
            marks = self._answers(torch.cat([crops, crops.flip(3)]))
            return (marks[:count] + self._mirrored(marks[count:])) / 2
        marks = self._answers(crops)
        # In float64, as the host does it: a window that is rounded the other way is another window.
        first = window.double()
        found = _from_window(marks[..., :2].double(), first, size)
        second = _windows_around(second_boxes(found, rows[:, 1:5].double(), *values.shape[1:]))
        crops = self._crops(values, image, second.float())
        again = self._mirrored(self._answers(crops.flip(3))) if config.mirror else self._answers(crops)
        # In the pixels of the first window, which is the one that the host knows.
        points = _from_window(again[..., :2].double(), second, size) - first[:, None, :2]
        points = points * (size / first[:, None, 2:])
        return (marks + torch.cat([points, again[..., 2:] * (second / first)[:, None, 2:]], dim=2).float()) / 2

    def _crops(self, values: torch.Tensor, image: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
        """What the landmark network sees of windows (F, 3) float32, x, y and side, each of an image (F,)."""
        x, y, side = window.unbind(1)
        whole = self.signature.dtype != "float32"
        return normalised(face_crops(values, image, x, y, side, self._networks.crop_size, whole))[:, None]

    def _answers(self, crops: torch.Tensor) -> torch.Tensor:
        """Landmarks (F, K, 3) of crops (F, 1, S, S), in the form of ``mark``."""
        assert self._networks.landmarker is not None
        points, sigma = self._networks.landmarker.infer(crops)
        return torch.cat([points, sigma[..., None]], dim=2)

    def _mirrored(self, marks: torch.Tensor) -> torch.Tensor:
        """Landmarks (F, K, 3) of mirror images to those of the crops."""
        assert self._networks.mirror is not None
        x, y, deviation = marks.index_select(1, self._networks.mirror).unbind(2)
        return torch.stack([self._networks.crop_size - x, y, deviation], dim=2)


def _windows_around(boxes: torch.Tensor) -> torch.Tensor:
    """Boxes (..., 4) float64 to windows (..., 3), x, y and side, as ``FaceCrop.around`` has them."""
    low, high = boxes[..., :2], boxes[..., 2:]
    side = ((high - low).amax(dim=-1, keepdim=True) * (1 + 2 * CROP_MARGIN)).round().clamp(min=2.0)
    return torch.cat([((low + high - side) / 2).round(), side], dim=-1)


def _from_window(points: torch.Tensor, window: torch.Tensor, size: int) -> torch.Tensor:
    """Points (F, K, 2) in the pixels of crops of ``size`` to those of the source, see ``FaceCrop.inverse``."""
    return points * (window[:, None, 2:] / size) + window[:, None, :2]


def second_boxes(points: torch.Tensor, boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where to look once more at faces: points (F, K, 2) and boxes (F, 4) float64; see ``faces.second_box``."""
    forehead = points[:, BROWS] + FOREHEAD * (points[:, BRIDGE] - points[:, CHIN])[:, None]
    hull = torch.cat([points, forehead], dim=1)
    low, high = hull.amin(dim=1), hull.amax(dim=1)
    margin = BOX_MARGIN * (high - low)
    theirs = torch.cat([low - margin, high + margin], dim=1).float().double()
    extent, wanted = ((box[:, 2:] - box[:, :2]).amax(dim=1) for box in (theirs, boxes))
    shift = (theirs[:, :2] + theirs[:, 2:] - boxes[:, :2] - boxes[:, 2:]).abs().amax(dim=1) / 2
    outside = torch.stack([-theirs[:, :2].amin(dim=1), theirs[:, 2] - width, theirs[:, 3] - height]).amax(dim=0)
    near = ((shift <= MOST_SHIFT * wanted) & (wanted <= MOST_GROWTH * extent) & (extent <= MOST_GROWTH * wanted)
            & (outside <= MOST_OUTSIDE * extent))
    return torch.where(near[:, None], theirs, boxes)


def _rank(values: torch.Tensor) -> torch.Tensor:
    """Place of each value (B, N) in its row, from 0 for the largest; equal values in their order. (B, N) int64."""
    order = values.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.zeros_like(order).scatter_(1, order, places)


def normalised(crops: torch.Tensor) -> torch.Tensor:
    """Face crops (F, S, S) with NaN to [0, 1], each within its own span; see ``faces.normalise_crop``."""
    sample = tone.regular_sample(crops)
    largest = sample.nan_to_num(0.0).abs().amax(dim=1).double()
    least = (LEAST_SPAN_PART * largest).clamp(min=LEAST_SPAN)
    return tone.apply_span(crops, tone.robust_span(sample, CROP_CONTRAST, least))


def _chosen(boxes: torch.Tensor, scores: torch.Tensor, thresholds: torch.Tensor, iou: float, limit: int,
            rounds: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Dense outputs to (B, limit, OBJECT_FIELDS), and whether ``rounds`` of suppression were enough, (1,) bool."""
    best, score, label = best_candidates(boxes, scores, thresholds)
    overlap = overlaps(best, label)
    alive, enough = suppress(overlap, score, iou, best.shape[1] + 1 if rounds is None else rounds)
    where, what = voted(overlap, best, score), torch.stack([score, label.float(), torch.ones_like(score)], dim=2)
    rows = torch.cat([where, what], dim=2)
    return packed(alive, rows, limit), enough.all().view(1)


def to_tensor(values: np.ndarray) -> torch.Tensor:
    """Pixels as torch can carry them: uint16 as int16 of the same bits."""
    return torch.from_numpy(values.view(np.int16) if values.dtype == np.uint16 else values)
