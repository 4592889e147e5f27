"""How a detector of objects sees people right before the lens: drivers, one in every frame, whose face is labelled.

``python3 -m training.detector.close_people detector_nano --data data``

A person is found if a box of one holds the middle of the labelled face. Every further person, and everything of another
class, is false: nothing else is in these cars.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.cli.options import add_assignments, assigned
from thermal_kd_ros.config import ConfigError
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.results import Detections
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import DriverFaces
from training.detector.evaluate import detector_alone


def judged(found: Detections, face: np.ndarray) -> tuple[bool, int, int]:
    """Whether the person with a ``face`` (4,) is found, how many further persons are, and how many other things."""
    persons = found.boxes[np.array([found.class_names[label] == "person" for label in found.labels], bool)]
    middle = (face[:2] + face[2:]) / 2
    holds = ((persons[:, :2] <= middle) & (middle <= persons[:, 2:])).all(axis=1)
    return bool(holds.any()), len(persons) - int(holds.any()), len(found.boxes) - len(persons)


def close_people(model: str, data: Path, person: str = "2", step: int = 1, values: dict[str, Any] | None = None
                 ) -> dict[str, float]:
    """Share of people found, and false persons and other things an image, above the thresholds of the robot.

    ``values`` are parameters of the pipeline by dotted name.
    """
    perception = detector_alone(model, values or {})
    if "person" not in perception.class_names:
        raise DataError(f"{model} knows {', '.join(perception.class_names)}: no persons")
    frames = DriverFaces(data / "driver_faces", person, step)
    rows = []
    for i in tqdm(range(len(frames)), desc=f"people {person}_*", unit="frame", disable=None):
        frame = frames[i]
        image = ThermalFrame.from_array(frame.values, perception.config.thermal)
        rows.append(judged(perception.process([image])[0].detections, frame.box))
    found, further, other = np.array(rows, np.float64).mean(axis=0).tolist()
    return {"found": found, "false_persons_per_image": further, "false_others_per_image": other}


@command(DataError, ModelError, ConfigError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.close_people",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file")
    parser.add_argument("--data", type=Path, required=True, help="folder with driver_faces")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces")
    parser.add_argument("--step", type=int, default=1, help="take every so many frames")
    add_assignments(parser)
    args = parser.parse_args(argv)
    scores = close_people(args.model, args.data, args.person, args.step, assigned(args.assignments))
    print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
