"""Compare face detectors by what they wrote as json: recall on labelled people, false faces where there is none.

``python3 -m training.detector.compare_faces ours=ours.json other=other.json --data data``

The files are as ``python3 -m thermal_kd_ros detect IMAGES --json`` writes them (``tflite_faces`` does the same with
another detector): every entry has ``file``, and ``faces`` with ``score`` and ``box`` (x y width height). Which images
are judged, and how, follows from the folder that they lie in:

- ``driver_faces``, people ``--person``: one labelled face a frame;
- ``sf_tl54_sample``: the box of the labelled points;
- ``hit_uav``, and images of ``cheetah`` and ``dogs_people`` without a person: every face is a false one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.nms import iou_matrix
from training.command import command
from training.data.coco import DataError
from training.data.driver_faces import read_label
from training.options import check_number

_COCO = ("hit_uav", "cheetah", "dogs_people")
Peopled = dict[tuple[str, str], set[str]]
"""Names of the images on which somebody is labelled, by folder and split."""
_FOLDERS = ("driver_faces", "sf_tl54_sample", *_COCO)


def truth_of(file: Path, width: int, height: int, person: str, peopled: Peopled) -> tuple[str, np.ndarray] | None:
    """(group, true boxes (N, 4)) of an image; None if it is not judged.

    An image on which somebody is labelled may show a face; so may one of a split whose labels are not there.
    """
    folders = file.parts
    if "driver_faces" in folders:
        label = file.parent.parent / "labels" / f"{file.stem}.txt"
        if not file.parent.parent.name.startswith(f"{person}_") or not label.is_file():
            return None
        return f"driver_faces {person}_*", read_label(label, width, height)[0][None]
    if "sf_tl54_sample" in folders:
        rows = np.loadtxt(file.with_suffix(".txt"))
        points = rows[np.argsort(rows[:, 0]), 1:3] * (width, height)
        return "sf_tl54_sample", face_box(points)[None]
    for name in _COCO:
        if name in folders:
            people = peopled.get((name, file.parent.name))
            if name != "hit_uav" and (people is None or file.name in people):
                return None
            return f"no faces: {name}", np.zeros((0, 4), np.float32)
    return None


def images_with_people(data: Path) -> Peopled:
    """Images of the COCO sets on which a person is labelled; DataError without any data set."""
    if not any((data / name).is_dir() for name in _FOLDERS):
        raise DataError(f"{data} has none of the folders {', '.join(_FOLDERS)}; give theirs by --data")
    found: Peopled = {}
    for name in _COCO:
        for path in (data / name).glob("*.json"):
            try:
                content = json.loads(path.read_bytes())
                people = {c["id"] for c in content["categories"] if c["name"] == "person"}
                names = {image["id"]: image["file_name"] for image in content["images"]}
                found[name, path.stem] = {names[a["image_id"]] for a in content["annotations"]
                                          if a["category_id"] in people}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path} is not COCO json: {error!r}") from None
    return found


def scores(entries: list[dict[str, Any]], person: str, threshold: float, peopled: Peopled
           ) -> dict[str, dict[str, float]]:
    """Recall at IoU 0.5 and false faces an image in each group of images, for faces of at least ``threshold``."""
    groups: dict[str, list[tuple[int, int, int, float]]] = {}
    for entry in entries:
        judged = truth_of(Path(entry["file"]), entry["width"], entry["height"], person, peopled)
        if judged is None:
            continue
        group, truth = judged
        boxes = np.array([face["box"] for face in entry["faces"] if face["score"] >= threshold], np.float64)
        boxes = boxes.reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        overlap = iou_matrix(boxes, truth)
        best = overlap.max(axis=0, initial=0.0)
        right = int((overlap.max(axis=1, initial=0.0) >= 0.5).sum()) if len(truth) else 0
        groups.setdefault(group, []).append(
            (int((best >= 0.5).sum()), len(truth), len(boxes) - right, float(best.sum())))
    figures = {}
    for group, rows in sorted(groups.items()):
        found, faces, false, overlap_sum = np.array(rows).sum(axis=0)
        figures[group] = {"images": len(rows), "false_per_image": float(false / len(rows))}
        if faces:
            figures[group] |= {"recall": float(found / faces), "mean_iou": float(overlap_sum / faces)}
    return figures


@command(DataError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.compare_faces",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("predictions", nargs="+", metavar="NAME=JSON", help="what a detector found")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--person", default="2", choices=("1", "2"), help="people of driver_faces; 2 are for testing")
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.3, 0.4, 0.5, 0.6])
    args = parser.parse_args(argv)
    for threshold in args.threshold:
        check_number("--threshold", threshold, 0, 1)
    peopled = images_with_people(args.data)
    for prediction in args.predictions:
        name, _, path = prediction.partition("=")
        try:
            entries = json.loads(Path(path).read_text())["images"]
            everything = [scores(entries, args.person, threshold, peopled) for threshold in args.threshold]
        except DataError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{prediction}: not NAME=JSON with the output of detect --json, or of images whose "
                            f"labels are not there ({error})") from None
        for threshold, figures in zip(args.threshold, everything, strict=True):
            if not figures:
                raise DataError(f"{path}: none of its {len(entries)} images is judged; they must lie in a folder "
                                f"{', '.join(_FOLDERS)} and be labelled there")
            print(json.dumps({name: {"threshold": threshold} | {
                group: {k: round(v, 4) for k, v in row.items()} for group, row in figures.items()}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
