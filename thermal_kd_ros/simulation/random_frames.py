"""Independent random frames for training: a new scene, weather, lens and sensor for every seed."""

from __future__ import annotations

import cv2
import numpy as np

from thermal_kd_ros.simulation.camera import CameraModel, frame_of
from thermal_kd_ros.simulation.config import KINDS, SimulationConfig
from thermal_kd_ros.simulation.recipes import build_scene
from thermal_kd_ros.simulation.truth import SimulatedFrame


def random_scene_frame(
    seed: int, width: int = 640, height: int = 512, kind: str | None = None, unit: str | None = None
) -> SimulatedFrame:
    """One frame of a scene that no other seed shows.

    Args:
        seed: determines everything.
        width, height: pixels.
        kind: one of ``config.KINDS``, or None for any.
        unit: one of ``config.UNITS``, or None for display8 in either polarity (as most recorded thermal video is).
    """
    rng = np.random.default_rng((seed, 99))
    kind = str(rng.choice(KINDS)) if kind is None else kind
    config = SimulationConfig(
        seed=seed,
        scene=kind,
        width=width,
        height=height,
        hfov_deg=float(rng.uniform(24, 62)),
        unit="display8" if unit is None else unit,
        blur_px=float(rng.uniform(0.5, 1.4)),
        netd_k=float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))),
        fixed_pattern_k=float(np.exp(rng.uniform(np.log(0.01), np.log(0.12)))),
        vignette_k=float(rng.uniform(0, 0.8)),
        dead_pixels=float(rng.choice([0.0, 1e-5, 1e-4])),
        shutter_interval_s=0.0,
        black_hot=bool(unit is None and rng.random() < 0.15),
    )
    camera = CameraModel(config)
    scene = build_scene(kind, rng, camera.k, width, height, still=True)
    truth = scene.render(float(rng.uniform(0, 5)))
    measured = camera.measure(truth.celsius, 0, since=float(rng.uniform(0, 60)))
    if unit is None and rng.random() < 0.5:
        measured = tone_mapped(measured, rng)
    return frame_of(truth, measured, config, 0.0)


def tone_mapped(celsius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A camera's own non-linear contrast: plateau equalisation and local detail, mixed to a random degree. The result
    only orders the temperatures; it is meant for display8.
    """
    low, high = np.percentile(celsius[::4, ::4], (0.5, 99.5))
    grey = np.clip((celsius - low) / max(float(high - low), 2.0), 0, 1)
    counts, _ = np.histogram(grey[::2, ::2], 256, (0, 1))
    plateau = np.minimum(counts, np.quantile(counts[counts > 0], rng.uniform(0.4, 0.95)))
    curve = np.cumsum(plateau) / plateau.sum()
    equalised = np.interp(grey, (np.arange(256) + 0.5) / 256, curve).astype(np.float32)
    mixed = grey + np.float32(rng.uniform(0.2, 0.9)) * (equalised - grey)
    detail = mixed - cv2.GaussianBlur(mixed, (0, 0), rng.uniform(3, 12))
    return (mixed + np.float32(rng.uniform(0, 0.8)) * detail) * 100
