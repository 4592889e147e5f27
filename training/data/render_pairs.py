"""Render aligned thermal and visible scenes of streets, yards and rooms, as COCO data sets with boxes.

``python3 -m training.data.render_pairs --output runs/pairs --count 2500 --assets data/render_assets``

Writes <output>/train/ and val/ (thermal, 16-bit PNG in centikelvin; a share of them as 8-bit pictures as cameras show
them), <output>/train_visible/ and val_visible/ (JPEG of the same name), and train.json and val.json in COCO's layout,
whose boxes hold in both. Rendering goes on where a killed run stopped, and another ``--seed`` adds other scenes: the
json lists all pairs of the folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.images import write_image
from thermal_kd_ros.output import written_aside
from training.command import command
from training.data.coco import DataError, write_listing
from training.data.pair_scenes.casting import Cast
from training.data.pair_scenes.scene import random_scene
from training.data.pair_scenes.sensors import RenderedPair, photograph
from training.options import check_number, check_rendering

CATEGORIES = ("person", "bicycle", "car", "other_vehicle", "dog", "cheetah", "ignore")
SIZES = ((320, 256), (384, 288), (480, 384), (640, 512))
"""(width, height) of common thermal cameras and crops of them."""
_SIZE_WEIGHTS = (0.45, 0.25, 0.15, 0.15)
SETTINGS = "settings.json"
"""File of an output folder that says what its pairs were rendered with."""
_VAL_SEED = 1_000_000_000
"""Validation scenes use seeds from here on, training scenes those below, so that no scene is in both."""


def render_pair(seed: int, cast: Cast, display_share: float, size: tuple[int, int] | None = None) -> RenderedPair:
    """The pair of a seed, (width, height) ``size`` pixels, or any of :data:`SIZES` for None."""
    rng = np.random.default_rng((seed, 6))
    drawn = SIZES[int(rng.choice(len(SIZES), p=_SIZE_WEIGHTS))]
    scene = random_scene(seed, *(size or drawn), cast)
    return photograph(scene, seed, display_share)


def annotations_of(pair: RenderedPair) -> list[dict[str, object]]:
    """COCO annotations of a pair, without ids."""
    rows: list[dict[str, object]] = []
    scene = pair.scene
    for box, label, ignore in zip(scene.boxes, scene.labels, scene.ignore, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        rows.append({"category_id": CATEGORIES.index("ignore" if ignore else label) + 1,
                     "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0})
    return rows


def write_pair(pair: RenderedPair, output: Path, split: str, name: str) -> None:
    """Both images and a sidecar with size and annotations; the sidecar comes last and vouches for them."""
    write_image(output / split / f"{name}.png", pair.thermal, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    write_image(output / f"{split}_visible" / f"{name}.jpg", cv2.cvtColor(pair.visible, cv2.COLOR_RGB2BGR),
                 [cv2.IMWRITE_JPEG_QUALITY, 88])
    height, width = pair.thermal.shape
    with written_aside(output / split / f"{name}.json") as path:
        path.write_text(json.dumps({"width": width, "height": height, "annotations": annotations_of(pair)}))


def render_split(output: Path, split: str, count: int, seed: int, cast: Cast, display_share: float) -> None:
    """Render what is missing of a split, then list all its pairs. Raises OSError where it cannot be written."""
    first = seed + (_VAL_SEED if split == "val" else 0)
    for own in tqdm(range(first, first + count), desc=split, unit="pair"):
        name = f"{own:07d}"
        if not complete(output, split, name):
            write_pair(render_pair(own, cast, display_share), output, split, name)
    list_pairs(output, split)


def complete(output: Path, split: str, name: str) -> bool:
    """Whether both images of a pair are there, with the sidecar that vouches for them."""
    return all(path.is_file() for path in (output / split / f"{name}.json", output / split / f"{name}.png",
                                           output / f"{split}_visible" / f"{name}.jpg"))


def list_pairs(output: Path, split: str) -> None:
    """Write a split's json: every pair that is complete in the folder, by its seed, whichever run rendered it."""
    entries = []
    for sidecar in sorted((output / split).glob("*.json"), key=lambda path: (len(path.stem), path.stem)):
        name = sidecar.stem
        if not (name.isdecimal() and complete(output, split, name)):
            continue
        content = json.loads(sidecar.read_text())
        entries.append(({"id": int(name), "file_name": f"{name}.png", "width": content["width"],
                         "height": content["height"]}, content["annotations"]))
    write_listing(output / f"{split}.json", entries, CATEGORIES)


def agree(output: Path, settings: dict[str, object]) -> None:
    """Note with what a folder is rendered; raises DataError if pairs of other settings lie there already."""
    note = output / SETTINGS
    if note.exists():
        try:
            before = json.loads(note.read_text())
        except ValueError:
            before = None
        if before != settings:
            raise DataError(f"{output} holds pairs rendered with {before}, not with {settings}: delete it, or give "
                            "another --output")
        return
    output.mkdir(parents=True, exist_ok=True)
    with written_aside(note) as path:
        path.write_text(json.dumps(settings, indent=1))


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.render_pairs",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2000, help="training scenes to render from --seed on")
    parser.add_argument("--val", type=int, default=None, help="validation scenes; default a sixteenth of --count")
    parser.add_argument("--seed", type=int, default=0,
                        help="first scene; another seed adds its scenes to those in the folder")
    parser.add_argument("--assets", type=Path, default=None,
                        help="folder with human.npz and vehicles.npz; without it simple stand-ins are drawn")
    parser.add_argument("--bodies", type=int, default=200, help="different posed, dressed people")
    parser.add_argument("--display-share", type=float, default=0.4,
                        help="share of the thermal images written as 8-bit pictures with a camera's own contrast")
    args = parser.parse_args(argv)
    val = args.count // 16 if args.val is None else args.val
    check_rendering(args.count, args.seed, last_seed=_VAL_SEED // 2 - 1)
    check_number("--val", val, 0)
    check_number("--bodies", args.bodies, 1)
    check_number("--display-share", args.display_share, 0, 1)
    cast = Cast(args.assets, args.bodies)
    agree(args.output, {"assets": args.assets is not None, "bodies": args.bodies,
                        "display_share": args.display_share})
    render_split(args.output, "train", args.count, args.seed, cast, args.display_share)
    if val:
        render_split(args.output, "val", val, args.seed, cast, args.display_share)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
