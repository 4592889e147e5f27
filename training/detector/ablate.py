"""Compare training-only losses: the same short training again and again, one switch at a time, several seeds each.

``python3 -m training.detector.ablate roadscene --data runs/data --output runs/ablation``

Every run and its figures stay in the output folder: a killed comparison goes on where it stopped. Writes a table of all
runs in that folder into RESULTS.md and a plot beside it; with ``--set``, which makes it another comparison, only where
``--results`` says.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.output import written_aside
from training.command import command
from training.data.augment import AugmentConfig
from training.data.coco import DataError
from training.detector.ablation_report import LOOSE, LOOSE_DUPLICATES, Figures, plot, table
from training.detector.evaluate import evaluate_network, shared_classes
from training.detector.experiment import DEFAULT_DATA, HIT_UAV, DataPart, Experiment, changed, parse_changes
from training.detector.train import identity, train
from training.device import usable_device, use_threads
from training.options import check_file
from training.pages import around, place

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
CLASSES = ("person", "bicycle", "car")
"""What all the sets of the comparisons label; figures are averages over these."""


OWN = ("name", "seed", "start", "architecture", "modality", "imagenet", "distill.teacher")
"""What a comparison gives to its runs itself."""


@dataclass(frozen=True)
class Grid:
    """One data set's comparison."""

    title: str
    base: Experiment
    """What every row trains, apart from its own changes."""
    rows: dict[str, dict[str, Any]]
    """Changes of each row, by dotted name; a teacher is given by its name in ``teachers``."""
    teachers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Teachers, each trained once with the first seed: changes to ``base``."""
    start: dict[str, Any] = field(default_factory=dict)
    """Changes to ``base`` of a run, with the first seed, that every row starts from; empty: ``base`` says itself."""


_SHORT = AugmentConfig(scale=(0.6, 1.5), mosaic=0.0, polarity=0.08)
_ROADSCENE = DataPart("pairs", "roadscene", 1.0, augment=_SHORT, licence="RoadScene with FLIR's boxes",
                      terms="FLIR's terms of use, not to be passed on")
_RENDERED = DataPart("pairs", "pairs", 1.0, augment=_SHORT, licence="rendered pairs, Apache-2.0")
_TEACHER = {"architecture": "teacher", "start": "", "epochs": 6}
_CONTRAST = {"distill.lambda_rcs": 0.2}


def _aligned(align: str, region: str, weight: float = 1.0, teacher: str = "visible") -> dict[str, Any]:
    return {"distill.lambda_cms": weight, "distill.align": align, "distill.region": region, "distill.teacher": teacher}


def _compared(method: str, weight: float) -> dict[str, Any]:
    return {"distill.method": method, "distill.lambda_method": weight, "distill.teacher": "visible"}


_PAIRED_ROWS: dict[str, dict[str, Any]] = {
    "base": {},
    "contrast": _CONTRAST,
    "pkd full": _aligned("pkd", "full"),
    "pkd mask": _aligned("pkd", "mask"),
    "contrast + pkd full": {**_CONTRAST, **_aligned("pkd", "full")},
    "pkd full, thermal teacher": _aligned("pkd", "full", teacher="thermal"),
    "pkd roi": _aligned("pkd", "roi"),
    "mse full": _aligned("mse", "full"),
    "cosine full": _aligned("cosine", "full"),
    "frequency full": _aligned("frequency", "full"),
    "ckd": _compared("ckd", 1.0),
    "crd, in-batch": {**_compared("crd", 0.2), "distill.memory": 0},
    "crd": _compared("crd", 0.2),
    "wcord": _compared("wcord", 0.2),
    "gkd": _compared("gkd", 1.0),
    "embed": _compared("embed", 0.2),
    "cwd": _compared("cwd", 0.2),
    "crosskd": _compared("crosskd", 1.0),
}

_TEACHERS: dict[str, dict[str, Any]] = {
    "visible": {**_TEACHER, "modality": "visible"}, "thermal": {**_TEACHER, "modality": "thermal"}}

GRIDS: dict[str, Grid] = {
    "hit_uav": Grid(
        "HIT-UAV, thermal alone",
        Experiment(name="student", parts=(HIT_UAV,), train_size=(192, 256), input_size=(512, 640), epochs=6, batch=8,
                   lr=1e-3, warmup_steps=30, mosaic_off=8, ema=0.99),
        {"base": {}, "contrast": _CONTRAST, "contrast, copies, background": {
            **_CONTRAST, "distill.jitter": 1, "distill.background": 4}},
        start={"epochs": 8, "lr": 2e-3}),
    "choices": Grid(
        "HIT-UAV, from scratch",
        Experiment(name="student", parts=(HIT_UAV,), train_size=(192, 256), input_size=(512, 640), epochs=8, batch=8,
                   lr=2e-3, warmup_steps=100, mosaic_off=8, ema=0.99),
        {"base": {}, "stride 4": {"architecture": "nano_stride4"}, "varifocal": {"loss.focal": "varifocal"},
         "constant focal weight": {"loss.focal_gradient": False},
         "no DFL": {"loss.dfl": 0}, "Wasserstein, half": {"loss.wasserstein": 0.5}, "balanced": {"balance": 0.5}}),
    "roadscene": Grid(
        "RoadScene with FLIR's boxes, real pairs",
        Experiment(name="student", parts=(_ROADSCENE,), train_size=(192, 256), input_size=(352, 512), epochs=12,
                   batch=8, lr=1e-3, warmup_steps=20, mosaic_off=40, ema=0.98, start="detector_nano"),
        _PAIRED_ROWS, {name: {**teacher, "epochs": 40} for name, teacher in _TEACHERS.items()}),
    "pairs": Grid(
        "Rendered pairs",
        Experiment(name="student", parts=(_RENDERED,), train_size=(192, 256), input_size=(256, 320), epochs=2, batch=8,
                   lr=1e-3, warmup_steps=10, mosaic_off=8, ema=0.98, start="detector_nano"),
        _PAIRED_ROWS, _TEACHERS),
}
"""The comparisons by the name of their data set."""


class Comparison:
    """The runs of a grid in a folder, and the figures that they gave."""

    def __init__(self, grid: Grid, output: Path, data: Path, device: torch.device, imagenet: str = "",
                 values: dict[str, Any] | None = None) -> None:
        self.grid, self.output, self.data, self.device = grid, output, data, device
        self.imagenet, self.values = imagenet, values or {}

    def experiment(self, changes: dict[str, Any]) -> Experiment:
        """The grid's base with changes, and what was set for every run."""
        return changed(self.grid.base, {**changes, **self.values})

    def folder(self, label: str) -> Path:
        """Where a run is kept."""
        return self.output / label.replace(",", "").replace(" ", "_")

    def model(self, label: str, experiment: Experiment) -> tuple[Path, dict[str, float]]:
        """Model file and scores of a run; trained and measured now unless that was done before."""
        folder = self.folder(label)
        done = folder / "scores.json"
        path = folder / f"{experiment.name}.safetensors"
        run_of = identity(experiment, self.data)
        if done.exists():
            content = json.loads(done.read_text())
            if content.get("run") == run_of:
                return path, content["scores"]
            raise DataError(f"{folder} holds a run of another experiment, on other data, or with another start or "
                            "teacher; delete it or give another --output")
        train(experiment, folder, self.data, self.device, 0)
        scores = self.scores(path, experiment)
        with written_aside(done) as file:
            file.write_text(json.dumps({"run": run_of, "scores": scores}, indent=1))
        (folder / "state.pt").unlink(missing_ok=True)
        return path, scores

    def scores(self, model: Path, experiment: Experiment) -> dict[str, float]:
        """Figures of a model file, with the pipeline's suppression; of a student also what a loose one leaves."""
        part = experiment.parts[0]
        what = (self.data / part.root, part.validation_split, CLASSES, str(self.device), part.kind)
        scores = evaluate_network(model, *what)
        if experiment.architecture != "teacher":
            loose = evaluate_network(model, *what, {"detector.nms_iou": LOOSE})
            scores[LOOSE_DUPLICATES] = loose["duplicate_rate"]
        return scores

    def check(self, rows: list[str]) -> None:
        """Raise DataError if what these rows train could not be measured afterwards."""
        experiment = self.experiment({})
        if not experiment.parts:
            raise DataError("a comparison needs data: parts is empty")
        part = experiment.parts[0]
        if not part.validation_split:
            raise DataError(f"{part.root}: {part.kind} has no split to measure on; name one as the part's option "
                            "validation")
        teachers = {row["distill.teacher"] for name, row in self.grid.rows.items()
                    if name in rows and "distill.teacher" in row}
        visible = any(self.grid.teachers[name].get("modality") == "visible" for name in teachers)
        measured = part.opened(self.data, part.validation_split, visible=visible)
        if missing := sorted(set(CLASSES) - set(shared_classes(experiment.classes, measured))):
            raise DataError(f"no figure for {', '.join(missing)}: runs know {', '.join(experiment.classes)}, "
                            f"{measured.name} labels {', '.join(measured.classes)}")

    def start(self) -> dict[str, Any]:
        """What every row starts from."""
        if not self.grid.start:
            return {}
        path, _ = self.model("start", self.experiment({**self.grid.start, "name": "start"}))
        return {"start": str(path)}

    def teacher(self, name: str) -> tuple[Path, dict[str, float]]:
        """A teacher's file and its own scores."""
        changes = {**self.grid.teachers[name], "name": f"teacher_{name}", "imagenet": self.imagenet}
        return self.model(f"teacher {name}", self.experiment(changes))

    def row(self, name: str, seed: int) -> Figures:
        """One row with one seed."""
        changes = {**self.start(), **self.grid.rows[name], "seed": seed}
        if "distill.teacher" in changes:
            changes["distill.teacher"] = str(self.teacher(changes["distill.teacher"])[0])
        _, scores = self.model(f"{name}/{seed}", self.experiment(changes))
        return Figures(name, seed, scores)

    def finished(self) -> list[Figures]:
        """The figures of all rows and seeds in the folder; raises DataError for a run of another experiment."""
        return [self.row(name, seed) for name in self.grid.rows
                for seed in sorted(int(path.parent.name) for path in self.folder(name).glob("*/scores.json")
                                   if path.parent.name.isdigit())]


@command(DataError, ModelError, EngineError, ValueError, FloatingPointError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.ablate",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("grid", choices=GRIDS)
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs; what is there is not run again")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with the data sets")
    parser.add_argument("--rows", nargs="+", help="only these, beside base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="values",
                        help="change any field of every run, e.g. epochs=40")
    parser.add_argument("--imagenet", default="", help="MobileNetV2 weights of the teachers; without: from scratch")
    parser.add_argument("--results", type=Path, help="page whose table is written anew; without --set: RESULTS.md")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    args = parser.parse_args(argv)
    grid = GRIDS[args.grid]
    title = ", ".join([grid.title, *args.values])
    if min(args.seeds) < 0:
        parser.error("--seeds takes numbers from 0 on")
    unknown = sorted(set(args.rows or ()) - set(grid.rows))
    if unknown:
        parser.error(f"no rows {', '.join(unknown)}; there are: {', '.join(grid.rows)}")
    rows = [name for name in grid.rows if name == "base" or not args.rows or name in args.rows]
    page = args.results or (None if args.values else RESULTS)
    use_threads(args.threads)
    changes = parse_changes(args.values)
    check_file("--imagenet", args.imagenet)
    own = {*OWN, *(name for row in grid.rows.values() for name in row)}
    # A dictionary for a whole part, such as distill={...}, would set what is in it too.
    if given := sorted(name for name in changes if name in own or any(one.startswith(f"{name}.") for one in own)):
        raise ValueError(f"--set {', '.join(given)}: that is given by this comparison, or what its runs differ in")
    if page is not None:
        around(args.grid, page)
    comparison = Comparison(grid, args.output / args.grid, args.data, usable_device(args.device), args.imagenet,
                            changes)
    # Not after hours of training: whether runs can be measured, and what is there belongs to this comparison.
    comparison.check(rows)
    comparison.finished()
    for seed in args.seeds:
        for name in rows:
            comparison.row(name, seed)
    figures = comparison.finished()
    shown = {entry.row for entry in figures}
    used = sorted({row["distill.teacher"] for name, row in grid.rows.items()
                   if name in shown and "distill.teacher" in row})
    teachers = {name: comparison.teacher(name)[1] for name in used}
    text = table(args.grid, title, figures, teachers, args.values)
    if page is not None:
        place(text, args.grid, page)
        picture = f"ablation_{args.grid}.png" if page.name == RESULTS.name else f"{page.stem}_{args.grid}.png"
        plot(page.parent / picture, title, figures)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
