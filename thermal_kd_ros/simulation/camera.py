"""The thermal camera: optics, sensor noise, shutter, and the units it puts out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from thermal_kd_ros.simulation.config import KINDS, SimulationConfig
from thermal_kd_ros.simulation.noise import value_noise
from thermal_kd_ros.simulation.recipes import build_scene
from thermal_kd_ros.simulation.render import intrinsics
from thermal_kd_ros.simulation.scene import Scene
from thermal_kd_ros.simulation.truth import SceneImage, SimulatedFrame

COUNTS_PER_KELVIN = 40.0
"""Gain of 'counts14'; the response is linear around COUNTS_MIDDLE_C °C, which reads COUNTS_MIDDLE."""
COUNTS_MIDDLE, COUNTS_MIDDLE_C = 8192.0, 25.0


def encode(celsius: np.ndarray, unit: str, black_hot: bool = False) -> tuple[np.ndarray, str]:
    """Temperature to what a camera sends: the image (H, W) and its ROS encoding. See ``config.UNITS`` for the units.

    Values outside what a unit can hold saturate. Raises ValueError for an unknown unit.
    """
    if unit == "celsius":
        return np.asarray(celsius, np.float32), "32FC1"
    if unit == "centikelvin":
        return np.clip(np.rint((celsius + np.float32(273.15)) * 100), 0, 65535).astype(np.uint16), "mono16"
    if unit == "counts14":
        counts = COUNTS_MIDDLE + COUNTS_PER_KELVIN * (celsius - COUNTS_MIDDLE_C)
        return np.clip(np.rint(counts), 0, 16383).astype(np.uint16), "mono16"
    if unit == "display8":
        low, high = np.percentile(celsius[::4, ::4], (1.0, 99.0))
        span = max(float(high - low), 2.0)  # no camera stretches pure noise over its whole range
        grey = np.clip((celsius - 0.5 * (low + high)) * (235.0 / span) + 127.5, 0, 255).astype(np.uint8)
        return (255 - grey if black_hot else grey), "mono8"
    raise ValueError(f"unknown unit '{unit}'")


def decode(image: np.ndarray, unit: str) -> np.ndarray:
    """The inverse of :func:`encode` for the radiometric units, (H, W) float32 °C. Raises ValueError for the others."""
    if unit == "celsius":
        return np.asarray(image, np.float32)
    if unit == "centikelvin":
        return image.astype(np.float32) / 100 - np.float32(273.15)
    if unit == "counts14":
        return (image.astype(np.float32) - COUNTS_MIDDLE) / COUNTS_PER_KELVIN + COUNTS_MIDDLE_C
    raise ValueError(f"'{unit}' does not hold temperatures")


@dataclass(frozen=True)
class _Correction:
    """What a shutter correction leaves behind: fixed pattern (H, W) and offset, kelvin."""

    pattern: np.ndarray
    offset: float


class CameraModel:
    """Optics and sensor: true apparent temperature in, measured temperature out; nothing depends on earlier calls."""

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        rng = np.random.default_rng((config.seed, 1))
        height, width = config.height, config.width
        self.k = intrinsics(width, height, config.hfov_deg)
        """(3, 3) float64 for integer pixel centres."""
        y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
        uneven = 0.25 * config.drift_k * value_noise(rng, height, width, 0.35 * width, 2)
        self._drifted = (config.vignette_k * (0.33 - 0.5 * (x * x + y * y)) + uneven).astype(np.float32)
        self._dead = np.flatnonzero(rng.random((height, width)) < config.dead_pixels)
        self._dead_kelvin = (rng.choice([-1, 1], len(self._dead)) * rng.uniform(4, 25, len(self._dead))).astype(
            np.float32
        )
        self._corrections: dict[int, _Correction] = {}

    def _correction(self, event: int) -> _Correction:
        if event not in self._corrections:
            config = self.config
            rng = np.random.default_rng((config.seed, 2, event))
            pattern = 0.7 * rng.standard_normal((1, config.width)) + 0.35 * rng.standard_normal((config.height, 1))
            pattern = pattern + 0.6 * rng.standard_normal((config.height, config.width))
            pattern = (pattern * config.fixed_pattern_k / pattern.std()).astype(np.float32)
            self._corrections = {event: _Correction(pattern, float(rng.normal(0, 0.3) * config.drift_k))}
        return self._corrections[event]

    def measure(
        self, celsius: np.ndarray, frame: int, stamp: float = 0.0, event: int = 0, since: float = 0.0
    ) -> np.ndarray:
        """(H, W) float32 °C as measured.

        Args:
            celsius: (H, W) true apparent temperature.
            frame: index of the frame; seeds its temporal noise.
            stamp: seconds since the start: the drift is faster while the camera warms up.
            event, since: number of the last shutter correction, and seconds since then.
        """
        config = self.config
        seen = np.asarray(celsius, np.float32)
        if config.blur_px > 0:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), config.blur_px), np.float32)
        correction = self._correction(event)
        grown = 1 - np.exp(-since / 20.0)
        rng = np.random.Generator(np.random.SFC64((config.seed, 3, frame)))
        out = rng.standard_normal(seen.shape, dtype=np.float32)
        out *= np.float32(config.netd_k)
        out += seen
        out += correction.pattern
        if grown > 0:
            out += self._drifted * np.float32(grown)
        out += np.float32(correction.offset + config.drift_k * grown * (0.5 + np.exp(-stamp / 120.0)))
        out.reshape(-1)[self._dead] += self._dead_kelvin
        return out


class SimulatedCamera:
    """A camera in front of simulated scenes."""

    def __init__(self, config: SimulationConfig | None = None) -> None:
        self.config = SimulationConfig() if config is None else config
        self.model = CameraModel(self.config)
        self._scenes: dict[int, Scene] = {}

    def scene_at(self, stamp: float) -> tuple[Scene, float]:
        """The scene on stage ``stamp`` seconds after the start, and the time on its own clock."""
        config = self.config
        cut = int(stamp // config.cut_s) if config.scene == "tour" else 0
        if cut not in self._scenes:
            order = np.random.default_rng((config.seed, 4)).permutation(len(KINDS))
            kind = KINDS[order[cut % len(KINDS)]] if config.scene == "tour" else config.scene
            rng = np.random.default_rng((config.seed, 5, cut))
            # Only the present scene is kept.
            self._scenes = {cut: build_scene(kind, rng, self.model.k, config.width, config.height)}
        return self._scenes[cut], stamp - cut * config.cut_s

    def frame(self, index: int) -> SimulatedFrame:
        """Frame number ``index``, the same whatever was asked for before."""
        config = self.config
        stamp = index / config.rate_hz
        event, begun, closed = self._shutter(index)
        if closed:
            return replace(self.frame(begun - 1), stamp=stamp, shutter=True)
        since = (index - begun) / config.rate_hz
        scene, clock = self.scene_at(stamp)
        truth = scene.render(clock)
        return frame_of(truth, self.model.measure(truth.celsius, index, stamp, event, since), config, stamp)

    def frames(self, n: int | None = None) -> Iterator[SimulatedFrame]:
        """The first ``n`` frames, or frames without end."""
        index, frame = 0, None
        while n is None or index < n:
            if frame is not None and frame.shutter and self._shutter(index)[2]:
                frame = replace(frame, stamp=index / self.config.rate_hz)  # spares drawing the repeated frame again
            else:
                frame = self.frame(index)
            yield frame
            index += 1

    def _shutter(self, index: int) -> tuple[int, int, bool]:
        """At a frame: number of the last shutter event, index of its first frame, and whether the shutter is closed.

        Counted in whole frames, since times in floating point would now and then miss a boundary.
        """
        period = self.config.shutter_period
        if period <= 0:
            return 0, 0, False
        event = index // period
        begun = event * period
        return event, begun, event > 0 and index - begun < self.config.shutter_frames


def frame_of(truth: SceneImage, measured: np.ndarray, config: SimulationConfig, stamp: float) -> SimulatedFrame:
    """A frame from a drawn scene and its measurement (H, W) °C."""
    image, encoding = encode(measured, config.unit, config.black_hot)
    return SimulatedFrame(
        stamp, truth.celsius, image, encoding, truth.boxes, truth.labels, truth.ignore, truth.faces, truth.k, False
    )
