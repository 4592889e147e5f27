"""From image bytes to thermal values, and from values to degrees Celsius.

Every encoding is read by strides from the message's own memory, in its byte order; nothing goes through an 8-bit colour
image, which would crush 16-bit thermal contrast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .config import ThermalConfig
from .percentiles import percentiles
from .radiometry import object_temperature


class FrameError(ValueError):
    """An image cannot be used; the message says what is wrong and what to do."""


class PixelFormat(NamedTuple):
    """Memory layout of an encoding."""

    dtype: str
    channels: int
    colour: bool


ENCODINGS: dict[str, PixelFormat] = {
    "mono8": PixelFormat("u1", 1, False),
    "8UC1": PixelFormat("u1", 1, False),
    "mono16": PixelFormat("u2", 1, False),
    "16UC1": PixelFormat("u2", 1, False),
    "32FC1": PixelFormat("f4", 1, False),
    "bgr8": PixelFormat("u1", 3, True),
    "rgb8": PixelFormat("u1", 3, True),
    "8UC3": PixelFormat("u1", 3, True),
    "bgra8": PixelFormat("u1", 4, True),
    "rgba8": PixelFormat("u1", 4, True),
}
"""Encodings of sensor_msgs/Image that a thermal camera can sensibly use."""

_LINEAR: dict[str, tuple[float, float]] = {
    "centikelvin": (0.01, -273.15),
    "decikelvin": (0.1, -273.15),
    "optris": (0.1, -100.0),
    "celsius": (1.0, 0.0),
    "kelvin": (1.0, -273.15),
}
"""Degrees Celsius = scale * value + offset. Optris: (v - 1000) / 10."""

PLAUSIBLE_C = (-100.0, 200.0)
"""Between these lies the middle of nearly every image: kelvin taken for degrees Celsius are beyond."""


@dataclass(frozen=True)
class ThermalFrame:
    """One thermal image with the meaning of its values."""

    values: np.ndarray
    """(H, W) uint8, uint16 (native byte order) or float32; may be a view of a message's memory."""
    mode: str
    """Input mode, never ``auto``."""
    scale: float = 1.0
    """Degrees Celsius per count, above 0: whatever sees the values takes larger ones for warmer ones."""
    offset: float = 0.0
    stamp: float | None = None
    """Time of the image in seconds; None for single images, which are then not smoothed in time."""
    camera: str = field(default="")
    """Which camera: contrast and tracks are kept for each."""
    emissivity: float = 1.0
    """Of what is measured; 1 takes the values as they are."""
    reflected_c: float = 0.0
    """Apparent temperature of the surroundings; counts where the emissivity is below 1."""
    rays: Callable[[np.ndarray], np.ndarray] | None = field(default=None, compare=False, repr=False)
    """Continuous pixels (..., 2) to directions (..., 3) with z = 1 in the optical frame; None if not calibrated."""

    @property
    def radiometric(self) -> bool:
        """Whether the values are temperatures."""
        return self.mode not in ("display8", "raw_counts")

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.values.shape[0], self.values.shape[1]

    def celsius(self, values: np.ndarray) -> np.ndarray:
        """Values of this frame (any shape) to degrees Celsius float32; NaN if the frame is not radiometric.

        Corrected for the emissivity, where it is below 1.
        """
        if not self.radiometric:
            return np.full(np.shape(values), np.nan, np.float32)
        celsius = np.asarray(values, np.float32) * np.float32(self.scale) + np.float32(self.offset)
        if self.emissivity < 1.0:
            celsius = object_temperature(celsius, self.emissivity, self.reflected_c)
        return celsius.astype(np.float32)

    @classmethod
    def from_array(cls, values: np.ndarray, config: ThermalConfig, stamp: float | None = None, camera: str = ""
                   ) -> ThermalFrame:
        """A frame from an array (H, W), or (H, W, 3 or 4) colour, of uint8, uint16 or float; raises FrameError."""
        if values.ndim == 3 and values.shape[2] in (3, 4):
            values = _grey(values)
        if values.ndim != 2 or 0 in values.shape:
            raise FrameError(f"an array of shape {values.shape} is no image; give one image as (height, width), or as "
                             "(height, width, 3) in colour")
        if values.dtype == np.float64 or values.dtype == np.float16:
            # What float32 cannot hold becomes infinite, and so is one of the values that are not finite.
            with np.errstate(over="ignore"):
                values = values.astype(np.float32)
        if values.dtype.kind == "u" and not values.dtype.isnative:
            values = values.astype(values.dtype.newbyteorder("="))
        if values.dtype not in (np.uint8, np.uint16, np.float32):
            raise FrameError(f"values of type {values.dtype} are not understood; use uint8, uint16 or float32")
        if values.dtype == np.float32 and not np.isfinite(values).any():
            raise FrameError("the image has no finite value: all are NaN, infinite or beyond float32; check that the "
                             "camera's driver sends what it measured, in degrees or counts")
        mode = config.input_mode if config.input_mode != "auto" else guess_mode(values)
        if config.black_hot and mode == "display8":
            # Whatever sees the values takes larger ones for warmer ones.
            values = ~values if values.dtype.kind == "u" else -values
        if mode == "linear":
            scale, offset = config.scale, config.offset
        else:
            scale, offset = _LINEAR.get(mode, (1.0, 0.0))
        return cls(values, mode, scale, offset, stamp, camera, config.emissivity, config.reflected_c)


def decode(data: memoryview | bytes | np.ndarray, height: int, width: int, encoding: str, step: int,
           is_bigendian: bool) -> np.ndarray:
    """Pixels of a sensor_msgs/Image as (H, W) or (H, W, channels), a view of ``data`` where order and step allow it.

    Raises FrameError for an unknown encoding, no pixels, a step below the row's bytes, or too little data.
    """
    layout = ENCODINGS.get(encoding)
    if layout is None:
        raise FrameError(f"encoding '{encoding}' is not a thermal image's; publish one of {', '.join(ENCODINGS)}")
    if height <= 0 or width <= 0:
        raise FrameError(f"the image is {width} x {height} pixels: the driver sends an empty image")
    dtype = np.dtype(layout.dtype).newbyteorder(">" if is_bigendian else "<")
    row = width * layout.channels * dtype.itemsize
    if step < row:
        raise FrameError(f"step is {step} bytes, but a row of {width} pixels {encoding} has {row}: "
                         "fix the driver's step")
    buffer = np.frombuffer(data, np.uint8)
    # The last row may end without its padding.
    needed = step * (height - 1) + row
    if buffer.size < needed:
        raise FrameError(f"data has {buffer.size} bytes, but {height} rows of step {step} need {needed}: "
                         "the message was cut or its size fields are wrong")
    shape: tuple[int, ...] = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    strides: tuple[int, ...] = (step, layout.channels * dtype.itemsize, dtype.itemsize)[: len(shape)]
    pixels: np.ndarray = np.ndarray(shape, dtype, buffer, strides=strides)
    if step % dtype.itemsize:
        # Rows that begin between two values are nothing that OpenCV or PyTorch takes.
        pixels = pixels.copy()
    return pixels if dtype.isnative or dtype.itemsize == 1 else pixels.astype(dtype.newbyteorder("="))


def is_colour(encoding: str) -> bool:
    """Whether an encoding carries a display picture (a palette) instead of thermal values."""
    layout = ENCODINGS.get(encoding)
    return layout is not None and layout.colour


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Colour (H, W, 3 or 4) to grey (H, W) uint8: the mean of the three channels, the same for bgr and rgb order.

    A palette cannot be undone without knowing it; for grey pictures stored as colour this is exact.
    """
    if pixels.dtype != np.uint8:
        raise FrameError(f"colour images of type {pixels.dtype} are not understood; use 8 bits, or one channel")
    total = pixels[..., 0].astype(np.uint16)
    total += pixels[..., 1]
    total += pixels[..., 2]
    return ((total + 1) // 3).astype(np.uint8)


def guess_mode(values: np.ndarray) -> str:
    """The input mode that fits an image's type and robust range."""
    return explain_mode(values)[0]


def explain_mode(values: np.ndarray) -> tuple[str, str]:
    """The input mode that fits an image's type and robust range, and why in words.

    8 bits are a display picture. 16 bits are centikelvin if the middle of the image lies between -60 and 130 degrees
    Celsius and its spread is that of a scene; else raw counts. Floats are degrees Celsius if the middle is between -100
    and 150 and the rest not far from it, but for a tenth at either end, which may be a fire; kelvin if the middle lies
    between 200 and 450, else raw counts.
    """
    if values.dtype == np.uint8:
        return "display8", "8 bits are a picture for people, whatever the camera made of the temperatures"
    sample = _sample(values)
    if values.dtype == np.uint16:
        low, middle, high = percentiles(sample, (2.0, 50.0, 98.0))
        as_celsius = f"in hundredths of a kelvin the image is about {middle / 100 - 273.15:.1f} degrees Celsius"
        if 27315 - 6000 <= middle <= 27315 + 13000 and high - low < 20000:
            return "centikelvin", f"{as_celsius}, which a scene can have"
        return "raw_counts", f"{as_celsius} with a spread of {(high - low) / 100:.0f}, which no scene has"
    low, middle, high = percentiles(sample, (10.0, 50.0, 90.0))
    if -100.0 <= middle < 150.0:
        if high - low >= 1000.0:
            return "raw_counts", f"the image is {low:.4g} to {high:.4g}, as no scene is in degrees Celsius"
        return "celsius", f"the middle of the image is {middle:.1f}, which a scene can have in degrees Celsius"
    if 200.0 <= middle <= 450.0:
        return "kelvin", f"the middle of the image is {middle:.1f}, which a scene can have in kelvin"
    return "raw_counts", f"the middle of the image is {middle:.4g}, which no scene has in degrees Celsius or kelvin"


def doubt(frame: ThermalFrame) -> str:
    """Why the degrees of a frame can hardly be true, in words; empty if they can be, or if there are none."""
    if not frame.radiometric:
        return ""
    # As the camera gives them: beyond physics a correction for the emissivity has no result.
    middle = percentiles(_sample(frame.values), (50.0,))[0] * frame.scale + frame.offset
    if PLAUSIBLE_C[0] <= middle <= PLAUSIBLE_C[1]:
        return ""
    return (f"read as {frame.mode} the middle of the image is at {middle:.0f} degrees Celsius, which hardly any scene "
            "has")


def _sample(values: np.ndarray) -> np.ndarray:
    """Some finite values (N,) float64 of an image, on a grid where that has any."""
    step = max(1, min(values.shape) // 100)
    sample = values[::step, ::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    return sample if sample.size else values[np.isfinite(values)].astype(np.float64)
