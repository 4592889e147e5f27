"""Picture sheets of simulated scenes and heads, to look at.

Run as ``python -m thermal_kd_ros.simulation.sheet sheet.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.images import write_image
from thermal_kd_ros.simulation.camera import encode
from thermal_kd_ros.simulation.config import KINDS
from thermal_kd_ros.simulation.head import Expression
from thermal_kd_ros.simulation.mesh import rotation
from thermal_kd_ros.simulation.portrait import COARSE, FINE, Portrait, Traits, random_traits
from thermal_kd_ros.simulation.random_frames import random_scene_frame
from thermal_kd_ros.simulation.raster import vertex_visibility
from thermal_kd_ros.simulation.render import Canvas, View, intrinsics
from thermal_kd_ros.simulation.truth import SimulatedFrame

_COLOURS = {"person": (120, 255, 120), "car": (255, 200, 80), "bicycle": (255, 120, 255)}
_IGNORED, _FACE = (150, 150, 150), (255, 255, 255)


def draw_truth(frame: SimulatedFrame) -> np.ndarray:
    """(H, W, 3) uint8 BGR picture of a frame with its boxes and landmarks; grey boxes are to be ignored."""
    grey, _ = encode(frame.celsius, "display8")
    picture = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
    for box, label, ignore in zip(frame.boxes, frame.labels, frame.ignore, strict=True):
        _rectangle(picture, box, _IGNORED if ignore else _COLOURS[label])
    for face in frame.faces:
        _rectangle(picture, face.box, _IGNORED if face.ignore else _FACE)
        _points(picture, face.landmarks, face.visible)
    return picture


def draw_head(
    traits: Traits, yaw: float, pitch: float, expression: Expression, size: int, ambient: float = 23.0
) -> np.ndarray:
    """(size * 5 // 4, size, 3) uint8 BGR portrait; from 120 px, visible landmarks in green and hidden ones in red."""
    height = size * 5 // 4
    view = View(intrinsics(size, height, 22.0), np.eye(3), np.zeros(3), size, height)
    head = Portrait(traits, ambient, FINE if size > 80 else COARSE).posed(expression)
    turn = rotation(yaw, pitch)
    away = np.array([0.0, -0.02, 0.88])
    canvas = Canvas(np.full((height, size), ambient, np.float32), np.full((height, size), np.inf, np.float32))
    canvas.draw(head.mesh.moved(turn, away), view, 1, ambient)
    blurred = cv2.GaussianBlur(canvas.celsius, (0, 0), 0.8)
    grey = np.clip((blurred - 21.5) * (255 / 15.0), 0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
    if size >= 120:
        pixels = view.project(view.to_camera(head.landmarks @ turn.T + away))
        _points(picture, pixels[:, :2] + 0.5, vertex_visibility(pixels, canvas.fragments(), 0.006))
    return picture


def sheet(path: str | Path, seed: int = 0, columns: int = 4) -> None:
    """Write a PNG: one row of scenes per kind, a row of heads at 200 px, and a row of heads at 40 px.

    Raises OSError if the file cannot be written.
    """
    rows = []
    for kind in KINDS:
        frames = [random_scene_frame(seed + index, 640, 512, kind, "celsius") for index in range(columns)]
        rows.append(
            np.hstack([cv2.resize(draw_truth(frame), (480, 384), interpolation=cv2.INTER_AREA) for frame in frames])
        )
    width = rows[0].shape[1]
    rng = np.random.default_rng(seed)
    for size in (200, 40):
        heads = []
        for _ in range(width // size):
            expression = Expression(*(rng.uniform(0, 1, 4) * (rng.random(4) < 0.3)))
            heads.append(draw_head(random_traits(rng), rng.normal(0, 0.45), rng.normal(0, 0.15), expression, size))
        strip = np.hstack(heads)
        rows.append(np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0))))
    write_image(Path(path), np.vstack(rows))


def _rectangle(picture: np.ndarray, box: np.ndarray, colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (int(round(float(value))) for value in box)
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, 1)


def _points(picture: np.ndarray, points: np.ndarray, visible: np.ndarray) -> None:
    for (x, y), seen in zip(points, visible, strict=True):
        colour = (0, 255, 0) if seen else (0, 0, 255)
        # OpenCV puts the centre of the first pixel at 0; four fractional bits.
        cv2.circle(picture, (int((x - 0.5) * 16), int((y - 0.5) * 16)), 16, colour, -1, cv2.LINE_AA, 4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sheet(arguments.path, arguments.seed)
