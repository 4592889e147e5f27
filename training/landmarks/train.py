"""Train the landmark network on rendered heads: data, network, steps, model file. Reads from top to bottom.

``python3 -m training.landmarks.train --heads heads.npz --output runs/landmarks``

With ``--adapt <driver_faces>`` half of the crops are real faces of that set's people ``1_*``, which is for research
only: so is the model then, and its card says so. ``--adapt-layout`` takes other sets of faces, each with its own terms.

A run that was killed goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from thermal_kd_ros.models.landmarker import Landmarker, decode_heat
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.compositing import load_backgrounds
from training.data.head_cache import HeadCache
from training.data.labelled_crops import LabelledCrops
from training.data.rendered_faces import LandmarkCrops
from training.device import usable_device
from training.landmarks.adaptation import LAYOUTS, real_faces
from training.landmarks.fit import (
    Joined,
    Settings,
    Sources,
    Terms,
    add_crop_options,
    add_options,
    build,
    chosen,
    chosen_crops,
    fit,
    heads_before,
    run,
    task_loss,
)
from training.losses.heat_maps import jensen_shannon
from training.options import check_number

SHARP_CELLS = 1.0
"""Deviation of the Gaussians that heat maps are drawn to, in cells of the heat map."""


@dataclass(frozen=True)
class PlainSettings(Settings):
    """Training without a teacher."""

    adapt: str = ""
    """Layout of the real faces that the run also sees, whose terms then hold for the weights; empty: none."""
    sharp: float = 0.0
    """Weight of the divergence of heat maps from Gaussians of ``SHARP_CELLS`` cells around the points."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("--sharp", self.sharp, 0)
        check_number("--reach", self.spec.reach, 1)


def train(settings: PlainSettings, heads: list[Path], output: Path, data: Path | None, device: torch.device,
          workers: int, real: list[Path] | None = None) -> Path:
    """Run the training, with the folders of ``real`` faces if the settings name their layout; returns the model file's
    path.
    """
    photos = load_backgrounds(data)
    origin = heads_before(photos)
    faces = real_faces(settings.adapt, real or []) if settings.adapt else None
    crops: LandmarkCrops | Joined = LandmarkCrops(HeadCache(heads), photos, settings.seed, settings.crops)
    if faces:
        crops = Joined([crops, LabelledCrops(faces, len(crops), settings.seed, settings.crops)])
        origin = origin.merged(LAYOUTS[settings.adapt].origin)
    sources = Sources({"--heads": heads, "--data": data, "--adapt": real}, origin)
    model = build(settings, device)

    def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        images, target = batch
        with torch.autocast(device.type, torch.bfloat16):
            features = model.encode(images)
            heat, sigma = model.heat_maps(features)
        prediction = decode_heat(heat, model.grid), sigma
        loss, terms = task_loss(prediction, target, settings.likelihood, settings.loss)
        if settings.sharp:
            cell = float(model.grid[1] - model.grid[0])
            terms["sharp"] = jensen_shannon(heat, target, model.grid, SHARP_CELLS * cell)
            loss = loss + settings.sharp * terms["sharp"]
        return loss, terms

    return fit(settings, model, crops, objective, output, device, workers, sources)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.train",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches written by face_renderer")
    parser.add_argument("--sharp", type=float, default=PlainSettings.sharp, metavar="WEIGHT",
                        help="draw heat maps to Gaussians around the points, not their means alone")
    parser.add_argument("--reach", type=float, default=LandmarkerSpec.reach, metavar="FACTOR",
                        help="points may lie in the crop enlarged so many times; 1 puts heat maps where the crop is")
    parser.add_argument("--adapt", type=Path, nargs="+", metavar="FOLDER",
                        help="also train on real faces; their terms then hold for the model")
    parser.add_argument("--adapt-layout", choices=tuple(LAYOUTS),
                        help="what lies there: driver_faces (the default), the training set of SF-TL54, or T-FAKE (two "
                        "folders: of labels, of thermal images; its points stay where visible light shows them, "
                        "without the offsets that rendered heads get)")
    add_options(parser, PlainSettings())
    add_crop_options(parser, PlainSettings())
    args = parser.parse_args(argv)

    def stage() -> Path:
        layout = args.adapt_layout or ("driver" if args.adapt else "")
        settings = PlainSettings(adapt=layout, sharp=args.sharp, spec=LandmarkerSpec(reach=args.reach),
                                 crops=chosen_crops(args, PlainSettings()), **chosen(args))  # type: ignore[arg-type]
        return train(settings, args.heads, args.output, args.data, usable_device(args.device), args.workers, args.adapt)

    return run(stage)


if __name__ == "__main__":
    sys.exit(main())
