"""Accuracy of a detector file on a COCO split, through the very pipeline that runs on the robot.

``python3 -m training.detector.evaluate runs/nano/detector_nano.safetensors --data hit_uav``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, ContrastConfig, PerceptionConfig, ThermalConfig, with_values
from thermal_kd_ros.contrast import robust_span
from thermal_kd_ros.evaluation.detection import FOR_METRICS, Truth, average_precision, duplicates
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.geometry import Letterbox
from thermal_kd_ros.models.checkpoint import ModelError, read_card, resolve
from thermal_kd_ros.nms import select
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections
from thermal_kd_ros.tone import min_span
from training.card import record
from training.data.coco import CocoDetection, DataError, Sample
from training.data.mixture import DetectionSource
from training.data.pairs import PairedCoco, PairedSample, thermal_values
from training.detector.experiment import default_data
from training.detector.teacher import is_teacher, load_teacher, modality

Detect = Callable[[list[Sample | PairedSample]], list[Detections]]
"""Detections of some samples, in the pixels of their images."""


def evaluate_network(model: Path, root: Path, split: str, classes: tuple[str, ...] | None = None,
                     device: str = "cpu", batch: int = 8) -> dict[str, float]:
    """Average precision and duplicate rate of a model file on ``<root>/<split>``.

    Over the classes that both know, or ``classes``. A teacher's file is measured on the half of the pairs it looks at.
    """
    card = read_card(model)
    known = card.classes
    thermal = CocoDetection(root, split, known)
    shared = classes or tuple(name for name, labelled in zip(known, thermal.labelled, strict=True) if labelled)
    data: DetectionSource = PairedCoco(root, split, known) if modality(card) == "visible" else thermal
    detect = teacher_detector(model, device) if is_teacher(card) else robot_detector(model, device)
    truths, results = [], []
    for start in tqdm(range(0, len(data), batch), desc=root.name, unit="batch", disable=None):
        samples = [data[i] for i in range(start, min(start + batch, len(data)))]
        for sample in samples:
            names = tuple(known[label] if label >= 0 else "" for label in sample.labels)
            truths.append(Truth(sample.boxes, names, sample.labels < 0))
        results += detect(samples)
    return average_precision(truths, results, shared) | duplicates(truths, results, shared)


def robot_detector(model: Path, device: str) -> Detect:
    """The pipeline of the robot with a model, as a function of samples."""
    config = with_values(PerceptionConfig(), {**FOR_METRICS, "detector.model": str(model), "engine.device": device,
                                              "face.enabled": False, "tracking.enabled": False})
    perception = ThermalPerception(config)

    def detect(samples: list[Sample | PairedSample]) -> list[Detections]:
        frames = [ThermalFrame.from_array(thermal_values(sample), config.thermal) for sample in samples]
        return [result.detections for result in perception.process(frames)]

    return detect


def teacher_detector(model: Path, device: str) -> Detect:
    """A teacher as a function of samples, with the thresholds and the suppression that the robot's models are given."""
    card, network = load_teacher(str(model))
    network = network.to("cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu"))
    config = with_values(PerceptionConfig(), FOR_METRICS).detector
    thresholds = np.full(len(card.classes), config.score_threshold, np.float32)

    def detect(samples: list[Sample | PairedSample]) -> list[Detections]:
        found = []
        for sample in samples:
            if isinstance(sample, PairedSample):
                layers = [plane / np.float32(255) for plane in sample.visible.transpose(2, 0, 1)]
            else:
                frame = ThermalFrame.from_array(sample.values, ThermalConfig())
                contrast = ContrastConfig()
                layers = [robust_span(frame.values, contrast, min_span(frame, contrast)).apply(frame.values)]
            height, width = layers[0].shape
            box = Letterbox(height, width, card.input_height, card.input_width)
            image = torch.from_numpy(np.stack([box.apply(np.ascontiguousarray(layer)) for layer in layers])[None])
            with torch.inference_mode():
                boxes, scores = (x[0].cpu().numpy() for x in network(image.to(next(network.parameters()).device)))
            kept, sure, labels = select(boxes, scores, thresholds, config.nms_iou, config.max_detections)
            found.append(Detections(box.inverse_boxes(kept), sure, labels, card.classes))
        return found

    return detect


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.evaluate", description=summary)
    parser.add_argument("model", help="shipped model or .safetensors file")
    parser.add_argument("--data", default="hit_uav", help="data set: folder below --root")
    parser.add_argument("--root", type=Path, default=default_data())
    parser.add_argument("--split", default="val")
    parser.add_argument("--classes", nargs="+", help="average over these only")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    args = parser.parse_args(argv)
    try:
        scores = evaluate_network(resolve(args.model), args.root / args.data, args.split,
                                  tuple(args.classes) if args.classes else None, args.device)
    except (DataError, ModelError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=2))
    if args.write_card:
        classes = f" --classes {' '.join(args.classes)}" if args.classes else ""
        averaged = f" over {', '.join(args.classes)}" if args.classes else ""
        path = resolve(args.model)
        record(path, f"{args.data} {args.split}{averaged}", scores,
               f"python3 -m training.detector.evaluate {path.stem} --root <data> --data {args.data}"
               f" --split {args.split}{classes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
