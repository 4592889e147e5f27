"""Measure the landmark network on real, labelled faces.

``python3 -m training.landmarks.evaluate landmarks_light --data data``

NME is the mean point error over the distance of the outer eye corners. FR@8 is the part of faces with an NME above
8 %, AUC@8 the area under the cumulative curve up to 8 %, as in Sagonas et al., "300 Faces in-the-Wild", 2013.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from thermal_kd_ros.config import FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.detection import EXACT
from thermal_kd_ros.evaluation.landmarks import THRESHOLD, area_under_curve, error_over
from thermal_kd_ros.evaluation.landmarks import nme as nme_percent
from thermal_kd_ros.faces import face_box, mean_of_both, with_mirror_images
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.host_path import find_landmarks
from thermal_kd_ros.layouts import LAYOUTS
from thermal_kd_ros.models.blocks import fuse_batch_norm
from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import resolve
from thermal_kd_ros.models.confidence import TOLERANCE, confidence
from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from training.card import as_json, record
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces
from training.data.face_sets import TFW_PARTS, SfTl54, Tfw, five_points, sample_faces
from training.landmarks.backbone import backbone_of
from training.landmarks.fit import load_network
from training.landmarks.matching import LAYOUT, check_network
from training.landmarks.reliability import calibration_error, relative_risk_area, risk_area
from training.options import check_number
from training.outputs import check_picture, check_place

FACES = FaceConfig()
"""How faces are looked at unless a caller says otherwise: as the pipeline does."""


@dataclass(frozen=True)
class Predictions:
    """N faces in source pixels."""

    points: np.ndarray
    """(N, 54, 2) predicted."""
    truth: np.ndarray
    """(N, 54, 2) labelled."""
    sigma: np.ndarray
    """(N, 54) predicted standard deviation per axis."""
    side: np.ndarray
    """(N,) longer side of the face box."""


def load(name: str, channels: int = 1, size: int | None = None) -> tuple[ModelCard, Landmarker]:
    """A landmark network ready for inference on faces as they are labelled here, of any input size without ``size``.

    Raises ModelError, and DataError for a network of other points, channels or input.
    """
    card, network = load_network(name)
    check_network(name, card, network.spec, "measuring it on these faces", channels, size)
    return card, fuse_batch_norm(network.eval())  # type: ignore[return-value]


@torch.inference_mode()
def predict(network: Landmarker, card: ModelCard, faces: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
            config: FaceConfig = FACES) -> Predictions:
    """Run over (image (H, W), face box (4,), labelled points (54, 2)) as the run-time pipeline does.

    Raises ModelError for a network whose outputs are no numbers.
    """
    points, truth, sigma, side = [], [], [], []

    def run(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, spread = network(torch.from_numpy(batch))
        return found.numpy(), spread.numpy()

    for image, box, labelled in faces:
        (crop,), found, spread = find_landmarks(run, [image.astype(np.float32)], [box], card.input_width,
                                                LAYOUTS[card.layout], config, float(card.normalisation["crop_margin"]))
        points.append(crop.inverse(found[0].astype(np.float64)))
        sigma.append(spread[0] * crop.side / crop.size)
        truth.append(labelled)
        side.append(float((box[2:] - box[:2]).max()))
    return _of_numbers(card, Predictions(np.array(points), np.array(truth), np.array(sigma), np.array(side)))


def _of_numbers(card: ModelCard, found: Predictions) -> Predictions:
    """``found``; raises ModelError if a point or sigma is not finite, which no figure could stand for."""
    if not (np.isfinite(found.points).all() and np.isfinite(found.sigma).all()):
        raise ModelError(f"{card.name}: its outputs are not finite numbers: its weights or an image are damaged")
    return found


@torch.inference_mode()
def predict_crops(name: str, images: np.ndarray, points: np.ndarray, mirror: bool = FACES.mirror) -> Predictions:
    """Predictions on ready crops (N, C, S, S) with points (N, 54, 2) as the run-time pipeline makes them, crop pixels.

    The face's side is that of the box around the points.
    """
    card, network = load(name, *images.shape[1:3])
    found, spread = [], []
    for start in range(0, len(images), 64):
        values = images[start : start + 64].astype(np.float32)
        both = with_mirror_images(values) if mirror else values
        places, sigma = (output.numpy() for output in network(torch.from_numpy(both)))
        if mirror:
            places, sigma = mean_of_both(places, sigma, LAYOUTS[card.layout], card.input_width)
        found.append(places)
        spread.append(sigma)
    truth: np.ndarray = points.astype(np.float64)
    boxes = np.stack([face_box(face) for face in truth])
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1).astype(np.float64)
    return _of_numbers(card, Predictions(np.concatenate(found).astype(np.float64), truth, np.concatenate(spread), side))


def mega_flops(network: Landmarker) -> float:
    """MFLOPs of one crop, a multiplication and an addition counted as two."""
    spec = network.spec
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, spec.channels, spec.size, spec.size))
    return counter.get_total_flops() / 1e6


def nme(points: np.ndarray, truth: np.ndarray, layout: str = LAYOUT.name) -> np.ndarray:
    """(N,) NME as the run-time evaluation measures it, as a part; NaN where the labelled eye corners coincide."""
    return nme_percent(points, truth, layout) / 100


def _mean(errors: np.ndarray) -> float:
    return float(errors.mean()) if errors.size else float("nan")


def _median(errors: np.ndarray) -> float:
    return float(np.median(errors)) if errors.size else float("nan")


def summary(found: Predictions) -> dict[str, float]:
    """NME, failure rate, area under curve in percent, and how confidence goes with error.

    The risk area is over points, their error as a part of the face's side; see ``reliability``. Faces whose labelled
    eye corners coincide have no NME and count in the other figures alone; a figure of nothing is NaN.
    """
    errors = nme_percent(found.points, found.truth, LAYOUT.name)
    errors = errors[np.isfinite(errors)]
    distance = np.linalg.norm(found.points - found.truth, axis=2)
    sure = confidence(found.sigma, found.side[:, None])
    relative = distance / found.side[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # confidences that are all alike go with nothing: NaN
        correlation = float(np.corrcoef(sure.ravel(), relative.ravel())[0, 1])
    return {
        "nme_percent": _mean(errors),
        "nme_median_percent": _median(errors),
        "failure_rate_8_percent": 100 * _mean(errors > THRESHOLD),
        "auc_8_percent": 100 * area_under_curve(errors),
        "confidence_error_correlation": correlation,
        "risk_area_percent": 100 * risk_area(relative.ravel(), sure.ravel()),
        "relative_risk_area": relative_risk_area(relative.ravel(), sure.ravel()),
        "calibration_error": calibration_error((relative <= TOLERANCE).ravel(), sure.ravel()),
        "confidence_mean": float(sure.mean()),
        "within_tolerance": float((relative <= TOLERANCE).mean()),
    }


def driver_predictions(name: str, data: Path, person: str = "2", step: int = 1, jitter: float = 0.0,
                       config: FaceConfig = FACES) -> Predictions:
    """Predictions on driver_faces with the labelled boxes, moved and scaled at random by ``jitter`` of their side."""
    card, network = load(name)
    rng = np.random.default_rng(0)

    def faces() -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        frames = DriverFaces(data / "driver_faces", person, step)
        for i in range(len(frames)):
            frame = frames[i]
            side = float((frame.box[2:] - frame.box[:2]).max())
            grow = np.array([-1, -1, 1, 1]) * side * rng.normal(0, jitter) / 2
            yield frame.values, frame.box + np.tile(rng.normal(0, jitter, 2) * side, 2) + grow, frame.points

    return predict(network, card, faces(), config)


def detected_summary(name: str, data: Path, person: str = "2", step: int = 1, face: FaceConfig = FACES
                     ) -> dict[str, float]:
    """Accuracy of the whole pipeline on driver_faces: landmarks in the boxes that the face detector finds.

    A labelled face is missed, and counts as a failure, if no found box overlaps its box by half. If all are, the NME
    is NaN.
    """
    config = with_values(PerceptionConfig(), {**EXACT, "face.landmark_model": name,
                                              "face.second_look": face.second_look, "tracking.enabled": False})
    perception = ThermalPerception(config)
    frames = DriverFaces(data / "driver_faces", person, step)
    points, truth = [], []
    for i in tqdm(range(len(frames)), desc=f"people {person}_*", mininterval=5.0, disable=None):
        frame = frames[i]
        # Each frame is a camera of its own: nothing is smoothed.
        image = ThermalFrame.from_array(frame.values, config.thermal, camera=str(i))
        faces = perception.process([image])[0].faces
        overlaps = iou_matrix(faces.boxes, frame.box[None])[:, 0]
        if len(overlaps) and overlaps.max() >= 0.5:
            points.append(faces.points[overlaps.argmax()])
            truth.append(frame.points)
    errors = nme_percent(np.array(points), np.array(truth), LAYOUT.name) if points else np.zeros(0)
    missed = len(frames) - len(errors)
    return {"nme_percent": _mean(errors), "nme_median_percent": _median(errors),
            "failure_rate_8_percent": 100 * float((~(errors <= THRESHOLD)).sum() + missed) / len(frames),
            "missed_percent": 100 * missed / len(frames)}


def sample_predictions(name: str, data: Path, config: FaceConfig = FACES) -> Predictions:
    """Predictions on the two labelled frames of sf_tl54_sample; the box is that of the labelled points."""
    card, network = load(name)
    faces = sample_faces(data / "sf_tl54_sample")
    return predict(network, card, ((face.values, face.box, face.points) for face in faces), config)


def tfw_summary(name: str, root: Path) -> dict[str, dict[str, float]]:
    """Accuracy on the sets of TFW that lie in a folder, by their five points, which have no outer eye corners.

    The error of a face is over the distance of its eye centres; where they coincide it has none. Raises DataError if no
    set is there.
    """
    card, network = load(name)
    results = {}
    for part in TFW_PARTS:
        if (root / f"{part}.csv").is_file():
            faces = Tfw(root, part)
            found = predict(network, card, tqdm(((face.values, face.box, face.points) for face in map(
                faces.__getitem__, range(len(faces)))), total=len(faces), desc=part, mininterval=5.0, disable=None))
            errors = error_over(five_points(found.points), found.truth, (0, 1))
            errors = errors[np.isfinite(errors)]
            results[f"TFW {part}, 5 points"] = {"faces": float(len(errors)), "error_percent": _mean(errors),
                                                "error_median_percent": _median(errors)}
    if not results:
        raise DataError(f"{root} has none of {', '.join(f'{part}.csv' for part in TFW_PARTS)}; give TFW's folder of "
                        "train, val or test")
    return results


def sf_tl54_summary(name: str, root: Path, part: str = "test") -> dict[str, dict[str, float]]:
    """Accuracy on a set of SF-TL54, in its own boxes and in the boxes around the points, which training has.

    Raises DataError if the set is not there.
    """
    card, network = load(name)
    faces = SfTl54(root, part)
    results = {}
    for box, own in (("labelled boxes", True), ("boxes of the points", False)):
        found = predict(network, card, tqdm(((face.values, face.box if own else face_box(face.points), face.points)
                                             for face in map(faces.__getitem__, range(len(faces)))),
                                            total=len(faces), desc=box, mininterval=5.0, disable=None))
        results[f"SF-TL54 {part}, {box}"] = {"faces": float(len(faces)), **summary(found)}
    return results


@command(DataError, ModelError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.evaluate",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path, help="folder with driver_faces and sf_tl54_sample")
    where.add_argument("--tfw", type=Path, metavar="FOLDER", help="measure on the sets of TFW there instead")
    where.add_argument("--sf-tl54", type=Path, metavar="FOLDER", help="measure on SF-TL54's test set there instead")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces; 2 are for testing")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    parser.add_argument("--jitter", type=float, default=0.0, help="error of the face boxes, as part of their side")
    parser.add_argument("--one-look", action="store_true", help="as with face.second_look off")
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    parser.add_argument("--box-errors", type=Path, metavar="PICTURE",
                        help="measure how the error grows with wrong face boxes instead, and draw it")
    args = parser.parse_args(argv)
    check_number("--jitter", args.jitter, 0)
    face = replace(FACES, second_look=not args.one_look)
    if args.tfw or args.sf_tl54:
        if args.write_card or args.box_errors or args.jitter or args.step != 1 or args.one_look:
            raise DataError(f"{'--tfw' if args.tfw else '--sf-tl54'} takes none of --write-card, --box-errors, "
                            "--jitter, --step and --one-look")
        measured = tfw_summary(args.model, args.tfw) if args.tfw else sf_tl54_summary(args.model, args.sf_tl54)
        print(json.dumps({on: as_json(values) for on, values in measured.items()}, indent=1))
        return 0
    if args.write_card:
        if args.step != 1 or args.jitter or args.box_errors or args.one_look:
            raise DataError("a card holds figures of whole sets with the labelled boxes: leave out --step, "
                            "--jitter, --box-errors and --one-look")
        check_place(resolve(args.model))
    if args.box_errors:
        if args.jitter:
            raise DataError("--box-errors draws a curve over errors of the boxes: leave out --jitter")
        check_picture(args.box_errors)
        from training.landmarks.box_errors import box_error_curve, plot_curve

        curve = box_error_curve(args.model, args.data, args.person, args.step, face)
        plot_curve(curve, args.box_errors)
        print(json.dumps({name: as_json({f"{v:g}": e for v, e in points}, 2) for name, points in curve.items()}))
        return 0
    card, network = load(args.model)
    results = {f"driver_faces people {args.person}_*, labelled boxes":
               summary(driver_predictions(args.model, args.data, args.person, args.step, args.jitter, face))}
    if (args.data / "sf_tl54_sample").is_dir():
        results["sf_tl54_sample, 2 frames"] = summary(sample_predictions(args.model, args.data, face))
    # No robot's pipeline, which finds the boxes itself, runs a network with a backbone.
    if not args.jitter and not backbone_of(card):
        results[f"driver_faces people {args.person}_*, detected boxes"] = detected_summary(
            args.model, args.data, args.person, args.step, face)
    size = {"network": {"parameters": float(card.parameters), "mflops": mega_flops(network)}}
    print(json.dumps({on: as_json(values) for on, values in (size | results).items()}, indent=1))
    if args.write_card:
        path = resolve(args.model)
        command = f"python3 -m training.landmarks.evaluate {path.stem} --person {args.person} --data <data>"
        for on, values in results.items():
            names = ("nme_percent", "failure_rate_8_percent", "auc_8_percent", "confidence_error_correlation",
                     "risk_area_percent", "calibration_error")
            record(path, on, {name: values[name] for name in (*names, "missed_percent") if name in values},
                   command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
