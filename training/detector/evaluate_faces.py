"""Measure a face detector, and landmarks in its boxes, on real people, through the pipeline that runs on the robot.

``python3 -m training.detector.evaluate_faces face_detector --landmarks landmarks_light --data shared/data``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from thermal_kd_ros.config import FaceConfig, PerceptionConfig
from thermal_kd_ros.contrast import robust_span
from thermal_kd_ros.geometry import Letterbox
from thermal_kd_ros.models.blocks import fuse_batch_norm
from thermal_kd_ros.models.checkpoint import ModelError, read, resolve
from thermal_kd_ros.models.detector import Detector, DetectorSpec
from thermal_kd_ros.nms import iou_matrix, select
from training.card import record
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces
from training.data.mixture import min_span
from training.landmarks.evaluate import load as load_landmarker
from training.landmarks.evaluate import nme, predict


class FaceFinder:
    """A face detector on single images, with the run-time's contrast, letterbox and suppression."""

    def __init__(self, name: str, threshold: float = FaceConfig.score_threshold) -> None:
        self.card, weights = read(resolve(name))
        network = Detector(DetectorSpec.from_dict(self.card.architecture))
        network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        self.network = fuse_batch_norm(network.eval())
        self.threshold = threshold

    @torch.inference_mode()
    def __call__(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W) to boxes (N, 4) in its pixels and scores (N,), best first."""
        contrast = PerceptionConfig().contrast
        image = robust_span(values, contrast, min_span(values, contrast)).apply(values)
        height, width = values.shape
        letterbox = Letterbox(height, width, self.card.input_height, self.card.input_width)
        boxes, scores = self.network(torch.from_numpy(letterbox.apply(image))[None, None])
        label = self.card.classes.index("face")
        kept, score, _ = select(boxes[0].numpy(), scores[0, :, label : label + 1].numpy(), np.array([self.threshold]),
                                FaceConfig.nms_iou, FaceConfig.max_faces)
        return letterbox.inverse_boxes(kept), score


def driver_scores(finder: FaceFinder, landmarks: str | None, data: Path, person: str = "2", step: int = 1
                  ) -> dict[str, float]:
    """Recall at IoU 0.5, mean IoU, false faces per image, and the NME of landmarks in the detected boxes."""
    frames = DriverFaces(data / "driver_faces", person, step)
    overlaps, false, matched = [], 0, []
    for i in range(len(frames)):
        frame = frames[i]
        boxes, _ = finder(frame.values)
        overlap = iou_matrix(boxes, frame.box[None])[:, 0] if len(boxes) else np.zeros(1, np.float32)
        overlaps.append(float(overlap.max()))
        false += int((overlap[: len(boxes)] < 0.5).sum())
        if overlaps[-1] >= 0.5:
            matched.append((frame.values, boxes[overlap.argmax()], frame.points))
    result = {"recall_iou50": float(np.mean(np.array(overlaps) >= 0.5)), "mean_iou": float(np.mean(overlaps)),
              "false_faces_per_image": false / len(frames)}
    if landmarks and matched:
        card, network = load_landmarker(landmarks)

        def faces() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            yield from matched

        found = predict(network, card, faces())
        result["nme_percent_in_detected_boxes"] = 100 * float(nme(found.points, found.truth).mean())
    return result


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
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    args = parser.parse_args(argv)
    try:
        finder = FaceFinder(args.model, args.threshold)
        scores = driver_scores(finder, args.landmarks, args.data, args.person, args.step)
        print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=1))
        if args.write_card:
            path = resolve(args.model)
            figures = {name: scores[name] for name in ("recall_iou50", "mean_iou", "false_faces_per_image")}
            record(path, f"driver_faces people {args.person}_*", figures,
                   f"python3 -m training.detector.evaluate_faces {path.stem} --person {args.person} --data <data>")
    except (DataError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
