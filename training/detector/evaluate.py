"""Accuracy of a detector file on a COCO split, through the very pipeline that runs on the robot.

``python3 -m training.detector.evaluate runs/nano/detector_nano.safetensors --data hit_uav``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, PerceptionConfig, with_values
from thermal_kd_ros.evaluation.detection import FOR_METRICS, Truth, average_precision
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import ModelError, read_card, resolve
from thermal_kd_ros.pipeline import ThermalPerception
from training.card import record
from training.data.coco import CocoDetection, DataError
from training.detector.experiment import default_data


def evaluate_network(model: Path, root: Path, split: str, classes: tuple[str, ...] | None = None,
                     device: str = "cpu", batch: int = 8) -> dict[str, float]:
    """Average precision of a model file on ``<root>/<split>``; over the classes both know, or ``classes``."""
    known = read_card(model).classes
    data = CocoDetection(root, split, known)
    shared = classes or tuple(name for name, labelled in zip(known, data.labelled, strict=True) if labelled)
    config = with_values(PerceptionConfig(), {**FOR_METRICS, "detector.model": str(model), "engine.device": device,
                                              "face.enabled": False, "tracking.enabled": False})
    perception = ThermalPerception(config)
    truths, results = [], []
    for start in tqdm(range(0, len(data), batch), desc=root.name, unit="batch", disable=None):
        samples = [data[i] for i in range(start, min(start + batch, len(data)))]
        for sample in samples:
            names = tuple(known[label] if label >= 0 else "" for label in sample.labels)
            truths.append(Truth(sample.boxes, names, sample.labels < 0))
        frames = [ThermalFrame.from_array(sample.values, config.thermal) for sample in samples]
        results += [result.detections for result in perception.process(frames)]
    return average_precision(truths, results, shared)


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
