"""Measure head poses against the yaw, pitch and roll that come with driver_faces.

``python3 -m training.landmarks.head_pose --data data``

The annotations are a network's output and relative to a zero of their own: a head that looks straight at the camera is
at a yaw of about 180 degrees that falls as the driver turns to the own left, and their pitch is positive upwards. So
their yaw and pitch are turned round here, and the median difference is taken off before the error is averaged. The
camera's focal length is not known; ``--focal`` is an assumption, in pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.head_pose import angles, head_poses
from thermal_kd_ros.models.checkpoint import ModelError
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import FaceLandmarks
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, FaceFrame
from training.options import check_number

_SIGNS, _ZERO = np.array([-1.0, -1.0, 1.0]), np.array([180.0, 0.0, 0.0])
"""From the annotations' yaw, pitch and roll to ours."""
_FIRST_FRAME = {"1_Man_NoGlasses_Yawning2": 250}
"""Number of the first frame of sequences whose time stamps do not start at 0."""
_NAMES = ("yaw", "pitch", "roll")


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
        difference = (ours[:, k] - theirs[:, k] + 180.0) % 360.0 - 180.0
        offset = float(np.median(difference))
        figures[name] = {"correlation": float(np.corrcoef(ours[:, k], theirs[:, k])[0, 1]), "offset_deg": offset,
                         "mae_deg": float(np.abs(difference - offset).mean()),
                         "spread_deg": float(np.abs(theirs[:, k] - np.median(theirs[:, k])).mean())}
    return figures


def driver_poses(data: Path, person: str, focal: float, step: int = 1, perception: ThermalPerception | None = None
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Our angles and the annotated ones (N, 3), from the labelled points or, with a pipeline, from what it finds.

    Raises DataError if there are none.
    """
    frames = DriverFaces(data / "driver_faces", person, step)
    known: dict[Path, dict[int, np.ndarray]] = {}
    ours, theirs = [], []
    for i in tqdm(range(len(frames)), desc=f"people {person}_*", mininterval=5.0, disable=None):
        image, _ = frames.pairs[i]
        sequence = image.parent.parent
        if sequence not in known:
            known[sequence] = annotated_angles(sequence)
        truth = known[sequence].get(int(image.stem.rpartition("_")[2]))
        if truth is None:
            continue
        frame = frames[i]
        rays = rays_of(focal, *frame.values.shape)
        found = labelled(frame) if perception is None else perception.process(
            [ThermalFrame.from_array(frame.values, perception.config.thermal)])[0].faces
        overlap = iou_matrix(found.boxes, frame.box[None])[:, 0]
        if overlap.max(initial=0.0) < 0.5:
            continue
        turned = angles(head_poses(found, rays).rotation)[overlap.argmax()]
        if np.isfinite(turned).all():
            ours.append(turned)
            theirs.append(truth)
    if not ours:
        raise DataError(f"{data / 'driver_faces'}: none of {len(frames)} frames of the people {person}_* has an "
                        "annotated pose and a face whose pose was found: nothing to measure")
    return np.array(ours).reshape(-1, 3), np.array(theirs).reshape(-1, 3)


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
    try:
        check_number("--focal", args.focal, 1)
        # Nobody looks at objects here: the small face detector stands in for their detector.
        perception = ThermalPerception(with_values(PerceptionConfig(), {
            "detector.model": args.detector, "face.detector_model": args.detector,
            "face.landmark_model": args.landmarks, "engine.threads": 1}))
        for name, pipeline in (("labelled points", None), ("the pipeline", perception)):
            ours, theirs = driver_poses(args.data, args.person, args.focal, args.step, pipeline)
            figures = {k: {m: round(v, 2) for m, v in f.items()} for k, f in compare(ours, theirs).items()}
            print(json.dumps({f"people {args.person}_*, {name}": {"frames": len(ours), **figures}}, indent=1))
    except (ConfigError, DataError, ModelError, EngineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
