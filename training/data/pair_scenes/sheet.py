"""A picture sheet of rendered pairs, thermal above visible, with their boxes.

``python3 -m training.data.pair_scenes.sheet docs/rendered_pairs.jpg --assets data/render_assets``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.images import write_image
from thermal_kd_ros.simulation.camera import decode, encode
from training.command import command
from training.data.coco import DataError
from training.data.pair_scenes.casting import Cast
from training.data.pair_scenes.sensors import RenderedPair
from training.data.render_pairs import render_pair
from training.outputs import check_picture

_COLOURS = {"person": (90, 255, 90), "car": (255, 170, 60), "bicycle": (255, 90, 255), "dog": (40, 140, 255),
            "cheetah": (40, 230, 255), "other_vehicle": (255, 255, 90)}
_IGNORED = (150, 150, 150)
_COLUMNS = 6


def tile(pair: RenderedPair) -> np.ndarray:
    """(2 H, W, 3) uint8 BGR: the thermal image, stretched for display, with boxes, over the visible one."""
    shown = pair.thermal.dtype == np.uint8
    grey = pair.thermal if shown else encode(decode(pair.thermal, "centikelvin"), "display8")[0]
    thermal = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for box, label, ignore in zip(pair.scene.boxes, pair.scene.labels, pair.scene.ignore, strict=True):
        x1, y1, x2, y2 = (int(v) for v in box)
        cv2.rectangle(thermal, (x1, y1), (x2 - 1, y2 - 1), _IGNORED if ignore else _COLOURS[label], 1)
    return np.vstack([thermal, cv2.cvtColor(pair.visible, cv2.COLOR_RGB2BGR)])


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.pair_scenes.sheet",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--assets", type=Path, default=None)
    parser.add_argument("--seed", type=int, nargs="+", default=list(range(12)), help="scenes to show")
    args = parser.parse_args(argv)
    if min(args.seed) < 0:
        parser.error("--seed takes numbers from 0 on")
    check_picture(args.output)
    cast = Cast(args.assets)
    tiles = [tile(render_pair(seed, cast, 0.4, (320, 256))) for seed in tqdm(args.seed, unit="pair")]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    sheet = cv2.resize(np.vstack(rows), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    write_image(args.output, sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
