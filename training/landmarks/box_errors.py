"""How the landmark network bears face boxes that are wrong: an option of training.landmarks.evaluate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import FaceConfig
from thermal_kd_ros.images import write_image
from training.data.driver_faces import DriverFaces
from training.landmarks.evaluate import FACES, load, nme, predict

SHIFTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Parts of the box's longer side."""
ZOOMS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75)


def box_error_curve(name: str, data: Path, person: str = "2", step: int = 1, config: FaceConfig = FACES
                    ) -> dict[str, list[tuple[float, float]]]:
    """NME in percent against the error of the face box: {"shift": [(part of the side, NME)], "zoom": [(factor, NME)]}.

    Boxes are the labelled ones, moved by so much in four directions by turns, or scaled about their middle.
    """
    card, network = load(name)
    frames = DriverFaces(data / "driver_faces", person, step)
    loaded = [frames[i] for i in range(len(frames))]

    def measured(shift: float, zoom: float) -> float:
        def faces() -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for i, frame in enumerate(loaded):
                middle, extent = (frame.box[:2] + frame.box[2:]) / 2, frame.box[2:] - frame.box[:2]
                angle = (i % 4) * np.pi / 2
                middle = middle + shift * extent.max() * np.array([np.cos(angle), np.sin(angle)])
                half = zoom * extent / 2
                yield frame.values, np.concatenate([middle - half, middle + half]), frame.points

        found = predict(network, card, faces(), config)
        return 100 * float(nme(found.points, found.truth).mean())

    return {"shift": [(v, measured(v, 1.0)) for v in tqdm(SHIFTS, desc="shifts", disable=None)],
            "zoom": [(v, measured(0.0, v)) for v in tqdm(ZOOMS, desc="zooms", disable=None)]}


def plot_curve(curve: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw both curves side by side into a picture file."""
    labels = {"shift": "shift, part of the box", "zoom": "zoom"}
    width, height, margin, top = 460, 300, 60, max(value for points in curve.values() for _, value in points) * 1.1
    sheet: np.ndarray = np.full((height, width * len(curve), 3), 255, np.uint8)
    for k, (name, points) in enumerate(curve.items()):
        x = np.array([value for value, _ in points])
        y = np.array([value for _, value in points])
        u = k * width + margin + (x - x.min()) / np.ptp(x) * (width - 2 * margin)
        v = height - margin - y / top * (height - 2 * margin)
        line = np.stack([u, v], axis=1).round().astype(np.int32)
        cv2.polylines(sheet, [line], False, (180, 80, 0), 2, cv2.LINE_AA)
        for place, here, value in zip(line, x, y, strict=True):
            cv2.circle(sheet, place.tolist(), 3, (180, 80, 0), -1, cv2.LINE_AA)
            _write(sheet, f"{value:.1f}", (int(place[0]) - 12, int(place[1]) - 10))
            _write(sheet, f"{here:g}", (int(place[0]) - 12, height - margin + 18))
        floor = height - margin
        cv2.line(sheet, (k * width + margin, floor), ((k + 1) * width - margin, floor), (0, 0, 0), 1)
        _write(sheet, f"NME (%) against {labels[name]}", (k * width + margin, 24))
    write_image(path, sheet)


def _write(sheet: np.ndarray, text: str, place: tuple[int, int]) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
