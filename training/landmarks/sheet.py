"""A picture sheet of a landmark network's best, middling and worst faces, each with what it found and what is true.

``python3 -m training.landmarks.sheet landmarks_light docs/landmarks.jpg --heads held_out.npz`` on rendered heads;
``python3 -m training.landmarks.sheet landmarks_light build/faces.jpg --real data --person 2`` on driver_faces, whose
pictures must not be passed on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.drawing import draw_points, palette, put_text
from thermal_kd_ros.faces import normalise_crop
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.images import write_image
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.confidence import confidence
from training.command import command
from training.data.coco import DataError
from training.data.compositing import load_backgrounds
from training.data.driver_faces import DriverFaces
from training.data.head_cache import HeadCache
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.landmarks.ablate import TURNED_DEG
from training.landmarks.evaluate import Predictions, load, nme, predict
from training.options import check_number
from training.outputs import check_picture

Face = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Image (H, W), face box (4,) and true points (54, 2) in pixels of the image."""
TILE = 192
"""Side of a face on the sheet, pixels."""
_TRUE = (255, 200, 60)
_TITLES = ("best", "middling", "worst")


@dataclass(frozen=True)
class Ranked:
    """Faces with what the network found in them, and their errors as a part of the distance of the eyes."""

    faces: Sequence[Face]
    found: Predictions
    errors: np.ndarray

    def chosen(self, columns: int) -> list[np.ndarray]:
        """Indices of the best, the middling and the worst ``columns`` faces."""
        order = np.argsort(self.errors, kind="stable")
        middle = max(0, (len(order) - columns) // 2)
        return [order[:columns], order[middle : middle + columns], order[-columns:]]


def rendered(heads: list[Path], data: Path | None, size: int, margin: float, most: int) -> list[Face]:
    """Crops of rendered heads that are not in profile, where a distance of the eyes means nothing."""
    cache = HeadCache(heads)
    crops = LandmarkCrops(cache, load_backgrounds(data), 99, CropConfig(size=size))
    edge = size * margin / (1 + 2 * margin)
    box = np.array([edge, edge, size - edge, size - edge])
    chosen = np.flatnonzero(np.abs(cache.pose[:, 0]) <= TURNED_DEG)[:most]
    return [(image[0], box, points) for image, points in (crops[int(i)] for i in chosen)]


def real(data: Path, person: str, step: int) -> list[Face]:
    """Frames of driver_faces with the labelled boxes."""
    frames = DriverFaces(data / "driver_faces", person, step)
    return [(frame.values, frame.box, frame.points) for frame in (frames[i] for i in range(len(frames)))]


def tile(face: Face, points: np.ndarray, sure: np.ndarray, error: float, margin: float) -> np.ndarray:
    """(TILE, TILE, 3) uint8 BGR: a face with true points as crosses and found ones as dots, greener the surer."""
    image, box, truth = face
    crop = FaceCrop.around(box, TILE, margin)
    picture = palette(normalise_crop(crop.apply(image.astype(np.float32))))
    for x, y in crop.forward(truth):
        cv2.drawMarker(picture, (round(float(x)), round(float(y))), _TRUE, cv2.MARKER_TILTED_CROSS, 5, 1, cv2.LINE_AA)
    draw_points(picture, crop.forward(points), sure, 1)
    put_text(picture, f"{100 * error:.1f} %", (4, TILE - 6), (255, 255, 255))
    return picture


def sheet(ranked: Ranked, columns: int, margin: float) -> np.ndarray:
    """(H, W, 3) uint8 BGR: a titled row each of the best, middling and worst faces."""
    found = ranked.found
    sure = confidence(found.sigma, found.side[:, None])
    rows = []
    for title, chosen in zip(_TITLES, ranked.chosen(columns), strict=True):
        tiles = [tile(ranked.faces[i], found.points[i], sure[i], ranked.errors[i], margin) for i in chosen]
        put_text(tiles[0], title, (4, 14), (255, 255, 255))
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


@command(DataError, ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.sheet",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file")
    parser.add_argument("output", type=Path, help="picture to write, .jpg or .png")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--heads", type=Path, nargs="+", help="caches of face_renderer that no training saw")
    source.add_argument("--real", type=Path, metavar="DATA", help="folder with driver_faces")
    parser.add_argument("--data", type=Path, help="folder with hit_uav, for backgrounds of rendered heads")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces")
    parser.add_argument("--step", type=int, default=1, help="every so many frames of driver_faces")
    parser.add_argument("--most", type=int, default=400, help="most rendered heads to choose from")
    parser.add_argument("--columns", type=int, default=6, help="faces in a row")
    args = parser.parse_args(argv)
    check_number("--columns", args.columns, 1)
    check_number("--most", args.most, 1)
    check_picture(args.output)
    card, network = load(args.model)
    margin = float(card.normalisation["crop_margin"])
    faces = (rendered(args.heads, args.data, card.input_width, margin, args.most) if args.heads
             else real(args.real, args.person, args.step))
    if len(faces) < args.columns:
        raise DataError(f"there are {len(faces)} faces, fewer than the {args.columns} of a row")
    found = predict(network, card, faces)
    picture = sheet(Ranked(faces, found, nme(found.points, found.truth)), args.columns, margin)
    write_image(args.output, picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
