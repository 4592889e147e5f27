"""Join a checkout of RoadScene with FLIR's box list to a paired data set with boxes.

``python3 -m training.data.prepare_roadscene --roadscene RoadScene --flir training.csv validation.csv video.csv
--output runs/roadscene``

RoadScene (Xu et al., "U2Fusion", TPAMI 2020) holds registered crops of frames of FLIR's ADAS set, turned and scaled;
FLIR's boxes belong to the whole frames, which RoadScene holds too. The crop's place in the frame is found by matching
features, and the boxes follow. Images and boxes are under FLIR's terms of use: what this writes, and models trained on
it, stay with whoever agreed to them.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.output import written_aside
from training.command import command
from training.data.coco import DataError, write_listing

CLASSES = {1: "person", 2: "bicycle", 3: "car", 17: "dog", 18: "dog"}
"""FLIR's class numbers; those not named here become ignore regions."""
CATEGORIES = ("person", "bicycle", "car", "dog", "ignore")
_HEADER = ["image_name", "class_id", "xmin", "xmax", "ymin", "ymax"]
VALIDATION = (("FLIR_", 977, 1274), ("FLIR_", 4593, 4735), ("FLIR_", 5573, 5987), ("FLIR_", 7360, 7504),
              ("FLIR_", 7968, 8094), ("FLIR_", 9336, 9652), ("FLIR_video_", 3894, 4215))
"""Frames of the source, first and last, that are held out. FLIR's frames are cut from drives: at least 50 frames of the
source lie between each of these stretches and the nearest training image, so that no street corner is in both.
"""
MIN_INLIERS = 40
MIN_VISIBLE = 0.3
"""A box of which less lies in the crop becomes an ignore region."""


def split_of(stem: str) -> str:
    """'val' or 'train' for a file name without its ending, such as FLIR_00006."""
    prefix, _, number = stem.rpartition("_")
    held_out = number.isdigit() and any(prefix + "_" == p and a <= int(number) <= b for p, a, b in VALIDATION)
    return "val" if held_out else "train"


def read_boxes(paths: list[Path]) -> dict[str, list[tuple[int, np.ndarray]]]:
    """Class number and box (4,) x1 y1 x2 y2 of every line, by the frame's name without its ending.

    Raises DataError for a missing file, another header, or a line that is no box.
    """
    found: dict[str, list[tuple[int, np.ndarray]]] = {}
    for path in paths:
        try:
            rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        if not rows or rows[0] != _HEADER:
            raise DataError(f"{path} is not FLIR's list of boxes: its first line should be {','.join(_HEADER)}")
        for line, row in enumerate(rows[1:], start=2):
            try:
                name, *numbers = row
                label, x1, x2, y1, y2 = map(int, numbers)
            except ValueError:
                raise DataError(f"{path}, line {line}: {','.join(row)} is not a name and five whole numbers") from None
            found.setdefault(Path(name).stem, []).append((label, np.array([x1, y1, x2, y2], np.float64)))
    return found


def registration(frame: np.ndarray, crop: np.ndarray) -> tuple[np.ndarray, int]:
    """The homography (3, 3) from a frame's pixels to those of a crop of it, and how many features agree on it.

    SIFT features (Lowe, IJCV 2004) with the ratio test and RANSAC; pixel centres at whole numbers.
    """
    sift = cv2.SIFT.create(nfeatures=3000, contrastThreshold=0.01)
    points, features = sift.detectAndCompute(frame, np.empty(0))
    goals, wanted = sift.detectAndCompute(crop, np.empty(0))
    if len(points) < 4 or len(goals) < 4:
        return np.eye(3), 0
    pairs = [best for best, *second in cv2.BFMatcher().knnMatch(features, wanted, k=2)
             if second and best.distance < 0.8 * second[0].distance]
    if len(pairs) < 4:
        return np.eye(3), 0
    source = np.array([points[pair.queryIdx].pt for pair in pairs], np.float32)
    goal = np.array([goals[pair.trainIdx].pt for pair in pairs], np.float32)
    cv2.setRNGSeed(0)  # the same crop gives the same boxes
    matrix, inliers = cv2.findHomography(source, goal, cv2.RANSAC, 2.0)
    return (np.eye(3), 0) if matrix is None else (matrix, int(inliers.sum()))


def mapped(boxes: np.ndarray, matrix: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) of the frame in the crop: the hull of their moved corners (N, 4), clipped, and which share of each
    hull lies in the crop (N,). Continuous coordinates; ``matrix`` is for pixel centres at whole numbers.
    """
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) - 0.5
    moved = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), matrix).reshape(-1, 4, 2) + 0.5
    hull = np.concatenate([moved.min(1), moved.max(1)], axis=1)
    clipped = np.clip(hull, 0, [width, height, width, height])
    area = np.prod(hull[:, 2:] - hull[:, :2], axis=1)
    left = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1)
    return clipped.astype(np.float32), left / np.maximum(area, 1e-9)


def _image(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return image


def _rows(stem: str, listed: list[tuple[int, np.ndarray]], matrix: np.ndarray, width: int, height: int
          ) -> list[dict[str, object]]:
    boxes = np.stack([box for _, box in listed])
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        bad = boxes[(boxes[:, 2:] <= boxes[:, :2]).any(axis=1)][0].astype(int).tolist()
        raise DataError(f"{stem}: box {bad} (x1, y1, x2, y2) of the list has no area")
    clipped, share = mapped(boxes, matrix, width, height)
    rows: list[dict[str, object]] = []
    for (number, _), box, inside in zip(listed, clipped, share, strict=True):
        x1, y1, x2, y2 = (round(float(v), 2) for v in box)
        if x2 - x1 < 2 or y2 - y1 < 2:
            continue
        name = CLASSES.get(number, "ignore") if inside >= MIN_VISIBLE else "ignore"
        rows.append({"category_id": CATEGORIES.index(name) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                     "area": (x2 - x1) * (y2 - y1), "iscrowd": 0})
    return rows


def prepare(roadscene: Path, lists: list[Path], output: Path) -> dict[str, int]:
    """Write train and val; returns how many images each has, and how many were left out for want of boxes.

    Raises DataError for missing folders, unpaired files, sizes that differ, and crops not found in their frames.
    """
    crops, visible, frames = (roadscene / name for name in ("cropinfrared", "crop_LR_visible", "infrared"))
    for folder in (crops, visible, frames):
        if not folder.is_dir():
            raise DataError(f"{folder} is missing: --roadscene names a checkout of RoadScene, which holds "
                            "cropinfrared, crop_LR_visible and infrared")
    boxes = read_boxes(lists)
    names = sorted(path.name for path in crops.glob("*.jpg"))
    if not names:
        raise DataError(f"{crops} holds no .jpg file: --roadscene names a checkout of RoadScene")
    lonely = [n for n in names if not (visible / n).is_file() or not (frames / n).with_suffix(".png").is_file()]
    if lonely:
        raise DataError(f"{len(lonely)} crops lack their visible half or their whole frame: {', '.join(lonely[:5])}")
    content: dict[str, list[tuple[str, int, int, list[dict[str, object]]]]] = {"train": [], "val": []}
    lost, without = [], 0
    for name in tqdm(names, desc="registering", unit="image"):
        stem = Path(name).stem
        if stem not in boxes:
            without += 1  # nobody says that nothing is in it
            continue
        crop, frame = _image(crops / name), _image((frames / name).with_suffix(".png"))
        if crop.shape != (other := _image(visible / name)).shape:
            raise DataError(f"{stem}: the infrared crop is {crop.shape} and the visible one {other.shape} pixels "
                            "(height, width): the pair is not registered")
        matrix, agreed = registration(frame, crop)
        if agreed < MIN_INLIERS:
            lost.append(stem)
            continue
        height, width = crop.shape
        content[split_of(stem)].append((name, width, height, _rows(stem, boxes[stem], matrix, width, height)))
    if lost:
        raise DataError(f"{len(lost)} crops were not found in their whole frames: {', '.join(lost[:5])}; are the "
                        "folders of one checkout?")
    if not any(content.values()):
        raise DataError(f"the list names none of the {len(names)} images of {crops}: it is of another set")
    for split, entries in content.items():
        _write(split, entries, crops, visible, output)
    return {"train": len(content["train"]), "val": len(content["val"]), "without boxes": without}


def _write(split: str, entries: list[tuple[str, int, int, list[dict[str, object]]]], crops: Path, visible: Path,
           output: Path) -> None:
    listing = []
    for i, (name, width, height, rows) in enumerate(entries, start=1):
        for source, folder in ((crops, output / split), (visible, output / f"{split}_visible")):
            with written_aside(folder / name) as path:
                shutil.copyfile(source / name, path)
        listing.append(({"id": i, "file_name": name, "width": width, "height": height}, rows))
    write_listing(output / f"{split}.json", listing, CATEGORIES)


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.prepare_roadscene",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--roadscene", type=Path, required=True, help="checkout of RoadScene")
    parser.add_argument("--flir", type=Path, required=True, nargs="+",
                        help="FLIR's boxes as csv: image_name,class_id,xmin,xmax,ymin,ymax")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    counts = prepare(args.roadscene, args.flir, args.output)
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
