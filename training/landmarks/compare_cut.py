"""Compare faces that the frame's border cuts with whole ones: are they found, and do their landmarks know?

``python3 -m training.landmarks.compare_cut --data data``

Frames of driver_faces are cut so that a part of the labelled box is lost at one side. Recall is that of the robot's
pipeline, at an IoU of 0.5 with what is left of the box. The landmarks are also measured in that clipped box, given
whether a detector finds it or not: their error, the share of points within the tolerance that a confidence is about,
and the mean confidence, which should be that share.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, FaceConfig
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.landmarks import nme
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.confidence import TOLERANCE
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from training.card import as_json
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces, FaceFrame
from training.landmarks.head_pose import landmarks_in, pipeline
from training.options import check_number

SIDES = ("left", "right", "top", "bottom")
PARTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Parts of the box's width or height that lie outside of the frame."""


def cut(frame: FaceFrame, side: str, part: float) -> FaceFrame:
    """The frame without what lies beyond ``part`` of the face at ``side``: the clipped box, and all points."""
    x1, y1, x2, y2 = (float(v) for v in frame.box)
    height, width = frame.values.shape
    left = round(x1 + part * (x2 - x1)) if side == "left" else 0
    top = round(y1 + part * (y2 - y1)) if side == "top" else 0
    right = round(x2 - part * (x2 - x1)) if side == "right" else width
    bottom = round(y2 - part * (y2 - y1)) if side == "bottom" else height
    if part == 0:
        left, top, right, bottom = 0, 0, width, height
    shift = np.array([left, top], np.float32)
    box = np.clip(frame.box - np.tile(shift, 2), 0, np.tile([right - left, bottom - top], 2)).astype(np.float32)
    values = np.ascontiguousarray(frame.values[top:bottom, left:right])
    return FaceFrame(frame.path, values, box, frame.points - shift)


def mirrored(frame: FaceFrame) -> FaceFrame:
    """The frame seen in a mirror."""
    width = frame.values.shape[1]
    box = np.array([width - frame.box[2], frame.box[1], width - frame.box[0], frame.box[3]], np.float32)
    points = get_layout("sf_tl54").mirrored(frame.points, width)
    return FaceFrame(frame.path, np.ascontiguousarray(frame.values[:, ::-1]), box, points)


def measure(perception: ThermalPerception, frames: list[FaceFrame]) -> dict[str, float]:
    """Recall of the pipeline, and error and confidence of landmarks in the given boxes, over frames of a face each."""
    found, errors, right, sure = 0, [], [], []
    for frame in frames:
        faces = perception.process([ThermalFrame.from_array(frame.values, perception.config.thermal)])[0].faces
        found += int(iou_matrix(faces.boxes, frame.box[None]).max(initial=0.0) >= 0.5)
        given = landmarks_in(perception, frame)
        errors.append(nme(given.points, frame.points[None], given.layout)[0])
        distance = np.linalg.norm(given.points[0] - frame.points, axis=1)
        right.append(float((distance <= TOLERANCE * (frame.box[2:] - frame.box[:2]).max()).mean()))
        sure.append(float(given.confidence.mean()))
    return {"recall": found / len(frames), "nme_percent": float(np.mean(errors)),
            "within_tolerance": float(np.mean(right)), "confidence": float(np.mean(sure))}


@command(ConfigError, DataError, ModelError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.compare_cut",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with driver_faces")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces")
    parser.add_argument("--step", type=int, default=15, help="take every so many frames")
    parser.add_argument("--parts", type=float, nargs="+", default=list(PARTS), metavar="PART",
                        help="parts of the box that lie outside of the frame")
    parser.add_argument("--mirror", action="store_true", help="mirror the frames first, to tell what is the network's "
                        "from what is the people's, who all look to one side")
    parser.add_argument("--detector", default=FaceConfig.detector_model, help="face detector")
    parser.add_argument("--landmarks", default=FaceConfig.landmark_model, help="landmark model")
    args = parser.parse_args(argv)
    for part in args.parts:
        check_number("--parts", part, 0, 0.9)
    frames = DriverFaces(args.data / "driver_faces", args.person, args.step)
    whole = [mirrored(frames[i]) if args.mirror else frames[i] for i in range(len(frames))]
    perception = pipeline(args.detector, args.landmarks)
    results: dict[str, dict[str, dict[str, float]]] = {}
    for side in tqdm(SIDES, desc="sides", disable=None):
        results[side] = {f"{part:g}": measure(perception, [cut(frame, side, part) for frame in whole])
                         for part in args.parts}
    print(json.dumps({"frames": len(whole)}))
    for side, curve in results.items():
        print(json.dumps({side: {part: as_json(figures, 2) for part, figures in curve.items()}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
