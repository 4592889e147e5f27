"""Measure head poses against the yaw, pitch and roll that come with driver_faces.

``python3 -m training.landmarks.head_pose --data data``

The annotations are a network's output and relative to a zero of their own: a head that looks straight at the camera is
at a yaw of about 180 degrees that falls as the driver turns to the own left, and their pitch is positive upwards. So
their yaw and pitch are turned round here, and the median difference is taken off before the error is averaged: once
over all frames, and once in each sequence, because a person with a pair of glasses has a zero of the own in both. The
camera's focal length is not known; ``--focal`` is an assumption, in pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.head_pose import angles, head_poses
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections, FaceLandmarks
from training.card import as_json
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, FaceFrame
from training.options import check_number

_SIGNS, _ZERO = np.array([-1.0, -1.0, 1.0]), np.array([180.0, 0.0, 0.0])
"""From the annotations' yaw, pitch and roll to ours."""
_FIRST_FRAME = {"1_Man_NoGlasses_Yawning2": 250}
"""Number of the first frame of sequences whose time stamps do not start at 0."""
_NAMES = ("yaw", "pitch", "roll")


class Turns(NamedTuple):
    """Angles of N frames: yaw, pitch, roll in degrees, in our signs."""

    ours: np.ndarray
    """(N, 3)."""
    theirs: np.ndarray
    """(N, 3) annotated."""
    sequence: np.ndarray
    """(N,) names of the sequences."""


def annotated_angles(sequence: Path) -> dict[int, np.ndarray]:
    """Yaw, pitch, roll (3,) degrees by frame number, in our signs; frames without a usable one are left out.

    Raises DataError for a file that is missing or not as it should be.
    """
    path = sequence / "state_annotations.txt"
    if not path.is_file():
        raise DataError(f"{path} is missing")
    first, found = _FIRST_FRAME.get(sequence.name, 0), {}
    for number, line in enumerate(path.read_text().splitlines()[1:], 2):
        cells = line.split(";")
        try:
            values = np.array([float(cell) for cell in cells[2:5]])
            stamp = int(cells[0])
        except (ValueError, IndexError):
            raise DataError(f"{path}, line {number}: expected timestamp;face id;yaw;pitch;roll;...") from None
        if len(values) == 3 and (np.abs(values) < 360).all():
            found[stamp + first] = _SIGNS * values + _ZERO
    return found


def rays_of(focal: float, height: int, width: int):  # type: ignore[no-untyped-def]
    """Rays of a camera without distortion whose optical axis goes through the middle of the image."""
    def rays(points: np.ndarray) -> np.ndarray:
        flat = (np.asarray(points, np.float64) - (width / 2, height / 2)) / focal
        return np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)

    return rays


def labelled(frame: FaceFrame) -> FaceLandmarks:
    """The label of a frame as if the pipeline had found it."""
    ones = np.ones((1, len(frame.points)), np.float32)
    return FaceLandmarks(frame.box[None], ones[:, 0], frame.points[None], ones, ones, "sf_tl54")


def compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, dict[str, float]]:
    """Correlation, and mean absolute error after the median difference is taken off, of angles (N, 3) in degrees.

    ``spread`` is the error of always saying the median: what a useless estimate would have.
    """
    figures = {}
    for k, name in enumerate(_NAMES):
        difference = _difference(ours[:, k], theirs[:, k])
        offset = float(np.median(difference))
        figures[name] = {"correlation": _correlation(ours[:, k], theirs[:, k]), "offset_deg": offset,
                         "mae_deg": float(np.abs(difference - offset).mean()),
                         "spread_deg": float(np.abs(theirs[:, k] - np.median(theirs[:, k])).mean())}
    return figures


def compare_within(turns: Turns) -> dict[str, dict[str, float]]:
    """``compare`` where each sequence has its own zero, and how far these zeros lie apart.

    ``correlation`` is that of all frames after their sequences' zeros are taken off; ``correlation_low``, ``_median``
    and ``_high`` are over the sequences, each by itself, and so are ``offset_low_deg`` and ``_high_deg``.
    """
    places = [np.flatnonzero(turns.sequence == name) for name in np.unique(turns.sequence)]
    figures = {}
    for k, name in enumerate(_NAMES):
        parts = [(turns.ours[place, k], turns.theirs[place, k]) for place in places]
        offsets = np.array([np.median(_difference(ours, theirs)) for ours, theirs in parts])
        left = np.concatenate([_difference(ours, theirs) - offset
                               for (ours, theirs), offset in zip(parts, offsets, strict=True)])
        own = np.concatenate([theirs - np.median(theirs) for _, theirs in parts])
        # One alone, or always the same angle, goes with nothing.
        alone = np.array([_correlation(*part) for part in parts])
        alone = alone[np.isfinite(alone)] if np.isfinite(alone).any() else np.array([np.nan])
        figures[name] = {
            "correlation": _correlation(left + own, own), "correlation_low": float(alone.min()),
            "correlation_median": float(np.median(alone)), "correlation_high": float(alone.max()),
            "offset_low_deg": float(offsets.min()), "offset_high_deg": float(offsets.max()),
            "mae_deg": float(np.abs(left).mean()), "spread_deg": float(np.abs(own).mean())}
    return figures


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return (ours - theirs + 180.0) % 360.0 - 180.0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2 or not (np.ptp(a) > 0 and np.ptp(b) > 0):
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def driver_poses(data: Path, person: str, focal: float, step: int = 1, perception: ThermalPerception | None = None,
                 in_labelled_boxes: bool = False) -> Turns:
    """Our angles and the annotated ones, from the labelled points or, with a pipeline, from what it finds.

    The pipeline's landmarks lie in the boxes that it finds, or in the labelled ones. Raises DataError if there are no
    angles.
    """
    frames = DriverFaces(data / "driver_faces", person, step)
    known: dict[Path, dict[int, np.ndarray]] = {}
    ours, theirs, names = [], [], []
    for i in tqdm(range(len(frames)), desc=f"people {person}_*", mininterval=5.0, disable=None):
        image, _ = frames.pairs[i]
        sequence = image.parent.parent
        if sequence not in known:
            known[sequence] = annotated_angles(sequence)
        truth = known[sequence].get(int(image.stem.rpartition("_")[2]))
        if truth is None:
            continue
        frame = frames[i]
        if perception is None:
            found = labelled(frame)
        elif in_labelled_boxes:
            found = landmarks_in(perception, frame)
        else:
            # Without a time stamp, so that nothing is smoothed from one frame to the next.
            found = perception.process([ThermalFrame.from_array(frame.values, perception.config.thermal)])[0].faces
        overlap = iou_matrix(found.boxes, frame.box[None])[:, 0]
        if overlap.max(initial=0.0) < 0.5:
            continue
        turned = angles(head_poses(found, rays_of(focal, *frame.values.shape)).rotation)[overlap.argmax()]
        if np.isfinite(turned).all():
            ours.append(turned)
            theirs.append(truth)
            names.append(sequence.name)
    if not ours:
        raise DataError(f"{data / 'driver_faces'}: none of {len(frames)} frames of the people {person}_* has an "
                        "annotated pose and a face whose pose was found: nothing to measure")
    return Turns(np.array(ours).reshape(-1, 3), np.array(theirs).reshape(-1, 3), np.array(names))


def landmarks_in(perception: ThermalPerception, frame: FaceFrame) -> FaceLandmarks:
    """What the landmark stage of a pipeline makes of the labelled box."""
    given = Detections(frame.box[None], np.ones(1, np.float32), np.zeros(1, np.int64), ("face",))
    return perception.host.landmarks([ThermalFrame.from_array(frame.values, perception.config.thermal)], [given])[0]


def pipeline(detector: str = FaceConfig.detector_model, landmarks: str = FaceConfig.landmark_model
             ) -> ThermalPerception:
    """The robot's pipeline for faces alone; raises what ThermalPerception does."""
    # Nobody looks at objects here: the small face detector stands in for their detector.
    return ThermalPerception(with_values(PerceptionConfig(), {
        "detector.model": detector, "face.detector_model": detector, "face.landmark_model": landmarks,
        "engine.threads": 1}))


@command(ConfigError, DataError, ModelError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.head_pose",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with driver_faces")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces; 2 are for testing")
    parser.add_argument("--focal", type=float, default=300.0, help="assumed focal length of that camera, pixels")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    parser.add_argument("--detector", default=FaceConfig.detector_model, help="face detector")
    parser.add_argument("--landmarks", default=FaceConfig.landmark_model, help="landmark model")
    args = parser.parse_args(argv)
    check_number("--focal", args.focal, 1)
    perception = pipeline(args.detector, args.landmarks)
    for name, finds, given in (("labelled points", None, True), ("landmarks in labelled boxes", perception, True),
                               ("the pipeline", perception, False)):
        turns = driver_poses(args.data, args.person, args.focal, args.step, finds, given)
        print(json.dumps({f"people {args.person}_*, {name}": {
            "frames": len(turns.ours), "sequences": len(np.unique(turns.sequence)),
            "one zero for all": {k: as_json(v, 2) for k, v in compare(turns.ours, turns.theirs).items()},
            "each sequence its own": {k: as_json(v, 2) for k, v in compare_within(turns).items()}}}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
