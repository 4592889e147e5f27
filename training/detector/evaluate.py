"""Accuracy of a detector file on a split of a data set, through the very pipeline that runs on the robot.

``python3 -m training.detector.evaluate runs/nano/detector_nano.safetensors --data hit_uav``; with ``--kind llvip`` and
the like on a set as it is published; with ``--set contrast.method=plateau`` and the like, the effect of any parameter.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from thermal_kd_ros.cli.options import add_assignments, assigned
from thermal_kd_ros.config import ConfigError, PerceptionConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.detection import EXACT, FOR_METRICS, Truth, average_precision, duplicates
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.geometry import Letterbox
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import read_card, resolve
from thermal_kd_ros.nms import select
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections
from thermal_kd_ros.tone import TemporalTone, contrast_for
from training.card import as_json, record
from training.command import command
from training.data.coco import DataError, Sample
from training.data.field_layouts import VALIDATION
from training.data.mixture import KINDS, LabelledSource, open_source
from training.data.pairs import PairedSample, thermal_values
from training.detector.experiment import DEFAULT_DATA
from training.detector.teacher import is_teacher, load_teacher, modality
from training.device import usable_device
from training.options import check_step
from training.outputs import check_place


def evaluate_network(model: Path, root: Path, split: str, classes: tuple[str, ...] | None = None,
                     device: str = "cpu", kind: str = "coco", values: dict[str, Any] | None = None, step: int = 1,
                     bits: int | None = None) -> dict[str, float]:
    """Average precision and duplicates of a model file on a split of the data set in ``root``, which is of ``kind``: of
    the classes that both know, or of ``classes``.

    ``values`` are parameters of the pipeline by dotted name. Every ``step``-th image counts, or of those the ones that
    have ``bits`` bits. A teacher's file is measured on the half of the pairs that it looks at, with neither. Raises
    DataError for ``classes`` that one of the two does not know: their figure would be 0 or left out in silence; and if
    no image counts.
    """
    check_step(step)
    card = read_card(model)
    if not card.classes:
        raise DataError(f"{card.name} is a network for {card.task}: give a detector")
    # With all categories of the set: a truck taken for a car is wrong whether or not the model has a class for trucks.
    # Were their boxes ignore regions, as in training, models with fewer classes would be measured on an easier set.
    # The visible half of a coco set of pairs is looked at by visible teachers alone, as registered as it is.
    visible = is_teacher(card) and modality(card) == "visible"
    data = open_source("pairs" if visible and kind == "coco" else kind, root, split, visible=visible,
                       most_shift=math.inf)
    shared = shared_classes(card.classes, data)
    chosen = tuple(dict.fromkeys(classes)) if classes else shared
    if unknown := sorted(set(chosen) - set(shared)):
        raise DataError(f"no figure for {', '.join(unknown)}: {card.name} and {root.name} share {', '.join(shared)}")
    if not chosen:
        raise DataError(f"{card.name} knows {', '.join(card.classes)}, {root.name} labels {', '.join(data.classes)}: "
                        "nothing to measure")
    if is_teacher(card):
        if values or step != 1 or bits:
            raise DataError(f"{model}: a teacher is measured on all images, without the robot's pipeline: leave out "
                            "--step, --bits and --set")
        found = teacher_answers(model, data, device)
    else:
        found = answers(for_measuring(model, {"engine.device": device, **(values or {})}), data, step, bits)
    return average_precision(*found, chosen) | duplicates(*found, chosen)


def for_measuring(model: Path, values: dict[str, Any]) -> ThermalPerception:
    """``detector_alone`` with the unsure detections that average precision needs."""
    return detector_alone(model, {**FOR_METRICS, **values})


def detector_alone(model: str | Path, values: dict[str, Any]) -> ThermalPerception:
    """The pipeline with one detector, for unrelated images; raises ConfigError for values that would change these."""
    own = {"detector.model": str(model), "face.enabled": False, "tracking.enabled": False}
    check_free(values, own)
    return ThermalPerception(with_values(PerceptionConfig(), {**EXACT, **own, **values}))


def check_free(values: Iterable[str], own: Iterable[str]) -> None:
    """Raise ConfigError if parameters are among a command's ``own``: with others something else would be measured."""
    if given := sorted(set(values) & set(own)):
        raise ConfigError(f"--set {', '.join(given)}: this command sets that itself")


def shared_classes(known: tuple[str, ...], data: LabelledSource) -> tuple[str, ...]:
    """Those of a detector's classes that a data set labels."""
    return tuple(name for name in known if name in data.classes)


def truth_of(sample: Sample | PairedSample, classes: tuple[str, ...]) -> Truth:
    """A sample's boxes with the names of their classes."""
    names = tuple(classes[label] if label >= 0 else "" for label in sample.labels)
    return Truth(sample.boxes, names, sample.labels < 0)


def answers(perception: ThermalPerception, data: LabelledSource, step: int = 1, bits: int | None = None,
            batch: int = 8) -> tuple[list[Truth], list[Detections]]:
    """Truth and detections of every ``step``-th image of a data set, or of those that have ``bits`` bits.

    Raises DataError if there is none.
    """
    check_step(step)
    truths: list[Truth] = []
    found: list[Detections] = []
    waiting: list[ThermalFrame] = []
    samples = tqdm(_samples(data, step, bits), desc=data.name, unit="image", disable=None)
    for sample in samples:
        truths.append(truth_of(sample, data.classes))
        waiting.append(ThermalFrame.from_array(thermal_values(sample), perception.config.thermal))
        if len(waiting) == batch:
            found += [result.detections for result in perception.process(waiting)]
            waiting = []
    if not truths:
        raise DataError(f"{data.name}: none of the images taken has {bits} bits; leave out --bits and --step, or "
                        "measure on another set")
    found += [result.detections for result in perception.process(waiting)]
    return truths, found


def teacher_answers(model: Path, data: LabelledSource, device: str) -> tuple[list[Truth], list[Detections]]:
    """Truth of a data set and a teacher's detections, with the thresholds and suppression of ``for_measuring``."""
    card, network = load_teacher(str(model))
    place = usable_device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(place)

    def predict(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            boxes, scores = (x[0].cpu().numpy() for x in network(torch.from_numpy(image[None]).to(place)))
        return boxes, scores

    return answers_of(predict, data, card.classes, (card.input_height, card.input_width), card.normalisation,
                      modality(card) == "visible")


def answers_of(predict: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], data: LabelledSource,
               classes: tuple[str, ...], size: tuple[int, int], normalisation: Mapping[str, Any],
               visible: bool = False) -> tuple[list[Truth], list[Detections]]:
    """Truth and detections of a network that is not the robot's, with the steps of its pipeline around it.

    ``predict`` maps a letterboxed image (C, H, W) float32 in [0, 1], thermal or with ``visible`` red green blue, of
    ``size`` (height, width) to boxes (N, 4) there and scores (N, ``classes``). ``normalisation`` is that of a model
    card.
    """
    config = with_values(PerceptionConfig(), FOR_METRICS)
    thresholds = np.full(len(classes), config.detector.score_threshold, np.float32)
    tone = TemporalTone(contrast_for(config.contrast, normalisation))
    truths, found = [], []
    for i in tqdm(range(len(data)), unit="image", disable=None):
        sample = data[i]
        truths.append(truth_of(sample, data.classes))
        if visible:
            if not isinstance(sample, PairedSample):
                raise DataError(f"{data.name} has thermal images alone; visible light takes pairs")
            planes = list(sample.visible.transpose(2, 0, 1).astype(np.float32) / 255)
        else:
            frame = ThermalFrame.from_array(thermal_values(sample), config.thermal)
            planes = [tone.update(frame).apply(frame.values)]
        height, width = planes[0].shape
        box = Letterbox(height, width, *size)
        boxes, scores = predict(np.stack([box.apply(plane) for plane in planes]))
        kept, sure, labels = select(boxes, scores, thresholds, config.detector.nms_iou, config.detector.max_detections)
        found.append(Detections(box.inverse_boxes(kept), sure, labels, classes))
    return truths, found


def _samples(data: LabelledSource, step: int, bits: int | None) -> Iterator[Sample | PairedSample]:
    for i in range(0, len(data), step):
        sample = data[i]
        if bits is None or 8 * thermal_values(sample).itemsize == bits:
            yield sample


@command(DataError, ModelError, ConfigError, EngineError, ValueError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.evaluate", description=summary)
    parser.add_argument("model", help="shipped model or .safetensors file")
    parser.add_argument("--data", default="hit_uav", help="data set: folder below --root")
    parser.add_argument("--root", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--kind", choices=KINDS, default="coco", help="how the set is laid out (docs/training_data.md)")
    parser.add_argument("--split", help="as the set calls it (default: what it calls the one to measure on)")
    parser.add_argument("--classes", nargs="+", help="average over these only")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every N-th image only")
    parser.add_argument("--bits", type=int, choices=(8, 16), help="images of so many bits only")
    add_assignments(parser)
    parser.add_argument("--write-card", action="store_true", help="write the figures into the model file's card")
    args = parser.parse_args(argv)
    if args.write_card and (args.assignments or args.step != 1 or args.bits):
        parser.error("a card holds figures of whole sets with the defaults: leave out --set, --step and --bits")
    path = resolve(args.model)
    if args.write_card:
        check_place(path)
    split = args.split or VALIDATION.get(args.kind, "val")
    scores = evaluate_network(path, args.root / args.data, split,
                              tuple(args.classes) if args.classes else None, args.device, args.kind,
                              assigned(args.assignments), args.step, args.bits)
    print(json.dumps(as_json(scores, 4), indent=2))
    if args.write_card:
        classes = f" --classes {' '.join(args.classes)}" if args.classes else ""
        averaged = f" over {', '.join(args.classes)}" if args.classes else ""
        kind = "" if args.kind == "coco" else f" --kind {args.kind}"
        record(path, f"{args.data} {split}{averaged}", scores,
               f"python3 -m training.detector.evaluate {path.stem} --root <data> --data {args.data}{kind}"
               f" --split {split}{classes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
