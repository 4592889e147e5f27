"""Accuracy of a detector file on a COCO split, through the very pipeline that runs on the robot.

``python3 -m training.detector.evaluate runs/nano/detector_nano.safetensors --data hit_uav``; with ``--set
contrast.method=plateau`` and the like, the effect of any parameter.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from thermal_kd_ros.cli.options import add_assignments, assigned
from thermal_kd_ros.config import ConfigError, PerceptionConfig, with_values
from thermal_kd_ros.evaluation.detection import FOR_METRICS, Truth, average_precision
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import ModelError, read_card, resolve
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections
from training.card import record
from training.data.coco import CocoDetection, DataError, Sample
from training.detector.experiment import default_data


def evaluate_network(model: Path, root: Path, split: str, classes: tuple[str, ...] | None = None,
                     device: str = "cpu", values: dict[str, Any] | None = None, step: int = 1, bits: int | None = None
                     ) -> dict[str, float]:
    """Average precision of a model file on ``<root>/<split>``; over the classes both know, or ``classes``.

    ``values`` are parameters of the pipeline by dotted name. Every ``step``-th image counts, or of those the ones that
    have ``bits`` bits.
    """
    data = CocoDetection(root, split, read_card(model).classes)
    perception = for_measuring(model, {"engine.device": device, **(values or {})})
    return average_precision(*answers(perception, data, step, bits), classes or shared_classes(perception, data))


def for_measuring(model: Path, values: dict[str, Any]) -> ThermalPerception:
    """The pipeline with one detector, for unrelated images."""
    return ThermalPerception(with_values(PerceptionConfig(), {
        **FOR_METRICS, "detector.model": str(model), "face.enabled": False, "tracking.enabled": False, **values}))


def shared_classes(perception: ThermalPerception, data: CocoDetection) -> tuple[str, ...]:
    """The classes that both a detector and a data set know."""
    return tuple(name for name, labelled in zip(perception.class_names, data.labelled, strict=True) if labelled)


def answers(perception: ThermalPerception, data: CocoDetection, step: int = 1, bits: int | None = None, batch: int = 8
            ) -> tuple[list[Truth], list[Detections]]:
    """Truth and detections of every ``step``-th image of a data set, or of those that have ``bits`` bits."""
    truths: list[Truth] = []
    found: list[Detections] = []
    known, waiting = perception.class_names, []
    samples = tqdm(_samples(data, step, bits), desc=data.folder.parent.name, unit="image", disable=None)
    for sample in samples:
        names = tuple(known[label] if label >= 0 else "" for label in sample.labels)
        truths.append(Truth(sample.boxes, names, sample.labels < 0))
        waiting.append(ThermalFrame.from_array(sample.values, perception.config.thermal))
        if len(waiting) == batch:
            found += [result.detections for result in perception.process(waiting)]
            waiting = []
    found += [result.detections for result in perception.process(waiting)]
    return truths, found


def _samples(data: CocoDetection, step: int, bits: int | None) -> Iterator[Sample]:
    for i in range(0, len(data), step):
        sample = data[i]
        if bits is None or 8 * sample.values.itemsize == bits:
            yield sample


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
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every N-th image only")
    parser.add_argument("--bits", type=int, choices=(8, 16), help="images of so many bits only")
    add_assignments(parser)
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    args = parser.parse_args(argv)
    try:
        scores = evaluate_network(resolve(args.model), args.root / args.data, args.split,
                                  tuple(args.classes) if args.classes else None, args.device,
                                  assigned(args.assignments), args.step, args.bits)
    except (DataError, ModelError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=2))
    if args.write_card:
        if args.assignments or args.step != 1 or args.bits:
            print("error: a card holds figures of whole sets with the defaults: leave out --set, --step and --bits",
                  file=sys.stderr)
            return 2
        classes = f" --classes {' '.join(args.classes)}" if args.classes else ""
        averaged = f" over {', '.join(args.classes)}" if args.classes else ""
        path = resolve(args.model)
        record(path, f"{args.data} {args.split}{averaged}", scores,
               f"python3 -m training.detector.evaluate {path.stem} --root <data> --data {args.data}"
               f" --split {args.split}{classes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
