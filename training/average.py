"""The mean of two models' weights: of a run at a high learning rate and of what it started from.

``python3 -m training.average detector_nano runs/ground/detector_nano.safetensors --output runs/mean.safetensors``

Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, whose average is over
many points of one run. Batch statistics are averaged along with the weights.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import read, resolve, write
from training.command import command
from training.outputs import check_place
from training.provenance import of_card


def average(first: Path, second: Path, output: Path, share: float = 0.5) -> None:
    """Write ``share`` of the second model's weights and the rest of the first's, with the first one's card.

    The licences and sources of both stand in the card, and no figures, for none was measured on it. Of two detectors
    for inputs of other sizes, which are no matter of the weights, the mean is for the second's. Raises ModelError if
    the two are not the same network with the same classes or layout.
    """
    card, weights = read(first)
    other_card, other = read(second)
    size = () if card.task == "detection" else ("input_height", "input_width")
    for name in ("task", "architecture", "classes", "layout", *size, "normalisation"):
        if getattr(card, name) != getattr(other_card, name):
            raise ModelError(f"{second}: its {name} is not that of {first}: {getattr(other_card, name)} against "
                             f"{getattr(card, name)}")
    if card.licence != other_card.licence:
        raise ModelError(f"{second}: its licence ({other_card.licence}) is not that of {first} ({card.licence})")
    mean = {name: ((1 - share) * value.astype(np.float64) + share * other[name]).astype(value.dtype)
            for name, value in weights.items()}
    data = of_card(card).merged(of_card(other_card)).data
    notes = f"{card.notes}; averaged with {share:g} of {other_card.name} ({other_card.notes})"
    write(output, replace(card, data=data, notes=notes, metrics=(), input_height=other_card.input_height,
                          input_width=other_card.input_width), mean)


@command(ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.average", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("first", help="shipped model or .safetensors file")
    parser.add_argument("second", help="another one of the same network")
    parser.add_argument("--output", type=Path, required=True, help=".safetensors file")
    parser.add_argument("--share", type=float, default=0.5, help="of the second in the mean, 0 to 1")
    args = parser.parse_args(argv)
    if not 0 <= args.share <= 1:
        parser.error("--share lies in 0..1")
    if args.output.suffix != ".safetensors":
        raise ModelError(f"--output {args.output}: give the name of a file that ends in .safetensors")
    check_place(args.output)
    average(resolve(args.first), resolve(args.second), args.output, args.share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
