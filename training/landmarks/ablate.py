"""Compare distillations on a small, fixed budget and write the table: every row over several seeds.

``python3 -m training.landmarks.ablate --pairs pairs.npz --held-out pairs_val.npz --photographs data/rgb_faces
--real data --output runs/ablation --report training/landmarks/RESULTS.md``

All runs share one pool of crops and one visible-light teacher; what differs is the loss and the seed. A run that was
killed goes on; finished rows are not run again. The first rows of a table are mean faces, constants that look at no
image: a row that is no better than they are says nothing of its method.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.models.checkpoint import ModelError
from thermal_kd_ros.models.landmarker import Landmarker, LandmarkerSpec
from thermal_kd_ros.output import written_aside
from training.data.coco import DataError
from training.data.face_light import load_photographs
from training.data.head_cache import HeadCache
from training.data.paired_crops import PairConfig, PairedCrops, PhotographCrops, photograph_crop
from training.device import usable_device, use_threads
from training.landmarks.ablation_report import name_of, write_report
from training.landmarks.compress import Adapters, Compression, CompressSettings
from training.landmarks.evaluate import (
    driver_predictions,
    mega_flops,
    predict_crops,
    sample_predictions,
    summary,
)
from training.landmarks.evaluate_heads import TURNED_DEG, held_out_crops, mean_face_rows
from training.landmarks.fit import (
    HEADS_LICENCE,
    Settings,
    Sources,
    Terms,
    build,
    fit,
    load_network,
    task_loss,
)
from training.landmarks.teacher import PHOTOGRAPHS_LICENCE
from training.landmarks.transfer import Transfer, TransferSettings, started_from
from training.losses.schedules import DecaySchedule
from training.options import check_number
from training.pages import around
from training.provenance import Provenance, of_models

SIZE = 64
BIG = LandmarkerSpec(size=SIZE, widths=(16, 40, 64), depths=(1, 1, 1))
SMALL = LandmarkerSpec(size=SIZE, widths=(8, 20, 32), depths=(1, 1, 1))
WEIGHTS: dict[str, dict[str, float]] = {
    "FD": {"features": 1.0}, "LD": {"predictions": 1.0}, "FD+LD": {"features": 1.0, "predictions": 1.0},
    "FI": {"forward": 1.0}, "RI": {"reverse": 1.0}, "DIKD": {"forward": 1.0, "reverse": 1.0},
}
NO_WEIGHTS = {"features": 0.0, "predictions": 0.0, "forward": 0.0, "reverse": 0.0}
UNDECAYED = ("FD+LD", "DIKD")
"""Those that are also run with a weight that stays, unless all are."""
COMPRESSED = ("none", "DIKD, cosine")
"""The transfers that a student is compressed from, unless it is from all."""


@dataclass(frozen=True)
class Budget:
    """What a row costs."""

    pairs: int = 2000
    epochs: int = 2
    teacher_epochs: int = 10
    batch: int = 32
    variations: int = 2
    """How many crops there are of each face; epochs take them in turn."""
    seeds: int = 3
    every: int = 6
    """Every so many frames of the real validation people."""
    only: tuple[str, ...] = ()
    """Names of the transfers to run; none: all."""
    students: bool = True
    """Whether students are compressed from them."""
    constant_all: bool = False
    """Whether every distillation is also run with a weight that stays, instead of UNDECAYED alone."""
    compress_all: bool = False
    """Whether a student is compressed from every transfer, instead of from COMPRESSED alone."""
    from_scratch: bool = False
    """Whether thermal networks start from nothing. From the teacher's weights, which are a transfer by themselves,
    "none" is not without one."""

    def __post_init__(self) -> None:
        for name, option in (("pairs", "--number"), ("epochs", "--epochs"), ("teacher_epochs", "--teacher-epochs"),
                             ("batch", "batch"), ("variations", "--variations"), ("seeds", "--seeds"),
                             ("every", "every")):
            check_number(option, getattr(self, name), 1)


class Pool(Dataset[tuple[np.ndarray, ...]]):
    """Crops made once: items are rows of arrays, and epoch ``e`` takes variation e modulo their number."""

    def __init__(self, variations: list[tuple[np.ndarray, ...]]) -> None:
        self.variations, self.epoch = variations, 0

    def __len__(self) -> int:
        return len(self.variations[0][0])

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.variations[self.epoch % len(self.variations)]
        return tuple(column[index].astype(np.float32) for column in rows)


def make_pool(crops: PairedCrops | PhotographCrops, path: Path, variations: int) -> list[tuple[np.ndarray, ...]]:
    """The crops of several epochs, from ``path`` if they were made before."""
    if not path.exists():
        rows: list[list[np.ndarray]] = []
        for epoch in range(variations):
            crops.epoch = epoch
            items = [crops[i] for i in tqdm(range(len(crops)), desc=f"crops {epoch + 1}/{variations}", mininterval=5.0)]
            rows.append([np.stack(column).astype(np.float16) for column in zip(*items, strict=True)])
        arrays = {f"v{v}_{c}": column for v, columns in enumerate(rows) for c, column in enumerate(columns)}
        with written_aside(path) as aside:
            np.savez(aside, **arrays)  # type: ignore[arg-type]
    with np.load(path) as archive:
        columns = max(int(name.split("_")[1]) for name in archive.files) + 1
        return [tuple(archive[f"v{v}_{c}"] for c in range(columns)) for v in range(variations)]


@dataclass(frozen=True)
class Bench:
    """What all runs of an ablation share."""

    output: Path
    pool: list[tuple[np.ndarray, ...]]
    held_out: tuple[np.ndarray, np.ndarray]
    real: Path
    budget: Budget
    device: torch.device

    def settings(self, kind: type[Settings], name: str, spec: LandmarkerSpec, seed: int, **values: object) -> Settings:
        """Settings of a stage under the budget."""
        return kind(name=name, spec=spec, epochs=self.budget.epochs, batch=self.budget.batch, seed=seed,
                    warmup_steps=18, ema=0.98, **values)  # type: ignore[arg-type]

    def some(self, columns: int) -> Pool:
        """The first columns of the pairs that the rows train on."""
        return Pool([tuple(column[: self.budget.pairs] for column in variation[:columns]) for variation in self.pool])

    def measure(self, path: Path) -> dict[str, dict[str, float]]:
        """Figures of a thermal network on rendered and real faces that no run saw."""
        results = {"rendered": summary(predict_crops(str(path), *self.held_out))}
        if (self.real / "driver_faces").is_dir():
            results["real"] = summary(driver_predictions(str(path), self.real, "2", self.budget.every))
        if (self.real / "sf_tl54_sample").is_dir():
            results["sf_tl54"] = summary(sample_predictions(str(path), self.real))
        return results

    def row(self, stage: str, method: str, seed: int, run: Callable[[], Path], begun: Path) -> None:
        """Run what trains a network, measure it and remember both.

        ``begun`` is there if the run only goes on with one that was killed: its time would tell nothing.
        """
        goes_on, before = begun.exists(), _seconds(self.device)
        path = run()
        seconds = None if goes_on else _seconds(self.device) - before
        rows = [*self.rows(), {"stage": stage, "method": method, "seed": seed, "on": self.measure(path),
                               "seconds": seconds}]
        # As a whole: half a line, after a kill or on a full disk, could not be read again.
        with written_aside(self.output / "rows.jsonl") as aside:
            aside.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def rows(self) -> list[dict]:
        """The finished rows."""
        path = self.output / "rows.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def done(self, stage: str, method: str, seed: int) -> bool:
        """Whether a row is finished."""
        return any((r["stage"], r["method"], r["seed"]) == (stage, method, seed) for r in self.rows())


def _seconds(device: torch.device) -> float:
    """A clock: on a CPU that of this process alone, since a machine does other things as well."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def claim(output: Path, shared: dict[str, object]) -> None:
    """Make the folder and remember what all its runs share; raises DataError if it holds runs that share other things.

    Its rows, crops and teacher are taken as they are found: under another budget or with other data they would be
    mixed with new ones in one table.
    """
    path, wanted = output / "shared.json", json.loads(json.dumps(shared))
    if path.exists():
        before = json.loads(path.read_text())
        # What an older folder does not name was not there to be chosen then.
        if changed := sorted(name for name in wanted if before.get(name, False) != wanted[name]):
            raise DataError(f"{output} holds runs with other {', '.join(changed)}: give another --output or delete it")
        return
    with written_aside(path) as aside:
        aside.write_text(json.dumps(wanted, indent=1))


def train_teacher(bench: Bench, photographs: list[tuple[np.ndarray, ...]]) -> Path:
    """The visible-light teacher of all runs."""
    variations = [tuple(np.concatenate([own, extra]) for own, extra in zip(pair[2:], extras, strict=True))
                  for pair, extras in zip(bench.pool, photographs, strict=True)]
    settings = replace(bench.settings(Settings, "teacher", replace(BIG, channels=3), 0),
                       epochs=bench.budget.teacher_epochs)

    def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        with torch.autocast(bench.device.type, torch.bfloat16):
            prediction = model(batch[0])
        return task_loss(prediction, batch[1], settings.likelihood)

    sources = Sources(origin=Provenance((HEADS_LICENCE, PHOTOGRAPHS_LICENCE)))
    return fit(settings, build(settings, bench.device), Pool(variations), objective, bench.output / "teacher",
               bench.device, 0, sources)


def taught_by(*teachers: Path) -> Sources:
    """What a row's network learns from; ``claim`` sees to it that the folder's data stay the same."""
    return Sources(origin=Provenance((HEADS_LICENCE,)).merged(of_models(*map(str, teachers))))


def transfers(constant_all: bool = False) -> dict[str, dict[str, object]]:
    """Name of each transfer to its settings."""
    methods: dict[str, dict[str, object]] = {"none": dict(NO_WEIGHTS)}
    for name, weights in WEIGHTS.items():
        methods[f"{name}, cosine"] = {**NO_WEIGHTS, **weights, "decay": DecaySchedule("cosine")}
    for name in WEIGHTS if constant_all else UNDECAYED:
        methods[f"{name}, constant"] = {**NO_WEIGHTS, **WEIGHTS[name], "decay": DecaySchedule("constant")}
    return methods


def folder_of(bench: Bench, stage: str, method: str, seed: int) -> Path:
    """Where a run's state and model lie."""
    return bench.output / f"{stage}-{method.replace(', ', '-')}-{seed}"


def transfer(bench: Bench, method: str, values: dict[str, object], seed: int, teacher: Path) -> Path:
    """Train one thermal network with the teacher; returns its model file."""
    settings = bench.settings(TransferSettings, "transfer", BIG, seed, from_teacher=not bench.budget.from_scratch,
                              **values)
    assert isinstance(settings, TransferSettings)
    _, network = load_network(str(teacher))
    network = network.to(bench.device)
    model = build(settings, bench.device)
    if settings.from_teacher:
        model = started_from(model, network)
    # Without a distillation the teacher would only cost time, and that time is compared.
    objective = Transfer(settings, network if any(values[name] for name in NO_WEIGHTS) else None)
    sources = taught_by(teacher) if settings.from_teacher or objective.teacher else taught_by()
    return fit(settings, model, bench.some(4), objective, folder_of(bench, "transfer", method, seed), bench.device, 0,
               sources)


def compress(bench: Bench, method: str, seed: int, teacher: Path | None) -> Path:
    """Train one light student, with a thermal teacher or alone; returns its model file."""
    settings = bench.settings(CompressSettings, "student", SMALL, seed)
    assert isinstance(settings, CompressSettings)
    output = folder_of(bench, "student", method, seed)
    thermal = bench.some(2)
    model = build(settings, bench.device)
    if teacher is None:
        def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
            with torch.autocast(bench.device.type, torch.bfloat16):
                prediction = model(batch[0])
            return task_loss(prediction, batch[1], settings.likelihood)

        return fit(settings, model, thermal, objective, output, bench.device, 0, taught_by())
    _, big = load_network(str(teacher))
    adapters = Adapters(SMALL, big.spec).to(bench.device)
    compression = Compression(settings, big.to(bench.device), adapters)
    return fit(settings, model, thermal, compression, output, bench.device, 0, taught_by(teacher), extra=adapters)


def ablate(pairs: list[Path], held_out: Path, photographs: Path, real: Path, output: Path, report: Path,
           budget: Budget, device: torch.device, title: str = "scarce") -> None:
    """Run what is not finished yet, and write the report after every row, between the marks of ``title``."""
    methods = transfers(budget.constant_all)
    if unknown := set(budget.only) - set(methods):
        raise DataError(f"unknown transfers {sorted(unknown)}; known: {'; '.join(methods)}")
    around(name_of(title), report)
    claim(output, {"epochs": budget.epochs, "teacher_epochs": budget.teacher_epochs, "batch": budget.batch,
                   "variations": budget.variations, "number of pairs": budget.pairs, "every": budget.every,
                   "from scratch": budget.from_scratch, "constant weights for all": budget.constant_all,
                   "students of all": budget.compress_all,
                   "pairs": [str(path.resolve()) for path in pairs], "held-out": str(held_out.resolve()),
                   "photographs": str(photographs.resolve()), "real": str(real.resolve())})
    config = PairConfig(size=SIZE)
    pool = make_pool(PairedCrops(HeadCache(pairs, visible_light=True), [], 0, config), output / "pool.npz",
                     budget.variations)
    extra = make_pool(PhotographCrops(load_photographs(photographs), len(pool[0][0]) // 4, 0, config),
                      output / "photographs.npz", budget.variations)
    images, points = held_out_crops(HeadCache([held_out]), SIZE)
    bench = Bench(output, pool, (images, points), real, budget, device)
    seen_by_rows = np.concatenate([columns[1] for columns in bench.some(2).variations]).astype(np.float64)

    teacher = train_teacher(bench, extra)
    seen = [photograph_crop(photograph, SIZE) for photograph in load_photographs(photographs, held_out=True)]
    on_photographs = summary(predict_crops(str(teacher), np.stack([image for image, _, _ in seen]),
                                           np.stack([places for _, places, _ in seen])))
    facts = {
        "pairs": min(budget.pairs, len(pool[0][0])), "teacher_pairs": len(pool[0][0]), "held_out": len(images),
        "turned": TURNED_DEG, "photographs": len(seen),
        "teacher_nme": on_photographs["nme_percent"],
        "mean_faces": mean_face_rows(seen_by_rows.mean(axis=0) / SIZE, points, SIZE, real, budget.every),
        "networks": {name: {"parameters": sum(p.numel() for p in Landmarker(spec).parameters()),
                            "mflops": mega_flops(spec)} for name, spec in (("thermal", BIG), ("student", SMALL))},
    }

    def row(stage: str, method: str, seed: int, run: Callable[[], Path]) -> None:
        if not bench.done(stage, method, seed):
            bench.row(stage, method, seed, run, folder_of(bench, stage, method, seed) / "state.pt")
            write_report(report, title, bench.rows(), facts, budget)

    chosen = [method for method in methods if not budget.only or method in budget.only]
    for seed in range(budget.seeds):
        for method in chosen:
            row("transfer", method, seed, partial(transfer, bench, method, methods[method], seed, teacher))
        if budget.students:
            row("student", "alone", seed, partial(compress, bench, "alone", seed, None))
            for source in (source for source in chosen if budget.compress_all or source in COMPRESSED):
                big = folder_of(bench, "transfer", source, seed) / "transfer.safetensors"
                row("student", f"from {source}", seed, partial(compress, bench, f"from {source}", seed, big))
    write_report(report, title, bench.rows(), facts, budget)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.ablate",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="caches of face_renderer --visible")
    parser.add_argument("--held-out", type=Path, required=True, help="a cache of other subjects")
    parser.add_argument("--photographs", type=Path, required=True, help="folder with landmarks68.json")
    parser.add_argument("--real", type=Path, required=True, help="folder with driver_faces and sf_tl54_sample")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, help="page whose tables are written anew")
    parser.add_argument("--number", type=int, default=Budget.pairs, metavar="N",
                        help="pairs that a row trains on; the teacher has all of them")
    parser.add_argument("--epochs", type=int, default=Budget.epochs)
    parser.add_argument("--teacher-epochs", type=int, default=Budget.teacher_epochs)
    parser.add_argument("--variations", type=int, default=Budget.variations, metavar="N",
                        help="crops of each face, taken in turn by the epochs; more where there are many epochs")
    parser.add_argument("--seeds", type=int, default=Budget.seeds)
    parser.add_argument("--only", nargs="+", default=(), metavar="TRANSFER", help="such as none 'DIKD, cosine'")
    parser.add_argument("--transfers-only", action="store_true", help="without students")
    parser.add_argument("--constant-all", action="store_true", help="every distillation with a constant weight too, "
                        f"not {' and '.join(UNDECAYED)} alone")
    parser.add_argument("--compress-all", action="store_true", help="a student of every transfer, not of "
                        f"{' and '.join(COMPRESSED)} alone")
    parser.add_argument("--from-scratch", action="store_true", help="thermal networks start from nothing, not from the "
                        "teacher's weights")
    parser.add_argument("--title", default="scarce", help="of the tables in the report")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    args = parser.parse_args(argv)
    try:
        use_threads(args.threads)
        ablate(args.pairs, args.held_out, args.photographs, args.real, args.output, args.report,
               Budget(pairs=args.number, epochs=args.epochs, teacher_epochs=args.teacher_epochs,
                      variations=args.variations, seeds=args.seeds, only=tuple(args.only),
                      students=not args.transfers_only, constant_all=args.constant_all,
                      compress_all=args.compress_all, from_scratch=args.from_scratch),
               usable_device(args.device), args.title)
    except (DataError, ModelError, EngineError, FloatingPointError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
