"""The false-colour images of a COCO set as grey ones in which warmer is brighter.

``python3 -m training.data.prepare_dogs_people --images data/dogs_people --output data/dogs_people_grey``

For Roboflow's "Thermal Dogs and People", whose camera (Seek Compact XR) paints temperatures from black over blue,
green, yellow and red to white. Luminance, which is what a reader without knowledge of the palette takes, is brightest
at yellow: warm bodies become dark with bright rims. Every image has the palette as a bar along its lower or left side,
so the temperature's rank can be had back: that of the bar's nearest colour.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.images import write_image
from training.command import command
from training.data.coco import CocoDetection, DataError

SPLITS = ("train", "val")
BAR = 6
"""Pixels that the bar is wide, with its blurred edge."""
_PALETTE = np.array([[255, 255, 255], [248, 112, 113], [250, 109, 10], [240, 250, 5], [80, 185, 5], [5, 137, 130],
                     [0, 84, 218], [10, 10, 90], [4, 3, 3]], np.float32)
"""Red, green and blue of the bar from its hot end on, at equal distances, as seen in the images."""
_FURTHEST = 30.0
"""Mean difference, of 255, up to which a side of an image is such a bar."""


def bar_of(image: np.ndarray) -> tuple[int, np.ndarray]:
    """The bar in an RGB image (H, W, 3) uint8: its side, 0 below or 1 at the left, and colours (N, 3), hot to cold.

    Raises ValueError where neither side is the palette.
    """
    sides = image[-2:].mean(0), image[:, :2].mean(1)
    differences = []
    for colours in sides:
        at = np.linspace(0, len(_PALETTE) - 1, len(colours))
        wanted = np.column_stack([np.interp(at, np.arange(len(_PALETTE)), channel) for channel in _PALETTE.T])
        differences.append(float(np.abs(colours - wanted).mean()))
    side = int(np.argmin(differences))
    if differences[side] > _FURTHEST:
        raise ValueError("neither its lower nor its left side is the bar of the palette")
    return side, sides[side]


def warmth(image: np.ndarray) -> np.ndarray:
    """Grey (H, W) uint8, the warmer the brighter, of an RGB image (H, W, 3) uint8 with its palette beside it.

    The bar itself becomes what is next to it. Raises ValueError for an image without one.
    """
    side, colours = bar_of(image)
    rank = np.linspace(255, 0, len(colours))
    # Of |a - b|^2 only what depends on the bar's colour b.
    scores = image.reshape(-1, 3).astype(np.float32) @ colours.T - (colours ** 2).sum(1) / 2
    grey = rank[scores.argmax(1)].round().astype(np.uint8).reshape(image.shape[:2])
    # Where two far colours meet, the picture's compression makes others in between.
    grey = np.asarray(cv2.medianBlur(grey, 3))
    if side == 0:
        grey[-BAR:] = grey[-BAR - 1]
    else:
        grey[:, :BAR] = grey[:, BAR : BAR + 1]
    return grey


def prepare(images: Path, output: Path) -> int:
    """Write the set anew; the number of images. Raises DataError."""
    count = 0
    for split in SPLITS:
        names = [str(entry["file_name"]) for entry in CocoDetection(images, split).images]
        (output / split).mkdir(parents=True, exist_ok=True)
        for name in tqdm(names, desc=split, unit="image", disable=None):
            picture = cv2.imread(str(images / split / name), cv2.IMREAD_COLOR)
            if picture is None:
                raise DataError(f"{images / split / name} cannot be read")
            try:
                write_image(output / split / name, warmth(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
            except ValueError as error:
                raise DataError(f"{images / split / name}: {error}; this is for images of dogs_people") from None
        shutil.copyfile(images / f"{split}.json", output / f"{split}.json")
        count += len(names)
    return count


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.prepare_dogs_people",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, required=True,
                        help="folder of the set: train.json beside train/, and val")
    parser.add_argument("--output", type=Path, required=True, help="folder to write the set to")
    args = parser.parse_args(argv)
    print(f"{prepare(args.images, args.output)} images in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
