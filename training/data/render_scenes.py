"""Render random thermal scenes once, as a COCO data set that training then reads like any other.

``python3 -m training.data.render_scenes --output runs/scenes --count 1200``

Pictures are 16-bit PNG in centikelvin and 8-bit PNG with a camera's own contrast, by turns. Rendering starts where a
killed run stopped.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.images import write_image
from thermal_kd_ros.output import written_aside
from thermal_kd_ros.simulation.config import KINDS
from thermal_kd_ros.simulation.random_frames import random_scene_frame
from thermal_kd_ros.simulation.truth import SimulatedFrame
from training.command import command
from training.data.coco import DataError, write_listing
from training.options import check_rendering
from training.outputs import check_place
from training.workers import workers

CATEGORIES = ("person", "bicycle", "car", "face", "ignore", "ignored_face")
"""An ``ignored_face`` is too small, turned or hidden to be learnt or asked for as a face; what does not look for faces
at all need not pass over it."""
SIZES = ((640, 512), (640, 480), (320, 256), (384, 288))
"""(width, height) of common thermal cameras, in turn."""
_ELSEWHERE = 500_000_000
"""Scenes of other splits than train have seeds from here on, so that none is in both."""


def annotations_of(frame: SimulatedFrame) -> list[dict[str, object]]:
    """COCO annotations of a frame, without ids."""
    rows: list[tuple[np.ndarray, str]] = [
        (box, "ignore" if ignore else name)
        for box, name, ignore in zip(frame.boxes, frame.labels, frame.ignore, strict=True)]
    rows += [(face.box, "ignored_face" if face.ignore else "face") for face in frame.faces]
    found: list[dict[str, object]] = []
    for box, name in rows:
        x1, y1, x2, y2 = (round(float(v), 2) for v in box)
        found.append({"category_id": CATEGORIES.index(name) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                      "area": (x2 - x1) * (y2 - y1), "iscrowd": 0})
    return found


def render(job: tuple[int, Path]) -> tuple[int, int, int, list[dict[str, object]]]:
    """Render scene ``seed`` into its folder: returns seed, width, height and annotations."""
    seed, folder = job
    width, height = SIZES[seed % len(SIZES)]
    kind = KINDS[(seed // len(SIZES)) % len(KINDS)]
    sidecar = folder / f"{seed:06d}.json"
    if not sidecar.exists():
        # Every other scene as an 8-bit picture with a camera's own contrast, as most recorded thermal video is.
        unit = "centikelvin" if seed // (len(SIZES) * len(KINDS)) % 2 else None
        frame = random_scene_frame(seed, width, height, kind, unit)
        write_image(folder / f"{seed:06d}.png", frame.image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        # The sidecar comes last, so that it vouches for the picture.
        with written_aside(sidecar) as path:
            path.write_text(json.dumps(annotations_of(frame)))
    return seed, width, height, json.loads(sidecar.read_text())


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.render_scenes",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--split", default="train", help="name of the folder in --output")
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0,
                        help="first scene; scenes of train differ from those of all other splits, whatever it is")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(argv)
    folder, listing = args.output / args.split, args.output / f"{args.split}.json"
    check_rendering(args.count, args.seed, args.processes, last_seed=_ELSEWHERE // 2)
    if args.split in ("", ".", "..") or Path(args.split).name != args.split:
        raise DataError(f"--split {args.split}: give the name of a folder in --output, such as train or val")
    check_place(listing)
    folder.mkdir(exist_ok=True)
    first = args.seed + (0 if args.split == "train" else _ELSEWHERE)
    jobs = [(first + i, folder) for i in range(args.count)]
    with workers(args.processes) as pool:
        done = tqdm(pool.map(render, jobs, chunksize=4), total=len(jobs), unit="scene")
        write_listing(listing, (({"id": seed, "file_name": f"{seed:06d}.png", "width": width, "height": height}, rows)
                                for seed, width, height, rows in done), CATEGORIES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
