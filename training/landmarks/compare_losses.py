"""Compare what moves the points: Wing, adaptive Wing, or a Gaussian likelihood that trains points and sigma together.

``python3 -m training.landmarks.compare_losses --heads heads.npz --held-out held_out.npz --data data
--output runs/losses --report training/landmarks/RESULTS.md``

Every row is the light network from nothing, on the same crops in the same order; only the loss and the seed differ. A
run that was killed goes on; finished rows are not run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from thermal_kd_ros.models.landmarker import Landmarker, LandmarkerSpec
from training.data.compositing import load_backgrounds
from training.data.head_cache import HeadCache
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.device import usable_device, use_threads
from training.landmarks.bench import Bench, Effort, claim, identities, make_pool
from training.landmarks.evaluate_heads import TURNED_DEG, held_out_crops
from training.landmarks.fit import Settings, Sources, Terms, build, fit, heads_before, run, task_loss
from training.losses.landmarks import LOSSES, PointLoss
from training.options import check_folder
from training.pages import around, markdown, mean_and_spread, place
from training.provenance import Provenance

TABLE = "losses"
"""Name of the table in the page."""
STAGE = "loss"
COLUMNS = (
    ("rendered", "nme_percent", "NME %, rendered"), ("rendered", "failure_rate_8_percent", "FR@8 %, rendered"),
    ("rendered", "calibration_error", "calibration error, rendered"),
    ("rendered", "relative_risk_area", "relative risk area, rendered"),
    ("real", "nme_percent", "NME %, real"), ("real", "calibration_error", "calibration error, real"),
    ("real", "relative_risk_area", "relative risk area, real"), ("sf_tl54", "nme_percent", "NME %, sf_tl54"),
)
"""Set, figure and head of each column."""


def train(bench: Bench, kind: str, seed: int, origin: Provenance, spec: LandmarkerSpec) -> Path:
    """One network with one loss; returns its model file."""
    settings = bench.settings(Settings, "landmarks", spec, seed, loss=PointLoss(kind))

    def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        with torch.autocast(bench.device.type, torch.bfloat16):
            prediction = model(batch[0])
        return task_loss(prediction, batch[1], settings.likelihood, settings.loss)

    # ``claim`` sees to it that the folder's data stay the same.
    return fit(settings, build(settings, bench.device), bench.some(2), objective, folder_of(bench, kind, seed),
               bench.device, 0, Sources(origin=origin))


def folder_of(bench: Bench, kind: str, seed: int) -> Path:
    """Where a run's state and model lie."""
    return bench.output / f"{kind}-{seed}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The finished rows as Markdown: mean and spread over seeds."""
    cells = {}
    for kind in dict.fromkeys(row["method"] for row in rows):
        runs = [row["on"] for row in rows if row["method"] == kind]
        cells[kind.replace("_", " ")] = [str(len(runs)), *(mean_and_spread(
            [run[on][figure] for run in runs if on in run], 3 if "percent" not in figure else 2)
            for on, figure, _ in COLUMNS)]
    return markdown(["loss", "seeds", *(head for _, _, head in COLUMNS)], cells)


def compare(heads: list[Path], held_out: Path, data: Path, output: Path, report: Path, effort: Effort,
            device: torch.device, spec: LandmarkerSpec | None = None) -> None:
    """Run what is not finished yet, and write the table after every row."""
    spec = LandmarkerSpec() if spec is None else spec
    around(TABLE, report)
    crops_held_out = held_out_crops(HeadCache([held_out]), spec.size)
    photos = load_backgrounds(data if (data / "hit_uav").is_dir() else None)
    crops = LandmarkCrops(HeadCache(heads), photos, 0, CropConfig(size=spec.size))
    # After all that may be refused: a folder that nothing was run in belongs to nobody.
    claim(output, {"epochs": effort.epochs, "batch": effort.batch, "variations": effort.variations,
                   "number of heads": effort.pairs, "every": effort.every, "network": spec.to_dict(),
                   "backgrounds": len(photos), "heads": identities(heads),
                   "held-out": identities([held_out]), "data": str(data.resolve())})
    pool = make_pool(crops, output / "pool.npz", effort.variations)
    bench = Bench(output, pool, crops_held_out, data, effort, device)

    def write() -> None:
        parameters = sum(p.numel() for p in Landmarker(spec).parameters())
        text = (f"{effort.epochs} epochs of {min(effort.pairs, len(crops))} rendered heads, {effort.variations} crops "
                f"of each, batch {effort.batch}, {spec.size} pixels,\n{parameters / 1e3:.0f} k parameters, from "
                f"nothing; rendered: {len(bench.held_out[0])} held-out subjects, turned by at most\n"
                f"{TURNED_DEG:.0f} degrees; real: every {effort.every}th frame of driver_faces 2_*; mean ± standard "
                "deviation over seeds.")
        place(f"{text}\n\n{table(bench.rows())}", TABLE, report)

    for seed in range(effort.seeds):
        for kind in LOSSES:
            if not bench.done(STAGE, kind, seed):
                bench.row(STAGE, kind, seed, partial(train, bench, kind, seed, heads_before(photos), spec),
                          folder_of(bench, kind, seed) / "state.pt")
                write()
    write()


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.compare_losses",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches of face_renderer")
    parser.add_argument("--held-out", type=Path, required=True, help="a cache of other subjects")
    parser.add_argument("--data", type=Path, required=True,
                        help="folder with hit_uav for backgrounds, driver_faces and sf_tl54_sample to measure on")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, help="page whose table is written anew")
    parser.add_argument("--number", type=int, default=Effort.pairs, metavar="N", help="heads that a row trains on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=Effort.batch)
    parser.add_argument("--variations", type=int, default=4, metavar="N",
                        help="crops of each head, taken in turn by the epochs")
    parser.add_argument("--seeds", type=int, default=Effort.seeds)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    args = parser.parse_args(argv)

    def comparison() -> None:
        use_threads(args.threads)
        check_folder("--data", args.data)
        compare(args.heads, args.held_out, args.data, args.output, args.report,
                Effort(pairs=args.number, epochs=args.epochs, batch=args.batch, variations=args.variations,
                       seeds=args.seeds), usable_device(args.device))

    return run(comparison)


if __name__ == "__main__":
    sys.exit(main())
