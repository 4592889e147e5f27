"""What a detector finds where there is nothing of what it knows, above the thresholds of the robot.

``python3 -m training.detector.false_alarms detector_nano --root data --data sky``

The data set must label none of the model's classes: that none of them is in its images, nobody else says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from thermal_kd_ros.cli.options import add_assignments, assigned
from thermal_kd_ros.config import ConfigError
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.results import Detections
from training.command import command
from training.data.coco import CocoDetection, DataError
from training.detector.evaluate import answers, detector_alone, shared_classes
from training.detector.experiment import DEFAULT_DATA


def counted(found: list[Detections]) -> dict[str, float]:
    """Detections an image, the share of images with any, and detections an image of each class that there are."""
    classes = Counter(result.class_names[label] for result in found for label in result.labels)
    return {"false_per_image": classes.total() / len(found),
            "images_with_any": sum(len(result.labels) > 0 for result in found) / len(found),
            **{f"false_per_image/{name}": count / len(found) for name, count in classes.most_common()}}


def false_alarms(model: str, root: Path, split: str = "val", step: int = 1, values: dict[str, Any] | None = None
                 ) -> dict[str, float]:
    """``counted`` on a split of the COCO set in ``root``, whose every ``step``-th image counts.

    ``values`` are parameters of the pipeline by dotted name. Raises DataError for a set that labels what the model
    knows.
    """
    perception = detector_alone(model, values or {})
    data = CocoDetection(root, split)
    if shared := shared_classes(perception.class_names, data):
        raise DataError(f"{root.name} labels {', '.join(shared)}, which {model} knows: what it finds there may be "
                        "right")
    return counted(answers(perception, data, step)[1])


@command(DataError, ModelError, ConfigError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.false_alarms",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file")
    parser.add_argument("--data", default="sky", help="data set: folder below --root")
    parser.add_argument("--root", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--split", default="val")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every N-th image only")
    add_assignments(parser)
    args = parser.parse_args(argv)
    scores = false_alarms(args.model, args.root / args.data, args.split, args.step, assigned(args.assignments))
    print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
