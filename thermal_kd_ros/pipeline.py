"""ThermalPerception: thermal frames in, detections and facial landmarks out. Every door uses this one object."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from .config import PerceptionConfig, class_thresholds
from .engines.base import Engine, load_engine
from .faces import CROP_MARGIN, normalise_crop
from .frames import ThermalFrame
from .geometry import FaceCrop, Letterbox, Orientation
from .head_pose import LAYOUT, head_poses
from .layouts import Layout, get_layout
from .models.checkpoint import ModelError
from .models.confidence import confidence
from .nms import select
from .results import Detections, FaceLandmarks, HeadPoses, PerceptionResult
from .smoothing import LandmarkSmoother
from .temperature import point_temperatures
from .tone import TemporalTone
from .tracking import Tracker


class _Camera:
    """What is remembered of one camera."""

    def __init__(self, config: PerceptionConfig) -> None:
        self.contrast = TemporalTone(config.contrast)
        self.objects = Tracker(config.tracking)
        self.faces = Tracker(config.tracking)
        self.smoother = LandmarkSmoother(config.smoothing, config.tracking.max_missed_s)


class ThermalPerception:
    """The pipeline: upright image, contrast, letterbox, detector, suppression, faces, landmarks, tracks.

    Loads its models when made; raises ModelError, EngineError or ConfigError. Not thread-safe: one thread calls it.
    """

    def __init__(self, config: PerceptionConfig | None = None) -> None:
        self.config = config or PerceptionConfig()
        self.detector: Engine = load_engine(self.config.detector.model, "detection", self.config.engine)
        self.face_detector: Engine | None = None
        self.landmarker: Engine | None = None
        self.layout: Layout | None = None
        if self.config.face.enabled:
            self._load_faces(self.config)
        self._cameras: dict[str, _Camera] = {}
        self._thresholds = self._class_thresholds(self.config)

    def _load_faces(self, config: PerceptionConfig) -> None:
        """Load both face networks, or change nothing."""
        face = config.face
        detector = load_engine(face.detector_model, "detection", config.engine)
        if "face" not in detector.card.classes:
            raise ModelError(f"face.detector_model '{face.detector_model}' has no class 'face', "
                             f"only {', '.join(detector.card.classes)}")
        landmarker = load_engine(face.landmark_model, "landmarks", config.engine)
        card = landmarker.card
        try:
            layout = get_layout(card.layout)
        except KeyError as error:
            raise ModelError(f"face.landmark_model '{face.landmark_model}': {error.args[0]}") from None
        if card.architecture.get("points") != layout.points:
            raise ModelError(f"face.landmark_model '{face.landmark_model}' gives {card.architecture.get('points')} "
                             f"points, but its layout {layout.name} has {layout.points}")
        self.face_detector, self.landmarker, self.layout = detector, landmarker, layout

    def _class_thresholds(self, config: PerceptionConfig) -> np.ndarray:
        names = self.detector.card.classes
        chosen = class_thresholds(config.detector)
        unknown = sorted(set(chosen) - set(names))
        if unknown:
            raise ModelError(f"detector.class_thresholds names {', '.join(unknown)}, but the model's classes are "
                             f"{', '.join(names)}")
        return np.array([chosen.get(name, config.detector.score_threshold) for name in names], np.float32)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The detector's classes."""
        return self.detector.card.classes

    def reconfigure(self, config: PerceptionConfig) -> None:
        """Take new thresholds and other live values; models and engine stay as they are.

        Raises ModelError or EngineError, with nothing changed, if the new values do not fit the models.
        """
        thresholds = self._class_thresholds(config)
        if config.face.enabled and self.face_detector is None:
            self._load_faces(config)
        self._thresholds = thresholds
        self.config = config
        for camera in self._cameras.values():
            camera.contrast.config = config.contrast
            camera.objects.config = camera.faces.config = config.tracking
            camera.smoother.config, camera.smoother.forget_s = config.smoothing, config.tracking.max_missed_s

    def warm_up(self) -> None:
        """Run every network once, so that the first real frame is not the slow one."""
        for engine in (self.detector, self.face_detector, self.landmarker):
            if engine is not None:
                engine.run(np.full((1, 1, engine.card.input_height, engine.card.input_width), 0.5, np.float32))

    def describe(self) -> str:
        """Backend and models, for logs and diagnostics."""
        names = [engine.card.name for engine in (self.detector, self.face_detector, self.landmarker) if engine]
        return f"{self.detector.describe()}; models {', '.join(names)}"

    def process(self, frames: Sequence[ThermalFrame]) -> list[PerceptionResult]:
        """Results of a batch of frames, in their order; the frames may come from several cameras.

        Results are in the pixels of the frames as they are given, whatever turn thermal.rotate and flip ask for.
        """
        if not frames:
            return []
        began = time.perf_counter()
        thermal = self.config.thermal
        turns = [Orientation(*frame.shape, thermal.rotate, thermal.flip) for frame in frames]
        frames = [_upright(frame, turn) for frame, turn in zip(frames, turns, strict=True)]
        images = [self._contrast(frame) for frame in frames]
        stages = {"contrast": time.perf_counter() - began}

        began = time.perf_counter()
        detections = self._detect(images)
        stages["detect"] = time.perf_counter() - began

        began = time.perf_counter()
        boxes = self._find_faces(images)
        stages["faces"] = time.perf_counter() - began

        began = time.perf_counter()
        faces = self._landmarks(frames, boxes)
        detections = [_turned_back(found, turn) for found, turn in zip(detections, turns, strict=True)]
        faces = [_faces_turned_back(found, turn) for found, turn in zip(faces, turns, strict=True)]
        stages["landmarks"] = time.perf_counter() - began

        if self.config.tracking.enabled:
            began = time.perf_counter()
            for i, frame in enumerate(frames):
                if frame.stamp is not None:
                    detections[i], faces[i] = self._track(frame, detections[i], faces[i])
            stages["tracking"] = time.perf_counter() - began

        began = time.perf_counter()
        poses = [self._poses(frame, found) for frame, found in zip(frames, faces, strict=True)]
        stages["pose"] = time.perf_counter() - began
        stage_ms = {name: 1e3 * seconds for name, seconds in stages.items()}
        return [PerceptionResult(d, f, stage_ms, p) for d, f, p in zip(detections, faces, poses, strict=True)]

    def _camera(self, name: str) -> _Camera:
        if name not in self._cameras:
            self._cameras[name] = _Camera(self.config)
        return self._cameras[name]

    def _contrast(self, frame: ThermalFrame) -> np.ndarray:
        return self._camera(frame.camera).contrast.update(frame).apply(frame.values)

    @staticmethod
    def _letterboxed(engine: Engine, images: list[np.ndarray]) -> tuple[list[Letterbox], np.ndarray]:
        card = engine.card
        boxes = [Letterbox(image.shape[0], image.shape[1], card.input_height, card.input_width) for image in images]
        batch = np.stack([box.apply(image) for box, image in zip(boxes, images, strict=True)])
        return boxes, batch[:, None]

    def _detect(self, images: list[np.ndarray]) -> list[Detections]:
        letterboxes, batch = self._letterboxed(self.detector, images)
        boxes, scores = self.detector.run(batch)
        config, found = self.config.detector, []
        for i, letterbox in enumerate(letterboxes):
            kept = select(boxes[i], scores[i], self._thresholds, config.nms_iou, config.max_detections)
            found.append(_in_source(letterbox, kept, self.class_names))
        return found

    def _find_faces(self, images: list[np.ndarray]) -> list[Detections]:
        config = self.config.face
        if not config.enabled or self.face_detector is None or config.max_faces == 0:
            return [Detections.empty(("face",)) for _ in images]
        letterboxes, batch = self._letterboxed(self.face_detector, images)
        boxes, scores = self.face_detector.run(batch)
        face = self.face_detector.card.classes.index("face")
        thresholds = np.array([config.score_threshold], np.float32)
        found = []
        for i, letterbox in enumerate(letterboxes):
            kept = select(boxes[i], scores[i][:, face : face + 1], thresholds, config.nms_iou, config.max_faces)
            faces = _in_source(letterbox, kept, ("face",))
            sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=0.0)
            found.append(faces.select(sides >= config.min_size_px))
        return found

    def _landmarks(self, frames: Sequence[ThermalFrame], faces: list[Detections]) -> list[FaceLandmarks]:
        if self.landmarker is None or self.layout is None:
            return [FaceLandmarks.empty("", 0) for _ in frames]
        size = self.landmarker.card.input_height
        jobs = [(i, FaceCrop.around(box, size, CROP_MARGIN)) for i, found in enumerate(faces) for box in found.boxes]
        if not jobs:
            return [FaceLandmarks.empty(self.layout.name, self.layout.points) for _ in frames]
        batch = np.stack([normalise_crop(crop.apply(frames[i].values)) for i, crop in jobs])[:, None]
        points, sigma = self.landmarker.run(batch)
        results, start = [], 0
        for i, found in enumerate(faces):
            stop = start + len(found)
            mine = [crop for _, crop in jobs[start:stop]]
            source = np.array([crop.inverse(p) for crop, p in zip(mine, points[start:stop], strict=True)], np.float32)
            source = source.reshape(-1, self.layout.points, 2)
            sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0)
            scales = np.array([crop.side / crop.size for crop in mine], np.float32)
            sure = confidence(sigma[start:stop] * scales[:, None], sides[:, None])
            results.append(FaceLandmarks(found.boxes, found.scores, source, sure,
                                         point_temperatures(frames[i], source), self.layout.name))
            start = stop
        return results

    def _poses(self, frame: ThermalFrame, faces: FaceLandmarks) -> HeadPoses | None:
        # A mirrored camera sees a head that does not exist.
        wanted = self.config.face.head_pose and not self.config.thermal.flip and faces.layout == LAYOUT
        return head_poses(faces, frame.rays) if wanted and frame.rays is not None else None

    def _track(self, frame: ThermalFrame, detections: Detections, faces: FaceLandmarks
               ) -> tuple[Detections, FaceLandmarks]:
        camera = self._camera(frame.camera)
        assert frame.stamp is not None
        ids = camera.objects.update(detections.boxes, detections.labels, frame.stamp)
        face_ids = camera.faces.update(faces.boxes, np.zeros(len(faces), np.int64), frame.stamp)
        faces = camera.smoother.update(dataclasses.replace(faces, track_ids=face_ids), frame.stamp)
        return dataclasses.replace(detections, track_ids=ids), faces


def _upright(frame: ThermalFrame, turn: Orientation) -> ThermalFrame:
    return frame if turn.is_identity else dataclasses.replace(frame, values=turn.apply(frame.values))


def _turned_back(found: Detections, turn: Orientation) -> Detections:
    return found if turn.is_identity else dataclasses.replace(found, boxes=turn.inverse_boxes(found.boxes))


def _faces_turned_back(found: FaceLandmarks, turn: Orientation) -> FaceLandmarks:
    """Points stay on what they were found on, and keep their identity: the subject's right eye stays the right one."""
    if turn.is_identity:
        return found
    return dataclasses.replace(found, boxes=turn.inverse_boxes(found.boxes),
                               points=turn.inverse(found.points).astype(np.float32))


def _in_source(letterbox: Letterbox, kept: tuple[np.ndarray, np.ndarray, np.ndarray], names: tuple[str, ...]
               ) -> Detections:
    """Detections in source pixels; boxes that lie in the letterbox's margin alone are dropped."""
    boxes, scores, labels = kept
    source = letterbox.inverse_boxes(boxes)
    solid = ((source[:, 2:] - source[:, :2]) > 0.0).all(axis=1)
    return Detections(source[solid], scores[solid], labels[solid], names)
