"""The images of one camera, in their order: what has to be remembered between them to read each one rightly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .compressed import JPEG_SIGNATURE, decode_compressed
from .config import NodeConfig, ThermalConfig
from .frames import ThermalFrame, decode, doubt, is_colour
from .shutter import is_global_jump

_Format = tuple[str, tuple[int, ...]]
"""Encoding and shape of an image."""


class FrameReader:
    """Turns one camera's images into ThermalFrames.

    The input mode ``auto`` is decided once for an image format (encoding and size), on the first image that shows
    anything, and kept: a scene that warms up never turns degrees into counts in the middle of a stream. What a user
    should know of it is told once to ``say``, degrees that can hardly be true to ``warn``. ``frozen_frames`` identical
    images in a row are a frozen camera. Not thread-safe.
    """

    def __init__(self, config: ThermalConfig, camera: str = "", say: Callable[[str], None] | None = None,
                 frozen_frames: int = NodeConfig.frozen_frames, warn: Callable[[str], None] | None = None) -> None:
        self.config = config
        self.camera = camera
        self.frozen_frames = frozen_frames
        self.frozen_run = 0
        """How many images before this one, without a gap, were identical to it."""
        self.frozen_total = 0
        """How many images were identical to the one before them."""
        self.shutter_events = 0
        """How often the camera was frozen and came back with the jump of a shutter correction; not known of display
        pictures."""
        self.doubt = ""
        """Why the degrees of the latest image can hardly be true, until an image of its format has others."""
        self._say = say or (lambda text: None)
        self._warn = warn or self._say
        self._modes: dict[_Format, str] = {}
        self._doubted: set[_Format] = set()
        self._believed: set[_Format] = set()
        self._format: _Format | None = None
        self._mode = ""
        self._previous: np.ndarray | None = None
        self._jpeg_told = False

    @property
    def mode(self) -> str:
        """Input mode of the latest image; empty before the first."""
        return self._mode

    @property
    def frozen(self) -> bool:
        """Whether enough images in a row are identical for a closed shutter, or a camera that hangs."""
        return self.frozen_run + 1 >= self.frozen_frames

    def passes_over(self, config: ThermalConfig) -> bool:
        """Whether the latest image repeats the one before it, and such images are not to be answered."""
        return bool(self.frozen_run) and config.frozen_policy == "skip"

    @property
    def description(self) -> str:
        """Size and encoding of the latest image; empty before the first."""
        return _describe(self._format) if self._format else ""

    def restart(self) -> None:
        """The next image comes after a pause: it is compared with none before. Modes and counts are kept."""
        self._previous = None
        self.frozen_run = 0
        self.doubt = ""

    def read_message(self, message: Any, stamp: float | None) -> ThermalFrame:
        """The frame of a sensor_msgs/Image or CompressedImage, whoever took it apart; raises FrameError."""
        if hasattr(message, "format"):
            return self.read_compressed(message.data, message.format, stamp)
        return self.read(message.data, message.height, message.width, message.encoding, message.step,
                         bool(message.is_bigendian), stamp)

    def read(self, data: memoryview | bytes | np.ndarray, height: int, width: int, encoding: str, step: int,
             is_bigendian: bool, stamp: float | None) -> ThermalFrame:
        """The frame of a sensor_msgs/Image's fields; its values may be a view of ``data``.

        Raises FrameError for an image that cannot be used, which then leaves nothing behind.
        """
        return self.read_array(decode(data, height, width, encoding, step, is_bigendian), encoding, stamp)

    def read_compressed(self, data: memoryview | bytes | np.ndarray, format: str, stamp: float | None) -> ThermalFrame:
        """The frame of a sensor_msgs/CompressedImage's fields; raises FrameError like ``read``."""
        frame = self.read_array(*decode_compressed(data, format), stamp)
        if not self._jpeg_told and bytes(data[:2]) == JPEG_SIGNATURE:
            self._jpeg_told = True
            self._say("JPEG images have lost faint contrast and every temperature; PNG, of 16 bits where the camera "
                      "has them, would keep both")
        return frame

    def read_array(self, pixels: np.ndarray, encoding: str, stamp: float | None) -> ThermalFrame:
        """The frame of decoded pixels (H, W) or (H, W, 3 or 4); raises FrameError."""
        layout = (encoding, pixels.shape)
        mode = self._modes.get(layout, self.config.input_mode)
        frame = ThermalFrame.from_array(pixels, dataclasses.replace(self.config, input_mode=mode), stamp, self.camera)
        self._announce(layout, frame)
        self._judge(layout, frame)
        self._format, self._mode = layout, frame.mode
        self._watch(frame)
        return frame

    def _announce(self, layout: _Format, frame: ThermalFrame) -> None:
        """Keep the mode of a format once an image could decide it, and say so."""
        if layout in self._modes or (self.config.input_mode == "auto" and not _shows_anything(frame.values)):
            return
        if self._format is not None and self._format != layout:
            self._say(f"the images changed from {_describe(self._format)} to {_describe(layout)}")
        self._modes[layout] = frame.mode
        if is_colour(layout[0]):
            self._say(f"{layout[0]} images carry a palette, which hides temperatures; they are read as grey. Let the "
                      "camera publish mono16 or 32FC1 if it can")
        elif self.config.input_mode == "auto":
            self._say(f"{_describe(layout)} images are read as {frame.mode}, judging by their first values; if that is "
                      "wrong, set thermal.input_mode")

    def _judge(self, layout: _Format, frame: ThermalFrame) -> None:
        """Doubt a format's degrees until an image has some that can be true, and say so once."""
        if layout in self._believed:
            self.doubt = ""
        elif _shows_anything(frame.values):
            found = doubt(frame)
            self.doubt = f"{found}; check thermal.input_mode" if found else ""
            if not found:
                self._believed.add(layout)
            elif layout not in self._doubted:
                self._doubted.add(layout)
                self._warn(f"{_describe(layout)} images: {self.doubt}")

    def _watch(self, frame: ThermalFrame) -> None:
        """Count images that repeat the one before: a camera whose shutter is closed, or that hangs."""
        if self._previous is not None and _identical(self._previous, frame.values):
            self.frozen_run += 1
            self.frozen_total += 1
            return
        # A display picture is stretched anew for every image, which shifts it as a whole too.
        if self.frozen and frame.mode != "display8" and self._previous is not None and _alike(
                self._previous, frame.values) and is_global_jump(self._previous, frame.values):
            self._count_shutter_event()
        self.frozen_run = 0
        # A copy, because the values may be a view of memory that the caller uses again.
        self._previous = frame.values.copy()

    def _count_shutter_event(self) -> None:
        self.shutter_events += 1
        if self.shutter_events == 1:
            self._say(f"the camera repeated an image {self.frozen_run} times and came back shifted as a whole: it "
                      "corrects itself by its shutter. thermal.frozen_policy says what becomes of such images")


def _describe(layout: _Format) -> str:
    encoding, shape = layout
    return f"{shape[1]} x {shape[0]} {encoding}".rstrip()


def _shows_anything(values: np.ndarray) -> bool:
    """Whether an image has more than one value; a closed shutter or a camera that is starting has not."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return bool(finite.min() != finite.max())


def _identical(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two images are equal, NaN being equal to NaN. Noise makes the first row decide nearly always."""
    if not _alike(a, b):
        return False
    same_nan = a.dtype.kind == "f"
    return np.array_equal(a[0], b[0], equal_nan=same_nan) and np.array_equal(a, b, equal_nan=same_nan)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two images have the same size and type."""
    return a.shape == b.shape and a.dtype == b.dtype
