"""What a thermal and a visible camera make of a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from thermal_kd_ros.simulation.camera import encode
from thermal_kd_ros.simulation.noise import value_noise
from training.data.pair_scenes.displays import displayed
from training.data.pair_scenes.scene import PairScene


@dataclass(frozen=True)
class ThermalSensor:
    """A family of thermal cameras; ranges that an individual is drawn from.

    native: share of the picture's pixels per side that the sensor really has, the rest is interpolated. netd_k: noise.
    pattern_k: fixed pattern left after a shutter correction. shading_k: slow unevenness over the picture.
    """

    name: str
    native: tuple[float, float]
    blur_px: tuple[float, float]
    netd_k: tuple[float, float]
    pattern_k: tuple[float, float]
    shading_k: tuple[float, float]
    columns: float
    """Share of the fixed pattern that stands in columns."""


SENSORS = (
    ThermalSensor("cooled or new core", (1.0, 1.0), (0.4, 0.8), (0.015, 0.05), (0.005, 0.03), (0.0, 0.3), 0.4),
    ThermalSensor("robot core", (0.8, 1.0), (0.5, 1.2), (0.04, 0.10), (0.01, 0.10), (0.1, 0.8), 0.6),
    ThermalSensor("phone camera", (0.4, 0.65), (0.6, 1.0), (0.07, 0.20), (0.05, 0.20), (0.5, 3.0), 0.7),
    ThermalSensor("small module", (0.3, 0.5), (0.6, 1.0), (0.04, 0.10), (0.02, 0.08), (0.2, 1.0), 0.2),
)
"""The kinds of cameras that robots and test sets have."""
_WEIGHTS = (0.35, 0.4, 0.14, 0.11)


def measured(celsius: np.ndarray, rng: np.random.Generator, sensor: ThermalSensor | None = None) -> np.ndarray:
    """(H, W) float32 °C as a thermal camera measures it; any of :data:`SENSORS` for None."""
    if sensor is None:
        sensor = SENSORS[int(rng.choice(len(SENSORS), p=_WEIGHTS))]
    height, width = celsius.shape
    seen = np.asarray(celsius, np.float32)
    share = rng.uniform(*sensor.native)
    if share < 0.99:
        native = (max(round(width * share), 16), max(round(height * share), 16))
        seen = np.asarray(cv2.resize(seen, native, interpolation=cv2.INTER_AREA), np.float32)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), rng.uniform(*sensor.blur_px)), np.float32)
    rows, columns = seen.shape
    shape = (rows, columns)
    pattern = ((1 - sensor.columns) * rng.standard_normal(shape, np.float32)
               + sensor.columns * rng.standard_normal((1, shape[1]), np.float32)
               + 0.3 * sensor.columns * rng.standard_normal((shape[0], 1), np.float32))
    seen = seen + np.float32(rng.uniform(*sensor.netd_k)) * rng.standard_normal(shape, np.float32)
    seen += np.float32(rng.uniform(*sensor.pattern_k)) * pattern
    y, x = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None], np.linspace(-1, 1, shape[1], dtype=np.float32)[None]
    shading = rng.uniform(*sensor.shading_k)
    seen += np.float32(shading * rng.choice([-1, 1])) * (x * x + y * y - 0.66) * 0.5
    seen += np.float32(0.3 * shading) * value_noise(rng, rows, columns, 0.4 * columns, 1)
    if rng.random() < 0.1:
        count = int(rng.integers(1, 12))
        seen[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] += rng.choice([-15.0, 15.0], count)
    if share < 0.99:
        kind = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        seen = np.asarray(cv2.resize(seen, (width, height), interpolation=kind), np.float32)
    return seen


def visible(radiance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8, red green blue: exposure with a limited gain, white balance, shot and read noise, gamma.

    Args:
        radiance: (H, W, 3) linear; 1 is a white surface in full light.
    """
    goal = rng.uniform(0.55, 0.95)
    gain = float(np.clip(goal / max(float(np.percentile(radiance[::3, ::3], 96)), 1e-6), 0.2, 28.0))
    exposed = radiance * np.float32(gain) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    if rng.random() < 0.6:
        exposed = np.asarray(cv2.GaussianBlur(exposed, (0, 0), rng.uniform(0.3, 0.9)), np.float32)
    shot = np.float32(rng.uniform(0.005, 0.02)) * np.sqrt(np.float32(max(gain, 1.0)))
    noise = rng.standard_normal(exposed.shape, np.float32)
    exposed = exposed + noise * (shot * np.sqrt(np.maximum(exposed, 0.0)) + np.float32(0.001 * max(gain, 1.0)))
    return (np.clip(exposed, 0, 1) ** np.float32(1 / rng.uniform(1.9, 2.4)) * 255 + 0.5).astype(np.uint8)


MIN_CONTRAST = 0.03
"""Objects that stand out from what is around them by less than this part of the picture's range are not to be judged:
no camera shows them, and whoever marks real pictures would not see them either.
"""


def contrast(picture: np.ndarray, mask: np.ndarray) -> float:
    """How an object, where ``mask`` (H, W) is True, stands out in a picture (H, W) float32, in the picture's units.

    The larger of the mean absolute difference between points two pixels inside and outside of its outline, and the
    standard deviation inside it.
    """
    differences = [np.zeros(0, np.float32)]
    for ahead, back in (((slice(None), slice(4, None)), (slice(None), slice(None, -4))),
                        ((slice(4, None), slice(None)), (slice(None, -4), slice(None)))):
        differences.append(np.abs(picture[ahead] - picture[back])[mask[ahead] != mask[back]])
    outline = np.concatenate(differences)
    return max(float(outline.mean()) if len(outline) else 0.0, float(picture[mask].std()) if mask.any() else 0.0)


def judged(scene: PairScene, thermal: np.ndarray) -> PairScene:
    """``scene`` with the objects ignored that its thermal picture (H, W) hardly shows; see MIN_CONTRAST."""
    picture = np.asarray(cv2.GaussianBlur(thermal.astype(np.float32), (0, 0), 0.8), np.float32)
    low, high = np.percentile(picture[::2, ::2], (1, 99))
    least, ignore = MIN_CONTRAST * float(high - low), scene.ignore.copy()
    for i in np.flatnonzero(~ignore):
        x0, y0, x1, y1 = np.maximum(scene.boxes[i].astype(int) + (-4, -4, 4, 4), 0).tolist()
        window = (slice(y0, y1), slice(x0, x1))
        ignore[i] = contrast(picture[window], scene.objects[window] == scene.numbers[i]) < least
    return replace(scene, ignore=ignore)


@dataclass(frozen=True)
class RenderedPair:
    """A scene by two cameras: thermal (H, W) uint16 centikelvin or uint8 as displayed; visible (H, W, 3) uint8."""

    thermal: np.ndarray
    visible: np.ndarray
    scene: PairScene


def photograph(scene: PairScene, seed: int, display_share: float) -> RenderedPair:
    """Both images of a scene; ``display_share`` of the thermal ones are 8-bit pictures as cameras show them."""
    rng = np.random.default_rng((seed, 8))
    celsius = measured(scene.celsius, rng)
    # Drawn whatever the share is, so that the share changes nothing else.
    as_shown = rng.random() < display_share
    picture = visible(scene.radiance, rng)
    thermal = displayed(celsius, rng) if as_shown else encode(celsius, "centikelvin")[0]
    return RenderedPair(thermal, picture, judged(scene, thermal))
