"""Stage 2, compression (MCL): a light student learns from thermal crops alone and the frozen thermal network.

``python3 -m training.landmarks.compress --heads heads.npz --teacher runs/transfer/landmarks_transfer.safetensors
--output runs/light``
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.compositing import load_backgrounds
from training.data.head_cache import HeadCache
from training.data.rendered_faces import LandmarkCrops
from training.device import usable_device
from training.landmarks.fit import (
    Settings,
    Sources,
    Terms,
    add_crop_options,
    add_options,
    build,
    chosen,
    chosen_crops,
    digest,
    fit,
    heads_before,
    load_network,
    run,
    task_loss,
)
from training.landmarks.matching import check_network
from training.landmarks.stage_options import add_decay, decay_of
from training.losses.dikd import feature_distillation, freeze
from training.losses.schedules import DecaySchedule
from training.provenance import of_models

SIZES = {"light": LandmarkerSpec(), "tiny": LandmarkerSpec(widths=(16, 40, 72), depths=(1, 1, 1))}
"""The students: at most 0.6 M parameters and 60 MFLOPs, and at most 0.2 M parameters."""


@dataclass(frozen=True)
class CompressSettings(Settings):
    """Training of a light student."""

    name: str = "landmarks_light"
    features: float = 1.0
    """Weight of feature distillation (FD)."""
    predictions: float = 1.0
    """Weight of prediction distillation (LD)."""
    decay: DecaySchedule = DecaySchedule()


class Adapters(nn.ModuleList):
    """A 1x1 convolution for each level from the student's widths to the teacher's; trained along, never exported."""

    def __init__(self, student: LandmarkerSpec, teacher: LandmarkerSpec) -> None:
        super().__init__(nn.Conv2d(own, other, 1) for own, other in zip(student.widths[1:], teacher.widths[1:],
                                                                        strict=True))


class Compression:
    """The loss of a batch of thermal crops."""

    def __init__(self, settings: CompressSettings, teacher: Landmarker, adapters: Adapters) -> None:
        self.settings, self.teacher, self.adapters = settings, teacher, adapters
        freeze(teacher)

    def __call__(self, model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        """(model, [images, points], progress) to the loss and its terms."""
        images, target = batch
        weight = self.settings.decay.weight(progress)
        with torch.autocast(images.device.type, torch.bfloat16):
            levels = model.encode(images)
            prediction = model.predict(levels)
        loss, terms = task_loss(prediction, target, self.settings.likelihood, self.settings.loss)
        if weight == 0:
            return loss, terms
        with torch.autocast(images.device.type, torch.bfloat16):
            with torch.no_grad():
                goal = self.teacher.encode(images)
                guess, _ = self.teacher.predict(goal)
            adapted = [adapter(level) for adapter, level in zip(self.adapters, levels, strict=True)]
        if self.settings.features:
            terms["features"] = feature_distillation([level.float() for level in adapted],
                                                     [level.float() for level in goal])
            loss = loss + weight * self.settings.features * terms["features"]
        if self.settings.predictions:
            # Sigma tells of the error to the truth, not to the teacher.
            terms["predictions"] = self.settings.loss.of((prediction[0], prediction[1].detach()), guess)
            loss = loss + weight * self.settings.predictions * terms["predictions"]
        return loss, terms


def train(settings: CompressSettings, heads: list[Path], teacher: str, output: Path, data: Path | None,
          device: torch.device, workers: int) -> Path:
    """Run the stage; returns the path of the student's model file. Raises DataError for a teacher that does not fit."""
    card, big = load_network(teacher)
    check_network(teacher, card, big.spec, "compression", size=settings.spec.size)
    photos = load_backgrounds(data)
    crops = LandmarkCrops(HeadCache(heads), photos, settings.seed, settings.crops)
    model = build(settings, device)
    adapters = Adapters(settings.spec, big.spec).to(device)
    objective = Compression(settings, big.to(device).to(memory_format=torch.channels_last), adapters)
    sources = Sources({"--heads": heads, "--data": data, "--teacher": digest(big)},
                      heads_before(photos).merged(of_models(teacher)))
    return fit(settings, model, crops, objective, output, device, workers, sources, extra=adapters)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    defaults = CompressSettings()
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.compress",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches of face_renderer")
    parser.add_argument("--teacher", required=True, help="model file of the transfer stage")
    parser.add_argument("--size", choices=sorted(SIZES), default="light")
    parser.add_argument("--features", type=float, default=defaults.features, help="weight of feature distillation")
    parser.add_argument("--predictions", type=float, default=defaults.predictions,
                        help="weight of prediction distillation")
    add_decay(parser, defaults.decay)
    add_options(parser, defaults)
    add_crop_options(parser, defaults)
    args = parser.parse_args(argv)

    def stage() -> Path:
        settings = CompressSettings(
            name=f"landmarks_{args.size}", spec=SIZES[args.size], features=args.features, predictions=args.predictions,
            decay=decay_of(args), crops=chosen_crops(args, defaults), **chosen(args))  # type: ignore[arg-type]
        return train(settings, args.heads, args.teacher, args.output, args.data, usable_device(args.device),
                     args.workers)

    return run(stage)


if __name__ == "__main__":
    sys.exit(main())
