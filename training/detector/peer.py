"""YOLOv8n beside our network: trained by ultralytics on the very crops that a run of ours saw, measured as ours is.

``python3 -m training.detector.peer crops choices --data data --output crops`` writes the crops, ultralytics trains on
them in an environment of its own, ``python3 -m training.detector.peer evaluate best.onnx --root data`` measures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ContrastConfig
from thermal_kd_ros.evaluation.detection import average_precision, duplicates
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.output import written_aside
from thermal_kd_ros.tone import contrast_in_card
from training.command import command
from training.data.coco import CocoDetection, DataError
from training.detector.ablate import CLASSES, GRIDS
from training.detector.evaluate import answers_of
from training.detector.experiment import DEFAULT_DATA, Experiment
from training.detector.train import begin_epoch, build_mixture


def write_crops(experiment: Experiment, data: Path, output: Path) -> int:
    """Every crop of every epoch of a run as ``images/*.png`` and ``labels/*.txt`` in YOLO's layout; how many.

    Ignore regions have no place in that layout: their objects are background to the peer. Raises DataError for a folder
    with something in it, whose crops would mix with these.
    """
    if output.exists() and any(output.iterdir()):
        raise DataError(f"{output} is not empty; delete it or give another --output")
    mixture = build_mixture(experiment, data)
    for folder in ("images", "labels"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    number = {label: i for i, label in enumerate(experiment.classes.index(name) for name in CLASSES)}
    height, width = experiment.train_size
    count, whole = 0, len(mixture) // experiment.batch * experiment.batch
    with tqdm(total=experiment.epochs * whole, unit="crop", disable=None) as bar:
        for epoch in range(experiment.epochs):
            begin_epoch(mixture, experiment, epoch)
            for i in range(whole):
                image, boxes, labels, _ = mixture[i]
                path = output / "images" / f"{count:06d}.png"
                if not cv2.imwrite(str(path), np.rint(image[0] * 255).astype(np.uint8)):
                    raise OSError(f"{path} cannot be written: is the disk full?")
                rows = []
                for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True):
                    if label in number:
                        rows.append(f"{number[label]} {(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f} "
                                    f"{(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}\n")
                (output / "labels" / f"{count:06d}.txt").write_text("".join(rows))
                count += 1
                bar.update()
    # It wants a validation set, and looks at it at the end even if it is told not to: one image.
    (output / "val.txt").write_text("./images/000000.png\n")
    with written_aside(output / "data.yaml") as aside:
        aside.write_text(f"path: {output.resolve()}\ntrain: images\nval: val.txt\nnames: {json.dumps(CLASSES)}\n")
    return count


def decoded(output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """YOLOv8's raw output (4 + classes, N), centre and size first, to boxes (N, 4) and scores (N, classes)."""
    centre, size = output[:2].T, output[2:4].T
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1), np.ascontiguousarray(output[4:].T)


def evaluate_peer(model: Path, data: Path, split: str = "val") -> dict[str, float]:
    """Average precision and duplicates of an exported peer on a COCO split; raises ModelError for other files."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("onnxruntime is needed to run a peer: python3 -m pip install onnxruntime") from None
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common base
        raise ModelError(f"{model} cannot be opened as ONNX: {error}") from None
    feed, result = session.get_inputs()[0], session.get_outputs()[0]
    fixed = len(feed.shape) == 4 and feed.shape[1] == 3 and all(isinstance(size, int) for size in feed.shape[2:])
    if not fixed or len(result.shape) != 3 or result.shape[1] != 4 + len(CLASSES):
        raise ModelError(f"{model} takes {feed.shape} and gives {result.shape}: not a YOLOv8 of {len(CLASSES)} classes "
                         "with a fixed height and width")

    def predict(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return decoded(session.run(None, {feed.name: np.repeat(image, 3, axis=0)[None]})[0][0])

    contrast = contrast_in_card(ContrastConfig(method="percentile"))
    found = answers_of(predict, CocoDetection(data, split), CLASSES, tuple(feed.shape[2:]), contrast)
    return average_precision(*found, CLASSES) | duplicates(*found, CLASSES)


@command(DataError, ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.peer",
                                     description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    crops = commands.add_parser("crops", help="write the crops that a row of a comparison sees, in YOLO's layout")
    crops.add_argument("grid", choices=GRIDS)
    crops.add_argument("--seed", type=int, default=0)
    crops.add_argument("--output", type=Path, required=True)
    evaluate = commands.add_parser("evaluate", help="measure an exported YOLOv8")
    evaluate.add_argument("model", type=Path, help="ONNX file of three classes: " + ", ".join(CLASSES))
    evaluate.add_argument("--data", default="hit_uav", help="data set: folder below --root")
    evaluate.add_argument("--root", type=Path, default=DEFAULT_DATA, help="folder with the data sets")
    crops.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with the data sets")
    args = parser.parse_args(argv)
    if args.command == "crops":
        base = dataclasses.replace(GRIDS[args.grid].base, seed=args.seed)
        print(f"{write_crops(base, args.data, args.output)} crops in {args.output}")
    else:
        scores = evaluate_peer(args.model, args.root / args.data)
        print(json.dumps({name: round(value, 4) for name, value in scores.items()}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
