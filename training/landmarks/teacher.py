"""Stage 0, the visible-light teacher: rendered faces in visible light, and photographs. Reads from top to bottom.

``python3 -m training.landmarks.teacher --pairs pairs.npz --photographs data/rgb_faces --output runs/teacher``
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.face_light import load_photographs
from training.data.head_cache import HeadCache
from training.data.paired_crops import PairConfig, PairedCrops, PhotographCrops
from training.device import usable_device
from training.landmarks.fit import (
    HEADS_LICENCE,
    Joined,
    Settings,
    Sources,
    Terms,
    add_options,
    build,
    chosen,
    fit,
    run,
    task_loss,
)
from training.landmarks.stage_options import add_network, add_pairs, network_of, pairs_of
from training.provenance import Provenance

PHOTOGRAPHS_LICENCE = ("Face Research Lab London Set (DeBruine and Jones, 2017, doi 10.6084/m9.figshare.5047666.v5), "
                       "CC BY 4.0")


@dataclass(frozen=True)
class TeacherSettings(Settings):
    """Training of the visible-light teacher."""

    name: str = "landmarks_visible_teacher"
    spec: LandmarkerSpec = LandmarkerSpec(channels=3)
    crops: PairConfig = PairConfig()
    photographs: float = 0.25
    """Photographs per rendered face in an epoch."""


class VisibleHalf(Dataset[tuple[np.ndarray, np.ndarray]]):
    """The visible-light crops and points of PairedCrops."""

    def __init__(self, pairs: PairedCrops) -> None:
        self.pairs = pairs

    @property
    def epoch(self) -> int:
        """Which variation of the crops the items are."""
        return self.pairs.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.pairs.epoch = value

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.pairs[index][2:]


def train(settings: TeacherSettings, pairs: list[Path], photographs: Path | None, output: Path, device: torch.device,
          workers: int) -> Path:
    """Run the stage; returns the path of the teacher's model file."""
    parts: list[Dataset[tuple[np.ndarray, np.ndarray]]] = [
        VisibleHalf(PairedCrops(HeadCache(pairs, visible_light=True), [], settings.seed, settings.crops))]
    if photographs:
        length = int(settings.photographs * len(parts[0]))  # type: ignore[arg-type]
        parts.append(PhotographCrops(load_photographs(photographs), length, settings.seed, settings.crops))

    def objective(model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        images, target = batch
        with torch.autocast(device.type, torch.bfloat16):
            prediction = model(images)
        return task_loss(prediction, target, settings.likelihood, settings.loss)

    origin = Provenance((HEADS_LICENCE, PHOTOGRAPHS_LICENCE) if photographs else (HEADS_LICENCE,))
    sources = Sources({"--pairs": pairs, "--photographs": photographs}, origin)
    return fit(settings, build(settings, device), Joined(parts), objective, output, device, workers, sources)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.teacher",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="caches of face_renderer --visible")
    parser.add_argument("--photographs", type=Path, help="folder with photographs and landmarks68.json")
    add_network(parser, "the transfer stage takes the same")
    add_pairs(parser, TeacherSettings.crops)
    add_options(parser, TeacherSettings())
    args = parser.parse_args(argv)

    def stage() -> Path:
        settings = TeacherSettings(**network_of(args, TeacherSettings.spec),
                                   crops=pairs_of(args, TeacherSettings.crops),
                                   **chosen(args))  # type: ignore[arg-type]
        return train(settings, args.pairs, args.photographs, args.output, usable_device(args.device), args.workers)

    return run(stage)


if __name__ == "__main__":
    sys.exit(main())
