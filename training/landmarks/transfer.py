"""Stage 1, knowledge transfer (KTL): a thermal network learns from pairs and a frozen visible-light teacher.

``python3 -m training.landmarks.transfer --pairs pairs.npz --teacher runs/teacher/landmarks_visible_teacher.safetensors
--output runs/transfer``

The thermal network has the teacher's architecture, so that features can go from one to the other; it is compressed in
the next stage. Dual-injected distillation is on by default, feature and prediction distillation are for comparison.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from thermal_kd_ros.models.landmarker import Landmarker
from training.data.coco import DataError
from training.data.compositing import load_backgrounds
from training.data.head_cache import HeadCache
from training.data.paired_crops import PairConfig, PairedCrops
from training.device import usable_device
from training.landmarks.backbone import backbone_of
from training.landmarks.fit import (
    Settings,
    Sources,
    Terms,
    add_options,
    build,
    chosen,
    digest,
    fit,
    heads_before,
    load_network,
    run,
    started_from,
    task_loss,
)
from training.landmarks.matching import check_network
from training.landmarks.stage_options import add_decay, add_network, add_pairs, decay_of, network_of, pairs_of
from training.losses.dikd import INJECTIONS, feature_distillation, forward_injection, freeze, reverse_injection
from training.losses.schedules import DecaySchedule
from training.options import check_number
from training.provenance import of_models

TARGETS = ("truth", "teacher")


@dataclass(frozen=True)
class TransferSettings(Settings):
    """Training with a visible-light teacher."""

    name: str = "landmarks_transfer"
    crops: PairConfig = PairConfig()
    forward: float = 1.0
    """Weight of forward injection (a)."""
    reverse: float = 1.0
    """Weight of reverse injection (b)."""
    features: float = 0.0
    """Weight of feature distillation (FD)."""
    predictions: float = 0.0
    """Weight of prediction distillation (LD)."""
    target: str = "truth"
    """What injected predictions are compared with: ``truth`` or the ``teacher``'s own prediction."""
    injection: str = "swap"
    keep: float = 0.5
    """Share of the thermal features if the injection is ``mix``."""
    gain: float = 1.0
    """Factor of the visible features if the injection is ``add``."""
    bridge: bool = False
    """Whether thermal features take the scale of visible ones before they enter the visible head."""
    bridge_forward: bool = False
    """Whether visible features take the scale of thermal ones before they enter the thermal head."""
    decay: DecaySchedule = DecaySchedule()
    from_teacher: bool = False
    """Whether the thermal network starts from the teacher's weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target not in TARGETS:
            raise ValueError(f"target '{self.target}' is none of {', '.join(TARGETS)}")
        if self.injection not in INJECTIONS:
            raise ValueError(f"injection '{self.injection}' is none of {', '.join(INJECTIONS)}")
        check_number("--keep", self.keep, 0, 1)
        check_number("--gain", self.gain, 0)
        if self.imagenet and self.from_teacher:
            raise ValueError("--imagenet and --from-teacher are two starts: leave one out")


class Transfer:
    """The loss of a batch of pairs; with all four weights at 0 it is that of training without a teacher."""

    def __init__(self, settings: TransferSettings, teacher: Landmarker | None) -> None:
        self.settings, self.teacher = settings, teacher
        if teacher is not None:
            freeze(teacher)

    def __call__(self, model: Landmarker, batch: list[torch.Tensor], progress: float) -> tuple[torch.Tensor, Terms]:
        """(model, [thermal, its points, visible, its points], progress) to the loss and its terms."""
        settings, teacher = self.settings, self.teacher
        images, target, seen, seen_target = batch
        with torch.autocast(images.device.type, torch.bfloat16):
            thermal = model.encode(images)
            prediction = model.predict(thermal)
        loss, terms = task_loss(prediction, target, settings.likelihood, settings.loss)
        weight = settings.decay.weight(progress)
        if teacher is None or weight == 0:
            return loss, terms
        with torch.autocast(images.device.type, torch.bfloat16):
            with torch.no_grad():
                visible = teacher.encode(seen)
                guess, _ = teacher.predict(visible)
            if settings.forward:
                injected = forward_injection(model, visible, thermal, settings.injection, settings.keep, settings.gain,
                                             settings.bridge_forward)
            if settings.reverse:
                returned = reverse_injection(teacher, thermal, visible if settings.bridge else None)
        # The two cameras need not be aligned: what the teacher says of its image is carried over point by point.
        carried = guess - seen_target + target
        if settings.forward:
            terms["forward"] = self._told(injected, guess, seen_target)
            loss = loss + weight * settings.forward * terms["forward"]
        if settings.reverse:
            terms["reverse"] = self._told(returned, carried, target)
            loss = loss + weight * settings.reverse * terms["reverse"]
        if settings.features:
            terms["features"] = feature_distillation([level.float() for level in thermal],
                                                     [level.float() for level in visible])
            loss = loss + weight * settings.features * terms["features"]
        if settings.predictions:
            terms["predictions"] = self._as_the_teacher(prediction, carried)
            loss = loss + weight * settings.predictions * terms["predictions"]
        return loss, terms

    def _told(self, prediction: tuple[torch.Tensor, torch.Tensor], guess: torch.Tensor, truth: torch.Tensor
              ) -> torch.Tensor:
        """The loss of an injected prediction, to the teacher's guess or to the truth as ``target`` says."""
        if self.settings.target == "teacher":
            return self._as_the_teacher(prediction, guess)
        return task_loss(prediction, truth, self.settings.likelihood, self.settings.loss)[0]

    def _as_the_teacher(self, prediction: tuple[torch.Tensor, torch.Tensor], guess: torch.Tensor) -> torch.Tensor:
        """The loss of points alone: sigma tells of the error to the truth, not to the teacher."""
        return self.settings.loss.of((prediction[0], prediction[1].detach()), guess)


def load_teacher(settings: Settings, name: str, device: torch.device) -> Landmarker:
    """The teacher; raises DataError if its features do not fit a network of the settings' architecture."""
    card, teacher = load_network(name)
    check_network(name, card, teacher.spec, "transfer", channels=3, size=settings.spec.size)
    if teacher.spec != replace(settings.spec, channels=3):
        backbone = backbone_of(card)
        raise DataError(f"{name} is a network of {teacher.spec}, and the thermal one would be {settings.spec}: "
                        "features cannot go between them; give "
                        + (f"--backbone {backbone}" if backbone and backbone != settings.backbone
                           else f"--widths {' '.join(map(str, teacher.spec.widths))}"
                           if teacher.spec.widths != settings.spec.widths else "another --teacher"))
    return teacher.to(device).to(memory_format=torch.channels_last)


def train(settings: TransferSettings, pairs: list[Path], teacher: str, output: Path, data: Path | None,
          device: torch.device, workers: int) -> Path:
    """Run the stage; returns the path of the thermal network's model file."""
    photos = load_backgrounds(data)
    crops = PairedCrops(HeadCache(pairs, visible_light=True), photos, settings.seed, settings.crops)
    network = load_teacher(settings, teacher, device)
    model = build(settings, device)
    if settings.from_teacher:
        model = started_from(model, network)
    objective = Transfer(settings, network)
    sources = Sources({"--pairs": pairs, "--data": data, "--teacher": digest(network)},
                      heads_before(photos).merged(of_models(teacher)))
    return fit(settings, model, crops, objective, output, device, workers, sources)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    defaults = TransferSettings()
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.transfer",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="caches of face_renderer --visible")
    parser.add_argument("--teacher", required=True, help="model file of the teacher stage")
    add_network(parser, "as the teacher has")
    for name, what in (("forward", "forward injection"), ("reverse", "reverse injection"),
                       ("features", "feature distillation"), ("predictions", "prediction distillation")):
        parser.add_argument(f"--{name}", type=float, default=getattr(defaults, name), help=f"weight of {what}")
    parser.add_argument("--target", choices=TARGETS, default=defaults.target)
    parser.add_argument("--injection", choices=INJECTIONS, default=defaults.injection,
                        help="whether visible features stand for thermal ones, are mixed with them or added to them")
    parser.add_argument("--keep", type=float, default=defaults.keep, metavar="SHARE",
                        help="of the thermal features in a mix")
    parser.add_argument("--gain", type=float, default=defaults.gain, help="factor of added visible features")
    parser.add_argument("--bridge", action="store_true", help="match feature scales before the visible head")
    parser.add_argument("--bridge-forward", action="store_true", help="match feature scales before the thermal head")
    parser.add_argument("--from-teacher", action="store_true", help="start from the teacher's weights")
    add_decay(parser, defaults.decay)
    add_pairs(parser, defaults.crops)
    add_options(parser, defaults)
    args = parser.parse_args(argv)

    def stage() -> Path:
        settings = TransferSettings(
            **network_of(args, defaults.spec), forward=args.forward, reverse=args.reverse,
            features=args.features, predictions=args.predictions, target=args.target, injection=args.injection,
            keep=args.keep, gain=args.gain, bridge=args.bridge, bridge_forward=args.bridge_forward,
            from_teacher=args.from_teacher, decay=decay_of(args), crops=pairs_of(args, defaults.crops),
            **chosen(args))  # type: ignore[arg-type]
        return train(settings, args.pairs, args.teacher, args.output, args.data, usable_device(args.device),
                     args.workers)

    return run(stage)


if __name__ == "__main__":
    sys.exit(main())
