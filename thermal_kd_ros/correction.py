"""Bad pixels and stripes: what a sensor adds to the scene and a shutter correction leaves behind.

Works on the values as the camera gives them, before contrast and before the image is turned upright.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .config import ConfigError, CorrectionConfig
from .contrast import LARGEST, regular_sample
from .frames import FrameError, ThermalFrame
from .images import read_array, read_image

_MOST_BAD = 0.2
"""A map that calls a larger part of the pixels bad is one of something else."""
_SIGMA = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""
_OUTLYING = 6.0
"""So many standard deviations of the local noise make a pixel stand out."""
_ALONE = 0.3
"""No neighbour of a bad pixel stands out by more than this part of it; optics blur whatever is in the scene."""
_RING = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
_LEARNING = 1.0 / 30.0
"""Weight of a frame in the memory of how often a pixel stood out."""
_BECOMES_BAD, _BECOMES_GOOD = 0.8, 0.4
"""Share of the frames in which a bad pixel stands out, and below which it is let off."""
_STRIPE_REACH = 7
"""Pixels on each side that a line is compared with."""
_STRIPE_PIXELS = 64
"""About so many pixels of a line decide its offset."""
_STRIPE_S = 1.0
"""Smoothing time of the offsets of stripes, seconds: they change with the sensor, not with the scene."""


def read_map(path: str) -> np.ndarray:
    """The bad pixels (H, W) bool of a picture or a NumPy array, where it is not zero; raises ConfigError."""
    name = f"correction.bad_pixel_map {path}"
    try:
        file = Path(path).expanduser()
        stored = read_array(file) if file.suffix.lower() in (".npy", ".npz") else read_image(file)
    except FrameError as error:
        raise ConfigError(f"correction.bad_pixel_map: {error}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: cannot be read ({error}); write it with numpy.save or as a PNG") from None
    if stored.ndim != 2 or stored.dtype.kind not in "buif":
        raise ConfigError(f"{name}: must be one channel of numbers, not zero where a pixel is bad")
    bad = np.nan_to_num(stored) != 0
    if (part := bad.mean() if bad.size else 1.0) > _MOST_BAD:
        raise ConfigError(f"{name}: calls {part:.0%} of the pixels bad; bad ones are those that are not zero")
    return bad


class Replacement:
    """Replaces bad pixels by the median of the good ones of the eight around them; patches from their rim inwards."""

    def __init__(self, bad: np.ndarray) -> None:
        self.bad = bad
        """(H, W) bool."""
        self._rims: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        good, left = ~bad, np.argwhere(bad)
        while len(left) and good.any():
            around = left[:, None] + _RING
            inside = ((around >= 0) & (around < bad.shape)).all(axis=2)
            flat = np.ravel_multi_index(tuple(np.moveaxis(around, 2, 0)), bad.shape, mode="clip")
            usable = inside & good.ravel()[flat]
            rim = usable.any(axis=1)
            self._rims.append((np.ravel_multi_index(tuple(left[rim].T), bad.shape), flat[rim], usable[rim]))
            good[tuple(left[rim].T)] = True
            left = left[~rim]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(H, W) of any type to the same without its bad pixels; one without a finite neighbour stays as it is."""
        out = values.copy()
        pixels = out.ravel()
        for targets, around, usable in self._rims:
            near = pixels[around].astype(np.float32)
            near[~(usable & np.isfinite(near))] = np.inf
            near.sort(axis=1)
            count = np.isfinite(near).sum(axis=1)
            row, known = np.arange(len(near)), count > 0
            middle = (near[row, np.maximum(count - 1, 0) // 2] + near[row, count // 2]) / 2
            pixels[targets[known]] = _like(middle[known], values.dtype)
        return out


def known_bad_pixels(config: CorrectionConfig) -> Replacement | None:
    """What replaces the pixels of ``bad_pixel_map``, if there is one; raises ConfigError."""
    return Replacement(read_map(config.bad_pixel_map)) if config.bad_pixel_map else None


def _like(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.rint(values).astype(dtype) if dtype.kind == "u" else values.astype(dtype)


def outliers(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: single pixels far from their surroundings, whose neighbours are not; the border is left out."""
    image = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0).clip(-LARGEST, LARGEST)
    away = np.abs(image - cv2.medianBlur(image, 5))
    noise = _SIGMA * float(np.median(regular_sample(away))) or float(away.mean())
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    found = (away > _OUTLYING * noise) & (cv2.dilate(away, ring) < _ALONE * away)
    found[[0, -1]] = found[:, [0, -1]] = False
    return found & np.isfinite(values)


def stripe_offsets(values: np.ndarray, axis: int) -> np.ndarray:
    """What is to be taken from each line of an image (H, W), float32: (W,) columns for axis 1, (H,) rows for axis 0.

    Each pixel is compared with the median of the 15 around it across the lines; the mean of the middle half of a
    line's differences is its offset, less its own uncertainty. All lines have offsets of the same kind: what is beyond
    three times the typical one is an edge of the scene, and cut off there.
    """
    image = values if axis == 1 else values.T
    length, count = image.shape
    reach = min(_STRIPE_REACH, (count - 1) // 2)
    if length < 8 or reach < 1:
        return np.zeros(count, np.float32)
    step = max(1, length // _STRIPE_PIXELS)
    sample = image[step // 2 :: step].astype(np.float32)
    known = np.isfinite(sample)
    sample = np.where(known, sample, np.float32(np.median(sample[known]) if known.any() else 0.0))
    sample = sample.clip(-LARGEST, LARGEST)
    around = sliding_window_view(np.pad(sample, ((0, 0), (reach, reach)), mode="reflect"), 2 * reach + 1, axis=1)
    # A tenth of the time of numpy.median, and the same for an odd number.
    apart = np.where(known, sample - np.partition(around, reach, axis=2)[..., reach], 0.0)
    unsure = _SIGMA * float(np.median(np.abs(apart))) / np.sqrt(len(apart))
    quarter = len(apart) // 4
    offset = np.sort(apart, axis=0)[quarter : len(apart) - quarter].mean(axis=0)
    offset = np.sign(offset) * np.maximum(np.abs(offset) - unsure, 0.0)
    limit = 3.0 * _SIGMA * float(np.median(np.abs(offset)))
    return np.clip(offset, -limit, limit).astype(np.float32)


class Corrector:
    """The corrections of one camera over time. A frame without a stamp is taken alone and teaches nothing."""

    def __init__(self, config: CorrectionConfig, known: Replacement | None) -> None:
        self.config = config
        self.known = known
        """The configured map."""
        self._found: Replacement | None = None
        self._often: np.ndarray | None = None
        self._offsets: dict[int, np.ndarray] = {}
        self._stamp: float | None = None

    @property
    def bad(self) -> np.ndarray | None:
        """(H, W) bool: the pixels that are replaced, known and found; None before there are any."""
        replacement = self._found or self.known
        return replacement.bad if replacement is not None else None

    def apply(self, frame: ThermalFrame) -> ThermalFrame:
        """The frame without its bad pixels and stripes, in its unit; raises FrameError for a map of another size."""
        config, values = self.config, frame.values
        if self.known is not None and self.known.bad.shape != frame.shape:
            (height, width), (mapped_height, mapped_width) = frame.shape, self.known.bad.shape
            raise FrameError(f"the image is {width} x {height}, but correction.bad_pixel_map {mapped_width} x "
                             f"{mapped_height}: make the map from images of this camera, as it sends them")
        if not config.find_bad_pixels:
            self._found = self._often = None
        elif frame.stamp is not None:
            self._learn(values)
        replacement = self._found or self.known
        if replacement is not None and replacement.bad.shape == frame.shape:
            values = replacement.apply(values)
        for axis, name in ((1, "columns"), (0, "rows")):
            if config.stripes in (name, "both"):
                offsets = self._smoothed(axis, stripe_offsets(values, axis), frame.stamp)
                values = values.astype(np.float32) - (offsets if axis == 1 else offsets[:, None])
            else:
                self._offsets.pop(axis, None)
        self._stamp = frame.stamp
        return frame if values is frame.values else dataclasses.replace(frame, values=values)

    def _learn(self, values: np.ndarray) -> None:
        if self._often is None or self._often.shape != values.shape:
            self._often, self._found = np.zeros(values.shape, np.float32), None
        self._often += np.float32(_LEARNING) * (outliers(values) - self._often)
        before = self._found.bad if self._found is not None else np.zeros(values.shape, bool)
        known = self.known.bad if self.known is not None else np.zeros(values.shape, bool)
        bad = (self._often > np.where(before, _BECOMES_GOOD, _BECOMES_BAD)) | known
        if (bad != before).any():
            self._found = Replacement(bad)

    def _smoothed(self, axis: int, offsets: np.ndarray, stamp: float | None) -> np.ndarray:
        if stamp is None:
            return offsets
        past = self._offsets.get(axis)
        if past is not None and past.shape == offsets.shape and self._stamp is not None:
            elapsed = stamp - self._stamp
            if 0.0 <= elapsed < 10.0 * _STRIPE_S:
                offsets = offsets + np.float32(np.exp(-elapsed / _STRIPE_S)) * (past - offsets)
        self._offsets[axis] = offsets
        return offsets
