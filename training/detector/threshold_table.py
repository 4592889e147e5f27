"""What a robot finds, and how much of that is there, at several thresholds, as the table of RESULTS.md.

``python3 -m training.detector.threshold_table --root <data> --page training/detector/RESULTS.md``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thermal_kd_ros.config import DetectorConfig
from thermal_kd_ros.evaluation.detection import precision_and_recall
from thermal_kd_ros.models.checkpoint import resolve
from training.data.coco import CocoDetection, DataError
from training.detector.evaluate import answers, for_measuring, shared_classes
from training.detector.tables import add_options, every, publish
from training.pages import markdown

THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
SETS: dict[str, tuple[str, ...]] = {"hit_uav": ("person", "car", "bicycle"), "dogs_people": (), "cheetah": (),
                                    "roadscene": ("person", "car")}
"""Folders and the classes that count; none: all that the detector and the set share."""


def table_of(model: str, root: Path, step: int) -> str:
    """The table with its caption; raises DataError if ``root`` has none of the data sets."""
    perception = for_measuring(resolve(model), {"engine.threads": 1})
    rows: dict[str, list[str]] = {f"{threshold:g}": [] for threshold in THRESHOLDS}
    present = [name for name in SETS if (root / name).is_dir()]
    if not present:
        raise DataError(f"{root} has none of the data sets; give their folder by --root")
    for name in present:
        data = CocoDetection(root / name, "val")
        found = answers(perception, data, step)
        classes = SETS[name] or shared_classes(perception.class_names, data)
        for threshold in THRESHOLDS:
            precision, recall = precision_and_recall(*found, classes, threshold)
            f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
            rows[f"{threshold:g}"].append(f"{precision:.3f}, {recall:.3f}; {f1:.3f}")
    return markdown(["threshold", *present], rows) + (
        f"\n\nPrecision, recall; F1. Validation images{every(step)}; {model}. The default is "
        f"{DetectorConfig.score_threshold:g}.")


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.threshold_table",
                                     description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    args = parser.parse_args(argv)
    return publish(lambda: table_of(args.model, args.root, args.step), "thresholds", args.page, args.step)


if __name__ == "__main__":
    sys.exit(main())
