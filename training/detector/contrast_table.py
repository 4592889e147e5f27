"""Which contrast method the shipped detectors like best, as the table of docs/cameras.md.

``python3 -m training.detector.contrast_table --root <data> --page docs/cameras.md``; each figure can be had by itself:
``python3 -m training.detector.evaluate detector_nano --data hit_uav --set contrast.method=plateau``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermal_kd_ros.config import CONTRAST_METHODS, FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.evaluation.detection import EXACT
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import resolve
from thermal_kd_ros.pipeline import ThermalPerception
from training.data.archives import read_clip
from training.data.coco import CocoDetection, DataError
from training.detector.evaluate import answers, for_measuring, shared_classes
from training.detector.evaluate_faces import driver_scores
from training.detector.tables import add_options, cell, every, map50, publish
from training.options import check_step
from training.pages import markdown

_DISC = 14
"""Half the side, in pixels, of the square around the kiosk's reference disc in which a box is no face."""


@dataclass(frozen=True)
class Row:
    """One data set in the table."""

    title: str
    data: str
    classes: tuple[str, ...] = ()
    bits: int | None = None


ROWS = (
    Row("hit_uav, 8 bits, mAP50", "hit_uav", ("person", "car", "bicycle")),
    Row("dogs_people, 8 bits, mAP50", "dogs_people"),
    Row("cheetah, 8 bits, mAP50", "cheetah"),
    Row("rendered scenes, 8 bits, mAP50", "scenes", ("person", "car", "bicycle"), 8),
    Row("rendered scenes, 16 bits, mAP50", "scenes", ("person", "car", "bicycle"), 16),
)


def objects(model: Path, row: Row, root: Path, method: str, step: int) -> np.ndarray:
    """mAP50 of all images and of their parts, see ``tables.map50``."""
    perception = for_measuring(model, {"contrast.method": method, "engine.threads": 1})
    data = CocoDetection(root / row.data, "val")
    classes = row.classes or shared_classes(perception.class_names, data)
    return map50(*answers(perception, data, step, row.bits), classes)


def kiosk(model: str, root: Path, method: str, step: int) -> np.ndarray:
    """Share of frames of 16 bits with a face in them, of all clips and then of each, found above the default score.

    Somebody is in every frame, but where is not labelled; the warm reference disc beside the people is no face.
    """
    check_step(step)
    config = with_values(PerceptionConfig(), {**EXACT, "face.detector_model": model, "contrast.method": method,
                                              "engine.threads": 1, "tracking.enabled": False})
    perception = ThermalPerception(config)
    folder = root / "feverscreen"
    try:
        clips = [(folder / clip["file"], (float(clip["reference_disc"]["x"]), float(clip["reference_disc"]["y"])))
                 for clip in json.loads((folder / "clips.json").read_bytes())["clips"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / 'clips.json'}: not the list of feverscreen's clips ({error!r})") from None
    found: list[list[bool]] = []
    for path, disc in clips:
        images = read_clip(path)[0][::step]
        found.append([])
        for values in images:
            boxes = perception.process([ThermalFrame.from_array(values, config.thermal)])[0].faces.boxes
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            found[-1].append(bool((np.abs(centres - np.array(disc)) > _DISC).any(axis=1).any()))
    return np.array([np.mean(sum(found, [])), *map(np.mean, found)])


def faces(model: str, root: Path, method: str, step: int) -> np.ndarray:
    """Recall of drivers' faces: the mean of the people 1_* and 2_*, and of each of them."""
    values = {"contrast.method": method, "engine.threads": 1}
    each = [driver_scores(model, None, root, person, step, values=values)["recall_iou50"] for person in ("1", "2")]
    return np.array([sum(each) / len(each), *each])


FACE_ROWS = (
    ("driver_faces, 8 bits, recall of faces", "driver_faces", faces),
    ("kiosk (feverscreen), 16 bits, frames with a face", "feverscreen", kiosk),
)


def _cells(scores: list[np.ndarray]) -> list[str]:
    return [cell(score, scores[0] if i else None) for i, score in enumerate(scores)]


def table_of(model: str, face_model: str, root: Path, step: int) -> str:
    """The table with its caption; raises DataError if ``root`` has none of the data sets."""
    rows: dict[str, list[str]] = {}
    for row in ROWS:
        if (root / row.data).is_dir():
            rows[row.title] = _cells([objects(resolve(model), row, root, method, step) for method in CONTRAST_METHODS])
    for title, folder, measure in FACE_ROWS:
        if (root / folder).is_dir():
            rows[title] = _cells([measure(face_model, root, method, step) for method in CONTRAST_METHODS])
    if not rows:
        raise DataError(f"{root} has none of the data sets; give their folder by --root")
    return markdown(["data", *(f"`{method}`" for method in CONTRAST_METHODS)], rows) + (
        f"\n\nValidation images{every(step)}; {model} and {face_model}. In brackets the difference to `percentile` and "
        "its standard error, by parts of the images.")


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.contrast_table",
                                     description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--face-model", default=FaceConfig.detector_model, help="detector of faces")
    args = parser.parse_args(argv)
    return publish(lambda: table_of(args.model, args.face_model, args.root, args.step), "contrast", args.page,
                   args.step)


if __name__ == "__main__":
    sys.exit(main())
