"""ThermalPerception: thermal frames in, detections and facial landmarks out. Every door uses this one object."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from .config import ContrastConfig, PerceptionConfig
from .correction import Corrector, Replacement, known_bad_pixels
from .engines.base import EngineError
from .engines.device.build import device_path
from .frames import ThermalFrame
from .geometry import FaceCrop, Letterbox, Orientation
from .head_pose import head_poses, without_poses
from .host_path import HostPath
from .networks import Networks, contrasts_of, load_networks, thresholds_of
from .placing import faces_in_source, faces_turned_back, in_source, turned_back, upright
from .results import Detections, FaceLandmarks, HeadPoses, PerceptionResult
from .smoothing import LandmarkSmoother
from .tracking import Tracker
from .warm_up import WarmUp

if TYPE_CHECKING:
    from .engines.device.path import DevicePath


class _Camera:
    """What is remembered of one camera, besides its contrast."""

    def __init__(self, config: PerceptionConfig, bad_pixels: Replacement | None) -> None:
        self.corrector = Corrector(config.correction, bad_pixels)
        self.objects = Tracker(config.tracking)
        self.faces = Tracker(config.tracking)
        self.smoother = LandmarkSmoother(config.smoothing, config.tracking.max_missed_s)

    def forget_tracks(self) -> None:
        """Begin anew with whatever comes next: it may be something else in the same place."""
        for part in (self.objects, self.faces, self.smoother):
            part.forget()

    def reconfigure(self, config: PerceptionConfig) -> None:
        """Take other values."""
        if config.tracking.enabled != self.objects.config.enabled:
            self.forget_tracks()
        self.corrector.config = config.correction
        self.objects.config = self.faces.config = config.tracking
        self.smoother.config, self.smoother.forget_s = config.smoothing, config.tracking.max_missed_s


class ThermalPerception:
    """The pipeline: corrected and upright image, contrast, letterbox, detector, suppression, faces, landmarks, tracks.

    Loads its models when made; raises ModelError, EngineError or ConfigError. Not thread-safe, but for ``prepare``: the
    caller sees to it that one thread at a time is in it.
    """

    def __init__(self, config: PerceptionConfig | None = None) -> None:
        self.config = config or PerceptionConfig()
        self._bad_pixels = known_bad_pixels(self.config.correction)
        self.networks = load_networks(self.config)
        self._contrasts = contrasts_of(self.config, self.networks)
        self._thresholds = thresholds_of(self.config, self.networks)
        self._cameras: dict[str, _Camera] = {}
        self.host = HostPath(self.networks, self.config, self._contrasts, self._thresholds)
        self._device: DevicePath | None = None
        self._device_failure = ""
        self._warm_up = WarmUp()
        self._device = self._device_for(self.config, self.networks, self._thresholds, self._contrasts)

    def _device_for(self, config: PerceptionConfig, networks: Networks, thresholds: np.ndarray,
                    contrasts: dict[str, ContrastConfig]) -> DevicePath | None:
        """The steps on the networks' device in one go, if they can run there."""
        return device_path(config, networks, thresholds, tuple(dict.fromkeys(contrasts.values())), self._device)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The detector's classes."""
        return self.networks.detector.card.classes

    @property
    def contrast(self) -> ContrastConfig:
        """The contrast that the detector of objects sees; never method ``model``."""
        return self._contrasts["objects"]

    def prepare(self, config: PerceptionConfig, batch: int, turn: AbstractContextManager[object]) -> Networks:
        """The networks for ``reconfigure`` with other values, ready for frames of ``batch`` cameras at once.

        Changes nothing, and may take seconds, for which it need not run in the thread that processes frames: ``turn``
        keeps the two apart where networks are run that are in use, for one batch at a time. Where all steps run on a
        device they are prepared for the frames that come, with the first of them. Raises ModelError or EngineError.
        """
        used, networks = self.networks.engines(), self._networks_for(config)
        # Before the seconds that follow.
        contrasts_of(config, networks), thresholds_of(config, networks)
        if self._device is None:
            self._warm_up.run([engine for engine in networks.engines() if engine not in used], config.face, batch)
            self._warm_up.run(used, config.face, batch, turn)
        return networks

    def _networks_for(self, config: PerceptionConfig) -> Networks:
        if config.face.enabled and self.networks.face_detector is None:
            return load_networks(config, self.networks.detector)
        return self.networks

    def reconfigure(self, config: PerceptionConfig, networks: Networks | None = None) -> None:
        """Take new thresholds and other live values; models and engine stay as they are.

        ``networks`` are those of ``prepare``; without them what is missing is loaded now. Raises ModelError or
        EngineError, with nothing changed, if the new values do not fit the models.
        """
        networks = networks or self._networks_for(config)
        contrasts, thresholds = contrasts_of(config, networks), thresholds_of(config, networks)
        if not self._device_failure:
            self._device = self._device_for(config, networks, thresholds, contrasts)
        self.config, self.networks, self._contrasts, self._thresholds = config, networks, contrasts, thresholds
        for camera in self._cameras.values():
            camera.reconfigure(config)
        self.host.reconfigure(networks, config, contrasts, thresholds)

    def forget_tracks(self) -> None:
        """Give new ids to whatever comes next, as after a pause."""
        for camera in self._cameras.values():
            camera.forget_tracks()

    def bad_pixels(self, camera: str = "") -> int:
        """How many pixels of a camera are replaced at present, known and found."""
        known = self._cameras.get(camera)
        bad = known.corrector.bad if known is not None else None
        return int(bad.sum()) if bad is not None else 0

    def warm_up(self, batch: int = 1) -> None:
        """Run every network at every batch size that frames of ``batch`` cameras may need, so that no frame waits."""
        card = self.networks.detector.card
        # On the device, steps are prepared for a size and type of image; these are the most common ones.
        counts = ThermalFrame(np.zeros((card.input_height, card.input_width), np.uint16), "raw_counts")
        for size in range(batch, 0, -1):
            self._found_on_device([dataclasses.replace(counts, camera=str(i)) for i in range(size)])
        if self._device is not None:
            self._device.forget_cameras()
        else:
            self._warm_up.run(self.networks.engines(), self.config.face, batch)

    def describe(self) -> str:
        """Backends, each with the models that it runs, for logs and diagnostics."""
        path = f"; {self._device.describe()}" if self._device is not None else ""
        return self.networks.describe() + path

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the engines, though they work."""
        told = [*([self._device_failure] if self._device_failure else []),
                *(text for engine in self.networks.engines() for text in engine.warnings)]
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
        corrected = [self._camera(frame.camera).corrector.apply(frame) for frame in frames]
        frames = [upright(frame, turn) for frame, turn in zip(corrected, turns, strict=True)]
        stages = {"correct": time.perf_counter() - began}
        began = time.perf_counter()
        found = self._found_on_device(frames)
        if found is not None:
            detections, faces = found
            stages["device"] = time.perf_counter() - began
        else:
            detections, faces, host_stages = self.host.find(frames)
            stages |= host_stages
        detections = [turned_back(found, turn) for found, turn in zip(detections, turns, strict=True)]
        least = self.config.face.min_landmark_confidence
        faces = [faces_turned_back(found.sure(least), turn) for found, turn in zip(faces, turns, strict=True)]

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
        return [PerceptionResult(d, f, stage_ms, c, p)
                for d, f, c, p in zip(detections, faces, corrected, poses, strict=True)]

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
        card, landmarker, layout = self.networks.detector.card, self.networks.landmarker, self.networks.layout
        for frame, found in zip(frames, chosen, strict=True):
            letterbox = Letterbox(*frame.shape, card.input_height, card.input_width)
            objects = found.objects[:, :4], found.objects[:, 4], found.objects[:, 5].astype(np.int64)
            detections.append(in_source(letterbox, objects, self.class_names))
            if landmarker is None or layout is None:
                faces.append(FaceLandmarks.empty("", 0))
                continue
            boxes = Detections(found.faces[:, 1:5], found.faces[:, 5], np.zeros(len(found.faces), np.int64), ("face",))
            crops = [FaceCrop(int(x), int(y), int(side), landmarker.card.input_height)
                     for x, y, side in found.faces[:, 6:9]]
            faces.append(faces_in_source(frame, boxes, crops, found.marks[..., :2], found.marks[..., 2], layout))
        return detections, faces

    def _camera(self, name: str) -> _Camera:
        if name not in self._cameras:
            self._cameras[name] = _Camera(self.config, self._bad_pixels)
        return self._cameras[name]

    def _poses(self, frame: ThermalFrame, faces: FaceLandmarks) -> HeadPoses | None:
        if frame.rays is None or without_poses(self.config, self.networks.layout):
            return None
        return head_poses(faces, frame.rays)

    def _track(self, frame: ThermalFrame, detections: Detections, faces: FaceLandmarks
               ) -> tuple[Detections, FaceLandmarks]:
        camera = self._camera(frame.camera)
        assert frame.stamp is not None
        ids = camera.objects.update(detections.boxes, detections.labels, frame.stamp)
        face_ids = camera.faces.update(faces.boxes, np.zeros(len(faces), np.int64), frame.stamp)
        faces = camera.smoother.update(dataclasses.replace(faces, track_ids=face_ids), frame.stamp)
        return dataclasses.replace(detections, track_ids=ids), faces
