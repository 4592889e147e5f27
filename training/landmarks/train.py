"""Train the landmark network on rendered heads: data, network, steps, model file. Reads from top to bottom.

``python3 -m training.landmarks.train --heads heads.npz --output runs/landmarks``

With ``--adapt <driver_faces>`` half of every batch are real faces of that set's people ``1_*``, which is for research
only: so is the model then, and its card says so.

A run that was killed goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from thermal_kd_ros.models.landmarker import Landmarker
from training.data.compositing import load_backgrounds
from training.data.driver_faces import DriverFaces
from training.data.head_cache import HeadCache
from training.data.labelled_crops import LabelledCrops
from training.data.rendered_faces import LandmarkCrops
from training.landmarks.fit import (
    BACKGROUNDS_LICENCE,
    HEADS_LICENCE,
    Joined,
    Settings,
    Terms,
    add_options,
    build,
    chosen,
    fit,
    run,
    task_loss,
)

DRIVER_FACES_TERMS = ("driver_faces people 1_* (Knapik et al., Electronics 13(17), 3502, 2024), labels by a network; "
                      "academic and research use only")


@dataclass(frozen=True)
class PlainSettings(Settings):
    """Training without a teacher."""

    adapt: bool = False
    """Whether the run also sees real faces, whose terms then hold for the weights."""


def train(settings: PlainSettings, heads: list[Path], output: Path, data: Path | None, device: torch.device,
          workers: int, real: Path | None = None) -> Path:
    """Run the training; returns the path of the model file."""
    crops: LandmarkCrops | Joined = LandmarkCrops(HeadCache(heads), load_backgrounds(data), settings.seed,
                                                  settings.crops)
    sources: tuple[str, ...] = (HEADS_LICENCE, BACKGROUNDS_LICENCE)
    if real:
        crops = Joined([crops, LabelledCrops(DriverFaces(real, "1"), len(crops), settings.seed, settings.crops)])
        sources = (*sources, DRIVER_FACES_TERMS)
    model = build(settings, device)

    def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        images, target = batch
        with torch.autocast(device.type, torch.bfloat16):
            prediction = model(images)
        return task_loss(prediction, target, settings.likelihood)

    licence = "research only" if settings.adapt else "Apache-2.0"
    return fit(settings, model, crops, objective, output, device, workers, sources, licence)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.train",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches written by face_renderer")
    parser.add_argument("--adapt", type=Path, metavar="DRIVER_FACES",
                        help="also train on real faces; the model is then for research only")
    add_options(parser, PlainSettings())
    args = parser.parse_args(argv)
    settings = PlainSettings(adapt=args.adapt is not None, **chosen(args))  # type: ignore[arg-type]
    return run(lambda: train(settings, args.heads, args.output, args.data, torch.device(args.device), args.workers,
                             args.adapt))


if __name__ == "__main__":
    sys.exit(main())
