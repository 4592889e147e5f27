"""Measure landmark networks on rendered heads that no training saw, and the mean face, which every network must beat.

``python3 -m training.landmarks.evaluate_heads landmarks_light landmarks_tiny --heads held_out.npz --mean-of heads.npz
--data data``

The mean face is one constant: where each point lies on average in training crops, put into every crop whatever it
shows. A network with a larger error has learnt nothing from the image. With ``--data`` it is measured on recorded faces
as well, and so is the mean face of the people 1_* of driver_faces, which knows how those labels are made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from thermal_kd_ros.evaluation.landmarks import THRESHOLD, area_under_curve, nme
from thermal_kd_ros.faces import CROP_MARGIN
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import read_card, resolve
from training.card import as_json
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, FaceFrame
from training.data.face_sets import sample_faces
from training.data.head_cache import HeadCache
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.landmarks.evaluate import predict_crops, summary
from training.options import check_folder, check_number

TURNED_DEG = 45.0
"""Rendered heads that are turned farther are not measured."""
_SEED = 99
Figures = dict[str, float]


def held_out_crops(heads: HeadCache, size: int, turned: float = TURNED_DEG, ordinary: bool = False
                   ) -> tuple[np.ndarray, np.ndarray]:
    """Crops (N, 1, S, S) and points (N, 54, 2), always the same, of heads turned by at most ``turned`` degrees.

    They vary as widely as in training, or are all ``ordinary``: cut as a good detector's boxes are. Raises DataError if
    there are none.
    """
    crops = LandmarkCrops(heads, [], _SEED, CropConfig(size=size, ordinary=float(ordinary)))
    # In profile the outer eye corners lie on each other, and an error over their distance means nothing.
    chosen = np.flatnonzero(np.abs(heads.pose[:, 0]) <= turned)
    if not len(chosen):
        raise DataError(f"none of the {len(heads)} heads is turned by at most {turned:g} degrees: nothing to measure")
    images, points = zip(*(crops[int(i)] for i in chosen), strict=True)
    return np.stack(images), np.stack(points)


def mean_of_crops(crops: LandmarkCrops) -> np.ndarray:
    """(54, 2) mean points of training crops, as parts of the crop's side."""
    points = np.stack([crops[i][1] for i in range(len(crops))])
    return points.mean(axis=0, dtype=np.float64) / crops.config.size


def mean_of_faces(faces: Iterable[FaceFrame]) -> np.ndarray:
    """(54, 2) mean labelled points in the crops of the labelled boxes, as parts of the crop's side."""
    return np.mean([FaceCrop.around(face.box, 1, CROP_MARGIN).forward(face.points) for face in faces], axis=0)


def accuracy(points: np.ndarray, truth: np.ndarray) -> Figures:
    """NME, failure rate and area under the curve in percent, as the tables have them."""
    errors = nme(points, truth, "sf_tl54")
    errors = errors[np.isfinite(errors)]
    return {"nme_percent": float(errors.mean()), "failure_rate_8_percent": 100 * float((errors > THRESHOLD).mean()),
            "auc_8_percent": 100 * area_under_curve(errors)}


def accuracy_on_faces(mean: np.ndarray, faces: list[FaceFrame]) -> Figures:
    """Accuracy of a mean face in the labelled boxes."""
    points = np.stack([FaceCrop.around(face.box, 1, CROP_MARGIN).inverse(mean) for face in faces])
    return accuracy(points, np.stack([face.points for face in faces]))


def mean_face_rows(rendered: np.ndarray, points: np.ndarray, size: int, data: Path | None, step: int = 1
                   ) -> dict[str, dict[str, Figures]]:
    """What mean faces reach: name of each to its figures by set, those of ``ablate``.

    Args:
        rendered: mean points (54, 2) of training crops, parts of the crop's side.
        points: true points (N, 54, 2) in held-out crops, pixels.
        size: side of those crops, pixels.
        data: folder with driver_faces and sf_tl54_sample; what is not there is left out.
        step: every so many frames of people 2_*.
    """
    means, sets = {"mean face": rendered}, {}
    if data is not None and (data / "driver_faces").is_dir():
        sets["real"] = _driver_faces(data, "2", step)
        if any((data / "driver_faces").glob("1_*")):
            means["mean face of people 1_*"] = mean_of_faces(_driver_faces(data, "1"))
    if data is not None and (data / "sf_tl54_sample").is_dir():
        sets["sf_tl54"] = sample_faces(data / "sf_tl54_sample")
    return {name: {"rendered": accuracy(np.broadcast_to(mean * size, points.shape), points),
                   **{on: accuracy_on_faces(mean, faces) for on, faces in sets.items()}}
            for name, mean in means.items()}


def _driver_faces(data: Path, person: str, step: int = 1) -> list[FaceFrame]:
    frames = DriverFaces(data / "driver_faces", person, step)
    return [frames[i] for i in range(len(frames))]


def evaluate(models: list[str], heads: list[Path], mean_of: list[Path], data: Path | None, step: int
             ) -> dict[str, dict[str, Figures]]:
    """Figures by model and set; of the mean faces too if there are caches to take the mean of."""
    cache = HeadCache(heads)
    rows: dict[str, dict[str, Figures]] = {}
    for name in models:
        rows[name] = {}
        for on, ordinary in (("rendered", False), ("rendered, ordinary crops", True)):
            images, points = held_out_crops(cache, read_card(resolve(name)).input_width, ordinary=ordinary)
            rows[name][on] = {"faces": float(len(points)), **summary(predict_crops(name, images, points))}
    if mean_of:
        # The crops' size is of no matter to figures that are relative, so a small one does.
        config = CropConfig(size=64)
        _, points = held_out_crops(cache, config.size)
        mean = mean_of_crops(LandmarkCrops(HeadCache(mean_of), [], 0, config))
        rows |= mean_face_rows(mean, points, config.size, data, step)
    return rows


@command(DataError, ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.evaluate_heads",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="shipped models or paths of .safetensors files")
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches of heads that no training saw")
    parser.add_argument("--mean-of", type=Path, nargs="+", default=[], metavar="HEADS",
                        help="caches of training heads: measure their mean face too")
    parser.add_argument("--data", type=Path, help="folder with driver_faces and sf_tl54_sample, for the mean face")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames of driver_faces")
    args = parser.parse_args(argv)
    check_number("--step", args.step, 1)
    if not (args.models or args.mean_of):
        raise DataError("nothing to measure: give models, --mean-of or both")
    if args.data and not args.mean_of:
        raise DataError("--data is for the mean face: give --mean-of too, or measure models on recorded faces with "
                        "training.landmarks.evaluate")
    if args.data:
        check_folder("--data", args.data)
    rows = evaluate(args.models, args.heads, args.mean_of, args.data, args.step)
    print(json.dumps({name: {on: as_json(figures) for on, figures in sets.items()} for name, sets in rows.items()},
                     indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
