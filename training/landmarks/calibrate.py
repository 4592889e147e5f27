"""Make a landmark network's own estimate of its error come true on heads that it was not trained on.

``python3 -m training.landmarks.calibrate runs/landmarks/landmarks_light.safetensors --heads held_out.npz --data data``

Sigma of each point and its mirror image gets the factor under which their confidence, in the robot's mean of a crop and
its mirror image, is most likely to be true. The factor goes into the bias of the layer that gives ln sigma, so nothing
changes at run time; the points do not move. The card tells of it, and keeps no figures that were measured before.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from thermal_kd_ros.config import FaceConfig
from thermal_kd_ros.layouts import LAYOUTS, Layout
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import read, resolve, write
from training.card import as_json, record
from training.command import command
from training.data.coco import DataError
from training.data.compositing import load_backgrounds
from training.data.head_cache import HeadCache
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.landmarks.evaluate import Predictions, load, predict_crops, summary
from training.landmarks.reliability import sigma_scale
from training.options import check_seed
from training.outputs import check_place

_BIAS = "spread.bias"
_ON = "rendered held-out heads"


def predictions(name: str, crops: LandmarkCrops, mirror: bool = FaceConfig().mirror) -> Predictions:
    """``predict_crops`` on all crops."""
    images, points = zip(*(crops[i] for i in range(len(crops))), strict=True)
    return predict_crops(name, np.stack(images), np.stack(points), mirror)


def factors_of(found: Predictions, layout: Layout) -> np.ndarray:
    """(K,) factors for sigma, the same for a point and its mirror image.

    Sigma is the mean of a point's and, in the mirrored crop, of its partner's: only a common factor scales that mean.
    """
    distance, partner = np.linalg.norm(found.points - found.truth, axis=2), list(layout.mirror)
    return sigma_scale(np.concatenate([distance, distance[:, partner]]),
                       np.concatenate([found.sigma, found.sigma[:, partner]]), np.tile(found.side, 2))


def calibrate(name: str, heads: list[Path], data: Path | None, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Calibrate a model file in place on the odd heads; returns the figures before and after, on the even ones.

    Raises ModelError, and DataError for a network that is not for these heads or fewer heads than two.
    """
    check_seed(seed)
    path = resolve(name)
    check_place(path)
    card, weights = read(path)
    if _BIAS not in weights:
        raise ModelError(f"{path} has no layer '{_BIAS}': only landmark networks of this project can be calibrated")
    network = load(name)[1]
    crops = LandmarkCrops(HeadCache(heads), load_backgrounds(data), seed, CropConfig(size=network.spec.size))
    if len(crops) < 2:
        raise DataError(f"{', '.join(map(str, heads))}: {len(crops)} heads are too few, one part is fitted to and the "
                        "other measured on")
    found = predictions(name, crops)
    before = summary(part(found, 0))
    fitted = part(found, 1)
    factors = factors_of(fitted, LAYOUTS[card.layout])
    shifted = {**weights, _BIAS: (weights[_BIAS] + np.log(factors)).astype(weights[_BIAS].dtype)}
    notes = (f"{card.notes}; sigma calibrated on {len(fitted.side)} rendered held-out heads: factors "
             f"{factors.min():.2f} to {factors.max():.2f}")
    # The figures there were measured with the former sigma.
    write(path, replace(card, notes=notes, metrics=()), shifted)
    after = summary(part(predictions(name, crops), 0))
    names = ("confidence_error_correlation", "risk_area_percent", "calibration_error")
    command = f"python3 -m training.landmarks.calibrate {path.stem} --heads {' '.join(file.name for file in heads)}"
    if data is not None:
        command += " --data <data>"
    record(path, _ON, {key: after[key] for key in names}, f"{command} --seed {seed}")
    return before, after


def part(found: Predictions, first: int) -> Predictions:
    """Every second face, from ``first``."""
    return Predictions(*(values[first::2] for values in (found.points, found.truth, found.sigma, found.side)))


@command(DataError, ModelError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.calibrate",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="shipped model or path of a .safetensors file; it is changed")
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches of heads never trained on")
    parser.add_argument("--data", type=Path, help="folder with hit_uav for backgrounds")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    before, after = calibrate(args.model, args.heads, args.data, args.seed)
    print(json.dumps({"before": as_json(before, 4), "after": as_json(after, 4)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
