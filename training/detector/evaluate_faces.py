"""Measure a face detector, and landmarks in its boxes, on real people, through the pipeline that runs on the robot.

``python3 -m training.detector.evaluate_faces face_detector --landmarks landmarks_light --data data``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thermal_kd_ros.cli.options import add_assignments, assigned
from thermal_kd_ros.config import ConfigError, FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.detection import EXACT
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import resolve
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from training.card import record
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces
from training.detector.evaluate import check_free
from training.landmarks.evaluate import nme
from training.outputs import check_place


def driver_scores(model: str, landmarks: str | None, data: Path, person: str = "2", step: int = 1,
                  threshold: float = FaceConfig.score_threshold, values: dict[str, Any] | None = None
                  ) -> dict[str, float]:
    """Recall at IoU 0.5, mean IoU, false faces per image, and the NME of landmarks in the detected boxes.

    ``model`` and ``landmarks`` are shipped models or files; ``landmarks`` None leaves the NME out; ``values`` are
    parameters of the pipeline by dotted name.
    """
    # Nobody looks at objects here: the small face detector stands in for their detector.
    own = {"detector.model": model, "face.detector_model": model, "face.enabled": True, "tracking.enabled": False,
           "face.landmark_model": landmarks or FaceConfig.landmark_model, "face.score_threshold": threshold}
    check_free(values or (), own)
    config = with_values(PerceptionConfig(), {**EXACT, **own, **(values or {})})
    perception = ThermalPerception(config)
    frames = DriverFaces(data / "driver_faces", person, step)
    overlaps, false, found, truth = [], 0, [], []
    for i in range(len(frames)):
        frame = frames[i]
        faces = perception.process([ThermalFrame.from_array(frame.values, config.thermal)])[0].faces
        overlap = iou_matrix(faces.boxes, frame.box[None])[:, 0]
        overlaps.append(float(overlap.max(initial=0.0)))
        false += int((overlap < 0.5).sum())
        if overlaps[-1] >= 0.5:
            found.append(faces.points[overlap.argmax()])
            truth.append(frame.points)
    result = {"recall_iou50": float(np.mean(np.array(overlaps) >= 0.5)), "mean_iou": float(np.mean(overlaps)),
              "false_faces_per_image": false / len(frames)}
    if landmarks and found:
        result["nme_percent_in_detected_boxes"] = 100 * float(nme(np.array(found), np.array(truth)).mean())
    return result


@command(DataError, ModelError, ConfigError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.evaluate_faces",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file")
    parser.add_argument("--landmarks", help="landmark model to run in the detected boxes")
    parser.add_argument("--data", type=Path, required=True, help="folder with driver_faces")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces; 2 are for testing")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    parser.add_argument("--threshold", type=float, default=FaceConfig.score_threshold)
    add_assignments(parser)
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    args = parser.parse_args(argv)
    if args.write_card:
        if args.assignments or args.step != 1 or args.threshold != FaceConfig.score_threshold:
            raise ConfigError("a card holds figures of whole sets with the defaults: leave out --set, --step and "
                              "--threshold")
        check_place(resolve(args.model))
    scores = driver_scores(args.model, args.landmarks, args.data, args.person, args.step, args.threshold,
                           assigned(args.assignments))
    print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=1))
    if args.write_card:
        path = resolve(args.model)
        figures = {name: scores[name] for name in ("recall_iou50", "mean_iou", "false_faces_per_image")}
        record(path, f"driver_faces people {args.person}_*", figures,
               f"python3 -m training.detector.evaluate_faces {path.stem} --person {args.person} --data <data>")
    return 0


if __name__ == "__main__":
    sys.exit(main())
