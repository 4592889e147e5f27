"""ThermalPerception: thermal frames in, detections and facial landmarks out. Every door uses this one object."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .buckets import buckets_for, run_in_buckets
from .config import ConfigError, ContrastConfig, FaceConfig, PerceptionConfig, class_thresholds
from .correction import Corrector, Replacement, read_map
from .engines.base import Engine, EngineError, load_engine
from .engines.device.build import device_path
from .faces import CROP_MARGIN, mean_of_both, normalise_crop, with_mirror_images
from .frames import ThermalFrame
from .geometry import FaceCrop, Letterbox, Orientation
from .head_pose import LAYOUT, head_poses
from .layouts import Layout, get_layout
from .models.checkpoint import ModelError
from .models.confidence import confidence
from .nms import select
from .results import Detections, FaceLandmarks, HeadPoses, PerceptionResult
from .smoothing import LandmarkSmoother
from .temperature import inner_canthus_temperatures, point_temperatures
from .tone import TemporalTone, contrast_for
from .tracking import Tracker

if TYPE_CHECKING:
    from .engines.device.path import DevicePath


class _Camera:
    """What is remembered of one camera."""

    def __init__(self, config: PerceptionConfig, bad_pixels: Replacement | None) -> None:
        self.corrector = Corrector(config.correction, bad_pixels)
        self.tones: dict[str, TemporalTone] = {}
        """By the network that looks at the image: ``objects`` or ``faces``."""
        self.objects = Tracker(config.tracking)
        self.faces = Tracker(config.tracking)
        self.smoother = LandmarkSmoother(config.smoothing, config.tracking.max_missed_s)


class ThermalPerception:
    """The pipeline: corrected and upright image, contrast, letterbox, detector, suppression, faces, landmarks, tracks.

    Loads its models when made; raises ModelError, EngineError or ConfigError. Not thread-safe: one thread calls it.
    """

    def __init__(self, config: PerceptionConfig | None = None) -> None:
        self.config = config or PerceptionConfig()
        bad_pixels = self.config.correction.bad_pixel_map
        self._bad_pixels = Replacement(read_map(bad_pixels)) if bad_pixels else None
        self.detector: Engine = load_engine(self.config.detector.model, "detection", self.config.engine)
        self.face_detector: Engine | None = None
        self.landmarker: Engine | None = None
        self.layout: Layout | None = None
        if self.config.face.enabled:
            self._load_faces(self.config)
        self._contrasts = self._contrasts_of(self.config, self.detector, self.face_detector)
        self._cameras: dict[str, _Camera] = {}
        self._thresholds = self._class_thresholds(self.config)
        self._device: DevicePath | None = None
        self._device_failure = ""
        self._choose_path()

    def _choose_path(self) -> None:
        """Whether the steps run on the networks' device or in NumPy."""
        faces = (self.face_detector, self.landmarker) if self.face_detector and self.landmarker else None
        contrasts = tuple(dict.fromkeys(self._contrasts.values()))
        self._device = device_path(self.config, self.detector, self._thresholds, faces, contrasts, self._device)

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
        self._contrasts_of(config, self.detector, detector)
        self.face_detector, self.landmarker, self.layout = detector, landmarker, layout

    @staticmethod
    def _contrasts_of(config: PerceptionConfig, objects: Engine, faces: Engine | None) -> dict[str, ContrastConfig]:
        """The contrast that each detector sees."""
        contrasts = {}
        for network, engine in (("objects", objects), ("faces", faces)):
            if engine is not None:
                try:
                    contrasts[network] = contrast_for(config.contrast, engine.card.normalisation)
                except ConfigError as error:
                    raise ModelError(f"{engine.card.name}: {error}; set contrast.method to one that is") from None
        return contrasts

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

    @property
    def contrast(self) -> ContrastConfig:
        """The contrast that the detector of objects sees; never method ``model``."""
        return self._contrasts["objects"]

    def reconfigure(self, config: PerceptionConfig) -> None:
        """Take new thresholds and other live values; models and engine stay as they are.

        Raises ModelError or EngineError, with nothing changed, if the new values do not fit the models.
        """
        thresholds = self._class_thresholds(config)
        if config.face.enabled and self.face_detector is None:
            self._load_faces(config)
        self._contrasts = self._contrasts_of(config, self.detector, self.face_detector)
        self._thresholds = thresholds
        self.config = config
        for camera in self._cameras.values():
            camera.corrector.config = config.correction
            for network, tone in camera.tones.items():
                tone.config = self._contrasts[network]
            camera.objects.config = camera.faces.config = config.tracking
            camera.smoother.config, camera.smoother.forget_s = config.smoothing, config.tracking.max_missed_s
        if not self._device_failure:
            self._choose_path()

    def bad_pixels(self, camera: str = "") -> int:
        """How many pixels of a camera are replaced at present, known and found."""
        known = self._cameras.get(camera)
        bad = known.corrector.bad if known is not None else None
        return int(bad.sum()) if bad is not None else 0

    def warm_up(self, batch: int = 1) -> None:
        """Run every network at every batch size that frames of ``batch`` cameras may need, so that no frame waits."""
        card = self.detector.card
        # On the device, steps are prepared for a size and type of image; these are the most common ones.
        counts = ThermalFrame(np.zeros((card.input_height, card.input_width), np.uint16), "raw_counts")
        for size in range(batch, 0, -1):
            self._found_on_device([dataclasses.replace(counts, camera=str(i)) for i in range(size)])
        if self._device is not None:
            self._device.forget_cameras()
            return
        for engine in self._engines():
            most = batch if engine.card.task == "detection" else batch * self.config.face.max_faces
            for size in sorted({size for count in range(1, most + 1) for size in buckets_for(count)}):
                engine.run(np.full((size, 1, engine.card.input_height, engine.card.input_width), 0.5, np.float32))

    def _engines(self) -> list[Engine]:
        return [engine for engine in (self.detector, self.face_detector, self.landmarker) if engine is not None]

    def describe(self) -> str:
        """Backends, each with the models that it runs, for logs and diagnostics."""
        models: dict[str, list[str]] = {}
        for engine in self._engines():
            models.setdefault(engine.describe(), []).append(engine.card.name)
        told = [f"{', '.join(names)}: {backend}" for backend, names in models.items()]
        return "; ".join(told + ([self._device.describe()] if self._device is not None else []))

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the engines, though they work."""
        told = [*([self._device_failure] if self._device_failure else []),
                *(text for engine in self._engines() for text in engine.warnings)]
        return list(dict.fromkeys(told))

    def process(self, frames: Sequence[ThermalFrame]) -> list[PerceptionResult]:
        """Results of a batch of frames, in their order; the frames may come from several cameras.

        Results are in the pixels of the frames as they are given, whatever turn thermal.rotate and flip ask for.
        """
        if not frames:
            return []
        began = time.perf_counter()
        thermal = self.config.thermal
        turns = [Orientation(*frame.shape, thermal.rotate, thermal.flip) for frame in frames]
        frames = [self._camera(frame.camera).corrector.apply(frame) for frame in frames]
        frames = [_upright(frame, turn) for frame, turn in zip(frames, turns, strict=True)]
        found = self._found_on_device(frames)
        if found is not None:
            detections, faces = found
            stages = {"device": time.perf_counter() - began}
        else:
            detections, faces, stages = self._found_by_host(frames)
        detections = [_turned_back(found, turn) for found, turn in zip(detections, turns, strict=True)]
        faces = [_faces_turned_back(found, turn) for found, turn in zip(faces, turns, strict=True)]

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

    def _found_by_host(self, frames: Sequence[ThermalFrame]
                       ) -> tuple[list[Detections], list[FaceLandmarks], dict[str, float]]:
        """What is in upright frames, and the seconds that each stage took."""
        times = [time.perf_counter()]
        images = face_images = [self._contrast(frame, "objects") for frame in frames]
        if self._contrasts.get("faces", self.contrast) != self.contrast:
            face_images = [self._contrast(frame, "faces") for frame in frames]
        times.append(time.perf_counter())
        detections = self._detect(images)
        times.append(time.perf_counter())
        boxes = self._find_faces(face_images)
        times.append(time.perf_counter())
        faces = self._landmarks(frames, boxes)
        times.append(time.perf_counter())
        stages = zip(("contrast", "detect", "faces", "landmarks"), np.diff(times).tolist(), strict=True)
        return detections, faces, dict(stages)

    def _found_on_device(self, frames: Sequence[ThermalFrame]
                         ) -> tuple[list[Detections], list[FaceLandmarks]] | None:
        """What is in upright frames, found in one go; None where that is not possible or the device failed."""
        if self._device is None or not all(self._device.accepts(frame) for frame in frames):
            return None
        try:
            chosen = self._device.find(frames)
        except EngineError as error:
            if self.config.engine.on_failure == "error":
                raise
            self._device, self._device_failure = None, f"{error}. Until then the steps run one by one"
            return None
        detections, faces = [], []
        card = self.detector.card
        for frame, found in zip(frames, chosen, strict=True):
            letterbox = Letterbox(*frame.shape, card.input_height, card.input_width)
            objects = found.objects[:, :4], found.objects[:, 4], found.objects[:, 5].astype(np.int64)
            detections.append(_in_source(letterbox, objects, self.class_names))
            if self.landmarker is None or self.layout is None:
                faces.append(FaceLandmarks.empty("", 0))
                continue
            boxes = Detections(found.faces[:, 1:5], found.faces[:, 5], np.zeros(len(found.faces), np.int64), ("face",))
            size = self.landmarker.card.input_height
            crops = [FaceCrop(int(x), int(y), int(side), size) for x, y, side in found.faces[:, 6:9]]
            faces.append(self._placed(frame, boxes, crops, found.marks[..., :2], found.marks[..., 2]))
        return detections, faces

    def _camera(self, name: str) -> _Camera:
        if name not in self._cameras:
            self._cameras[name] = _Camera(self.config, self._bad_pixels)
        return self._cameras[name]

    def _contrast(self, frame: ThermalFrame, network: str) -> np.ndarray:
        """What a network sees of a frame, before it is brought to the network's size."""
        tone = self._camera(frame.camera).tones.setdefault(network, TemporalTone(self._contrasts[network]))
        return tone.update(frame).apply(frame.values)

    @staticmethod
    def _letterboxed(engine: Engine, images: list[np.ndarray]) -> tuple[list[Letterbox], np.ndarray]:
        card = engine.card
        boxes = [Letterbox(image.shape[0], image.shape[1], card.input_height, card.input_width) for image in images]
        inputs = [box.apply(image) for box, image in zip(boxes, images, strict=True)]
        # One image, the most common case, is its own batch: nothing is copied.
        return boxes, np.stack(inputs)[:, None] if len(inputs) > 1 else inputs[0][None, None]

    def _detect(self, images: list[np.ndarray]) -> list[Detections]:
        letterboxes, batch = self._letterboxed(self.detector, images)
        boxes, scores = run_in_buckets(self.detector, batch)
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
        boxes, scores = run_in_buckets(self.face_detector, batch)
        face = self.face_detector.card.classes.index("face")
        thresholds = np.array([config.score_threshold], np.float32)
        found = []
        for i, letterbox in enumerate(letterboxes):
            limit = config.max_faces if config.priority == "score" else len(boxes[i])
            kept = select(boxes[i], scores[i][:, face : face + 1], thresholds, config.nms_iou, limit)
            found.append(_most_wanted(_in_source(letterbox, kept, ("face",)), config))
        return found

    def _landmarks(self, frames: Sequence[ThermalFrame], faces: list[Detections]) -> list[FaceLandmarks]:
        if self.landmarker is None or self.layout is None:
            return [FaceLandmarks.empty("", 0) for _ in frames]
        size = self.landmarker.card.input_height
        jobs = [(i, FaceCrop.around(box, size, CROP_MARGIN)) for i, found in enumerate(faces) for box in found.boxes]
        if not jobs:
            return [FaceLandmarks.empty(self.layout.name, self.layout.points) for _ in frames]
        batch = np.stack([normalise_crop(crop.apply(frames[i].values)) for i, crop in jobs])[:, None]
        if self.config.face.mirror:
            points, sigma = mean_of_both(*run_in_buckets(self.landmarker, with_mirror_images(batch)), self.layout, size)
        else:
            points, sigma = run_in_buckets(self.landmarker, batch)
        results, start = [], 0
        for i, found in enumerate(faces):
            stop = start + len(found)
            mine = [crop for _, crop in jobs[start:stop]]
            results.append(self._placed(frames[i], found, mine, points[start:stop], sigma[start:stop]))
            start = stop
        return results

    def _poses(self, frame: ThermalFrame, faces: FaceLandmarks) -> HeadPoses | None:
        # A mirrored camera sees a head that does not exist.
        wanted = self.config.face.head_pose and not self.config.thermal.flip and faces.layout == LAYOUT
        return head_poses(faces, frame.rays) if wanted and frame.rays is not None else None

    def _placed(self, frame: ThermalFrame, found: Detections, crops: list[FaceCrop], points: np.ndarray,
                sigma: np.ndarray) -> FaceLandmarks:
        """Faces of a frame with their landmarks, from what the network says of their crops: (F, K, 2) and (F, K)."""
        assert self.layout is not None
        if not crops:
            return FaceLandmarks.empty(self.layout.name, self.layout.points)
        source = np.array([crop.inverse(p) for crop, p in zip(crops, points, strict=True)], np.float32)
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0)
        scales = np.array([crop.side / crop.size for crop in crops], np.float32)
        sure = confidence(sigma * scales[:, None], sides[:, None])
        faces = FaceLandmarks(found.boxes, found.scores, source, sure, point_temperatures(frame, source),
                              self.layout.name)
        return dataclasses.replace(faces, canthus_temperature=inner_canthus_temperatures(frame, faces))

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


def _most_wanted(faces: Detections, config: FaceConfig) -> Detections:
    """The faces that are large enough, at most ``max_faces``: the first by ``priority``, in their order."""
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=0.0)
    large = np.nonzero(sides >= config.min_size_px)[0]
    if len(large) > config.max_faces:
        wanted = sides if config.priority == "size" else faces.scores
        large = np.sort(large[np.argsort(-wanted[large], kind="stable")[: config.max_faces]])
    return faces.select(large)


def _in_source(letterbox: Letterbox, kept: tuple[np.ndarray, np.ndarray, np.ndarray], names: tuple[str, ...]
               ) -> Detections:
    """Detections in source pixels; boxes that lie in the letterbox's margin alone are dropped."""
    boxes, scores, labels = kept
    source = letterbox.inverse_boxes(boxes)
    solid = ((source[:, 2:] - source[:, :2]) > 0.0).all(axis=1)
    return Detections(source[solid], scores[solid], labels[solid], names)
