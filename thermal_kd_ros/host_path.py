"""The steps from upright frames to landmarks, one by one in NumPy, OpenCV and whatever runs the networks.

``engines/device`` has the same steps for a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from .buckets import run_in_buckets
from .config import ContrastConfig, FaceConfig, PerceptionConfig
from .engines.base import Engine
from .faces import CROP_MARGIN, mean_of_both, mean_of_looks, normalise_crop, second_box, with_mirror_images
from .frames import ThermalFrame
from .geometry import FaceCrop, Letterbox
from .layouts import Layout
from .networks import Networks
from .nms import select
from .placing import faces_in_source, in_source
from .results import Detections, FaceLandmarks
from .tone import TemporalTone


class HostPath:
    """Contrast, letterbox, detectors, suppression, face crops, landmarks. Remembers each camera's contrast."""

    def __init__(self, networks: Networks, config: PerceptionConfig, contrasts: dict[str, ContrastConfig],
                 thresholds: np.ndarray) -> None:
        self._tones: dict[tuple[str, str], TemporalTone] = {}
        """By camera and by the detector that looks: ``objects`` or ``faces``."""
        self.reconfigure(networks, config, contrasts, thresholds)

    def reconfigure(self, networks: Networks, config: PerceptionConfig, contrasts: dict[str, ContrastConfig],
                    thresholds: np.ndarray) -> None:
        """Take other values; cameras keep their contrast."""
        self._networks, self._config, self._contrasts, self._thresholds = networks, config, contrasts, thresholds
        for (_, network), tone in self._tones.items():
            tone.config = contrasts[network]

    def find(self, frames: Sequence[ThermalFrame]
             ) -> tuple[list[Detections], list[FaceLandmarks], dict[str, float]]:
        """What is in upright frames, in their pixels, and the seconds that each stage took."""
        times = [time.perf_counter()]
        images = face_images = [self._contrast(frame, "objects") for frame in frames]
        if self._contrasts.get("faces", self._contrasts["objects"]) != self._contrasts["objects"]:
            face_images = [self._contrast(frame, "faces") for frame in frames]
        times.append(time.perf_counter())
        detections = self.objects(images)
        times.append(time.perf_counter())
        boxes = self.faces(face_images)
        times.append(time.perf_counter())
        faces = self.landmarks(frames, boxes)
        times.append(time.perf_counter())
        stages = zip(("contrast", "detect", "faces", "landmarks"), np.diff(times).tolist(), strict=True)
        return detections, faces, dict(stages)

    def _contrast(self, frame: ThermalFrame, network: str) -> np.ndarray:
        """What a detector sees of a frame, before it is brought to the detector's size."""
        tone = self._tones.setdefault((frame.camera, network), TemporalTone(self._contrasts[network]))
        return tone.update(frame).apply(frame.values)

    def objects(self, images: list[np.ndarray]) -> list[Detections]:
        """What the detector finds in images (H, W) float32 in [0, 1]."""
        letterboxes, batch = _letterboxed(self._networks.detector, images)
        boxes, scores = run_in_buckets(self._networks.detector, batch)
        config, names = self._config.detector, self._networks.detector.card.classes
        return [in_source(letterbox, select(boxes[i], scores[i], self._thresholds, config.nms_iou,
                                            config.max_detections), names)
                for i, letterbox in enumerate(letterboxes)]

    def faces(self, images: list[np.ndarray]) -> list[Detections]:
        """The faces in images (H, W) float32 in [0, 1]."""
        config, engine = self._config.face, self._networks.face_detector
        if not config.enabled or engine is None or config.max_faces == 0:
            return [Detections.empty(("face",)) for _ in images]
        letterboxes, batch = _letterboxed(engine, images)
        boxes, scores = run_in_buckets(engine, batch)
        face = engine.card.classes.index("face")
        thresholds = np.array([config.score_threshold], np.float32)
        found = []
        for i, letterbox in enumerate(letterboxes):
            # All of them: a face that is too small must not take the place of one that can be used.
            kept = select(boxes[i], scores[i][:, face : face + 1], thresholds, config.nms_iou, len(boxes[i]))
            found.append(most_wanted(in_source(letterbox, kept, ("face",)), config))
        return found

    def landmarks(self, frames: Sequence[ThermalFrame], faces: list[Detections]) -> list[FaceLandmarks]:
        """The landmarks of the faces of each frame."""
        engine, layout = self._networks.landmarker, self._networks.layout
        if engine is None or layout is None:
            return [FaceLandmarks.empty("", 0) for _ in frames]
        if not any(map(len, faces)):
            return [FaceLandmarks.empty(layout.name, layout.points) for _ in frames]
        owners = [frame.values for frame, found in zip(frames, faces, strict=True) for _ in found.boxes]
        boxes = [box for found in faces for box in found.boxes]
        crops, points, sigma = find_landmarks(partial(run_in_buckets, engine), owners, boxes, engine.card.input_height,
                                              layout, self._config.face)
        results, start = [], 0
        for frame, found in zip(frames, faces, strict=True):
            mine = slice(start, start := start + len(found))
            results.append(faces_in_source(frame, found, crops[mine], points[mine], sigma[mine], layout))
        return results


Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A landmark network: crops (F, 1, S, S) to landmarks (F, K, 2) and deviations (F, K), in the crops' pixels."""


def find_landmarks(run: Run, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray], size: int, layout: Layout,
                   config: FaceConfig, margin: float = CROP_MARGIN) -> tuple[list[FaceCrop], np.ndarray, np.ndarray]:
    """Landmarks of faces, each a box (4,) in an image (H, W) of its own; ``size`` is the side of the network's input.

    Returns:
        The crops, and in their pixels the landmarks (F, K, 2) and deviations (F, K).
    """
    crops = [FaceCrop.around(box, size, margin) for box in boxes]
    batch = _normalised(images, crops)
    if not config.second_look:
        if not config.mirror:
            return crops, *run(batch)
        return crops, *mean_of_both(*run(with_mirror_images(batch)), layout, size)
    points, sigma = run(batch)
    again = [FaceCrop.around(second_box(crop.inverse(p), box, *image.shape), size, margin)
             for crop, p, box, image in zip(crops, points, boxes, images, strict=True)]
    batch = _normalised(images, again)
    other_points, other_sigma = run(np.ascontiguousarray(batch[..., ::-1]) if config.mirror else batch)
    if config.mirror:
        other_points, other_sigma = layout.mirrored(other_points, size), other_sigma[:, list(layout.mirror)]
    return crops, *mean_of_looks(crops, points, sigma, again, other_points, other_sigma)


def _normalised(images: Sequence[np.ndarray], crops: Sequence[FaceCrop]) -> np.ndarray:
    """What the landmark network sees of crops, (F, 1, S, S)."""
    return np.stack([normalise_crop(crop.apply(image)) for image, crop in zip(images, crops, strict=True)])[:, None]


def _letterboxed(engine: Engine, images: list[np.ndarray]) -> tuple[list[Letterbox], np.ndarray]:
    card = engine.card
    boxes = [Letterbox(image.shape[0], image.shape[1], card.input_height, card.input_width) for image in images]
    inputs = [box.apply(image) for box, image in zip(boxes, images, strict=True)]
    # One image, the most common case, is its own batch: nothing is copied.
    return boxes, np.stack(inputs)[:, None] if len(inputs) > 1 else inputs[0][None, None]


def most_wanted(faces: Detections, config: FaceConfig) -> Detections:
    """The faces that are large enough, at most ``max_faces``: the first by ``priority``, in their order."""
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=0.0)
    large = np.nonzero(sides >= config.min_size_px)[0]
    if len(large) > config.max_faces:
        wanted = sides if config.priority == "size" else faces.scores
        large = np.sort(large[np.argsort(-wanted[large], kind="stable")[: config.max_faces]])
    return faces.select(large)
