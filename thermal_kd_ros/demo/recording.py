"""The demo's input as an MCAP recording: rendered by the simulated camera with its truth, or made from image files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from tqdm import tqdm

from ..evaluation.bags import BagWriter, Record
from ..evaluation.report import IGNORE
from ..evaluation.topics import TruthTopics
from ..evaluation.truth import TRUE_CLASSES
from ..frames import FrameError
from ..images import find_images, read_image
from ..layouts import get_layout
from ..nodes.messages import detections_message, image_message, landmarks_message
from ..nodes.simulated_camera import camera_info_message
from ..results import Detections, FaceLandmarks
from ..simulation.camera import SimulatedCamera
from ..simulation.config import KINDS, SimulationConfig
from ..simulation.truth import SimulatedFrame
from .errors import DemoError

IMAGE_TOPIC = "/thermal/image"
INFO_TOPIC = "/thermal/camera_info"
_FRAME_ID = "thermal_camera_optical_frame"
_BEGAN_NS = 1_700_000_000_000_000_000
"""Stamp of the first frame: the same rendering gives the same file."""
_TRUE_LAYOUT = "sf_tl54"


def render(path: Path, frames: int, rate_hz: float, size: tuple[int, int], seed: int) -> None:
    """Render ``frames`` radiometric images (mono16, 0.01 K) of ``size`` (width, height), with their truth.

    The tour cuts through every kind of scene once, whatever the number of frames.
    """
    try:
        config = SimulationConfig(seed=seed, width=size[0], height=size[1], rate_hz=rate_hz, unit="centikelvin",
                                  cut_s=frames / rate_hz / len(KINDS), shutter_interval_s=0.0)
    except ValueError as error:
        raise DemoError(f"this cannot be rendered: {error}") from None
    truth = TruthTopics()
    with BagWriter(path) as bag:
        for frame in tqdm(SimulatedCamera(config).frames(frames), "render", frames, unit="frame", disable=None):
            header, stamp = _header(frame.stamp)
            messages = {
                IMAGE_TOPIC: image_message(header, frame.image, frame.encoding),
                INFO_TOPIC: camera_info_message(header, frame.k, *frame.image.shape),
            }
            objects, faces = _truth_of(frame)
            messages[truth.detections] = detections_message(header, objects, faces)
            messages[truth.landmarks] = landmarks_message(header, faces, None)
            for topic, message in messages.items():
                bag.add(_record(topic, message, stamp))


def from_images(path: Path, folder: Path, rate_hz: float, limit: int | None) -> None:
    """Make a recording of the images below ``folder``; what cannot be read is named and left out. Raises FrameError."""
    files = find_images(folder)[:limit]
    written = 0
    with BagWriter(path) as bag:
        for i, file in enumerate(tqdm(files, "read", unit="image", disable=None)):
            try:
                values = read_image(file, lambda text: tqdm.write(f"warning: {text}"))
            except FrameError as error:
                tqdm.write(f"warning: {error}")
                continue
            header, stamp = _header(i / rate_hz)
            bag.add(_record(IMAGE_TOPIC, image_message(header, values, _encoding(values)), stamp))
            written += 1
        if not written:
            raise DemoError(f"{folder}: none of its {len(files)} images can be read")


def _truth_of(frame: SimulatedFrame) -> tuple[Detections, FaceLandmarks]:
    names = [IGNORE if ignore else label for label, ignore in zip(frame.labels, frame.ignore, strict=True)]
    boxes = list(frame.boxes)
    height, width = frame.image.shape
    # Of a face at the border that part counts which is in the image: a detector's boxes go no farther.
    faces = [replace(face, box=np.clip(face.box, 0, (width, height, width, height))) for face in frame.faces]
    for face in faces:
        if face.ignore:
            names.append(IGNORE)
            boxes.append(face.box)
    objects = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32),
                         np.array([TRUE_CLASSES.index(name) for name in names], np.int64), TRUE_CLASSES)
    shown = [face for face in faces if not face.ignore]
    if not shown:
        layout = get_layout(_TRUE_LAYOUT)
        return objects, FaceLandmarks.empty(layout.name, layout.points)
    points = np.array([face.landmarks for face in shown], np.float32)
    visible = np.array([face.visible for face in shown], np.float32)
    return objects, FaceLandmarks(np.array([face.box for face in shown], np.float32),
                                  np.ones(len(shown), np.float32), points, visible,
                                  np.full(visible.shape, np.nan, np.float32), _TRUE_LAYOUT)


def _header(seconds: float) -> tuple[Header, int]:
    stamp = _BEGAN_NS + round(seconds * 1e9)
    header = Header(frame_id=_FRAME_ID)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    return header, stamp


def _record(topic: str, message: object, stamp: int) -> Record:
    kind = type(message)
    package = kind.__module__.partition(".")[0]
    return Record(topic, f"{package}/msg/{kind.__name__}", stamp, serialize_message(message))


def _encoding(values: np.ndarray) -> str:
    if values.ndim == 3:
        return "bgr8" if values.shape[2] == 3 else "bgra8"
    return {np.dtype(np.uint8): "mono8", np.dtype(np.uint16): "mono16"}.get(values.dtype, "32FC1")


