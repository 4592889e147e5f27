"""Frames of a folder of labelled thermal clips as a COCO set: real scenery, in which nobody is.

``python3 -m training.data.prepare_sky --clips data/drone_ir --output data/sky``

For the infrared clips of Svanström et al., "A Dataset for Multi-Sensor Drone Detection", Data in Brief 2021 (CC0 1.0):
airplanes, birds, drones and helicopters over forests, fields and roofs. To a detector of people and vehicles all of it
is background. ``boxes.json`` names videos, categories and one box a frame; the last clip of each category is for
validation, so that no scenery is in both splits.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.images import write_image
from training.command import command
from training.data.coco import DataError, write_listing
from training.options import check_number

CATEGORIES = ("airplane", "bird", "drone", "helicopter")


def read_listing(clips: Path) -> tuple[dict[int, str], dict[int, int], dict[tuple[int, int], list[dict[str, Any]]]]:
    """Files by video, category numbers by video, and rows with ``bbox`` and ``category_id`` by (video, frame).

    Raises DataError for a missing or strange ``boxes.json``.
    """
    path = clips / "boxes.json"
    try:
        content = json.loads(path.read_bytes())
        names = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
        files = {int(video["id"]): str(video["file_name"]) for video in content["videos"]}
        shown: dict[int, int] = {}
        rows: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for entry in content["annotations"]:
            category = CATEGORIES.index(names[int(entry["category_id"])]) + 1
            box = [float(value) for value in entry["bbox"]]
            if len(box) != 4 or min(box[2:]) <= 0 or not np.isfinite(box).all():
                raise ValueError(f"{entry['bbox']} is no box")
            shown[int(entry["video_id"])] = category
            rows.setdefault((int(entry["video_id"]), int(entry["frame_index"])), []).append(
                {"category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    except FileNotFoundError:
        raise DataError(f"{path} is missing: --clips is the folder with the clips and that list of boxes") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the list of the clips' boxes ({error!r})") from None
    return files, shown, rows


def splits_of(files: dict[int, str], shown: dict[int, int]) -> dict[int, str]:
    """'val' for the last clip, by name, of each category with more than one, else 'train'."""
    split = dict.fromkeys(files, "train")
    for category in set(shown.values()):
        own = sorted((video for video in files if shown.get(video) == category), key=files.__getitem__)
        if len(own) > 1:
            split[own[-1]] = "val"
    return split


def frames(path: Path, step: int) -> list[tuple[int, np.ndarray]]:
    """Every ``step``-th frame with its number, (H, W) uint8; raises DataError for what is no video."""
    video = cv2.VideoCapture(str(path))
    found: list[tuple[int, np.ndarray]] = []
    number = 0
    while True:
        good, image = video.read()
        if not good:
            break
        if number % step == 0:
            found.append((number, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)))
        number += 1
    video.release()
    if not found:
        raise DataError(f"{path} cannot be read as a video")
    return found


def prepare(clips: Path, output: Path, step: int) -> dict[str, int]:
    """Write both splits; returns how many images each has.

    Raises DataError, or OSError where nothing can be written.
    """
    files, shown, rows = read_listing(clips)
    splits = splits_of(files, shown)
    listings: dict[str, list[tuple[dict[str, Any], list[dict[str, Any]]]]] = {"train": [], "val": []}
    for video, name in tqdm(sorted(files.items(), key=lambda entry: entry[1]), unit="clip"):
        folder, listing = output / splits[video], listings[splits[video]]
        for number, image in frames(clips / name, step):
            file = f"{Path(name).stem}_{number:05d}.png"
            write_image(folder / file, image)
            listing.append(({"id": len(listing) + 1, "file_name": file, "width": image.shape[1],
                             "height": image.shape[0]}, rows.get((video, number), [])))
    for split, entries in listings.items():
        write_listing(output / f"{split}.json", entries, CATEGORIES)
    return {split: len(entries) for split, entries in listings.items()}


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.prepare_sky",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with the clips and boxes.json")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--step", type=int, default=8, help="take every so many frames")
    args = parser.parse_args(argv)
    check_number("--step", args.step, 1)
    counts = prepare(args.clips, args.output, args.step)
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
