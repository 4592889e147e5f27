"""Labelled frames to check, calibrate and measure exported networks on."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..config import ThermalConfig
from ..evaluation.detection import Truth
from ..evaluation.landmarks import FaceTruth
from ..frames import FrameError, ThermalFrame
from ..images import read_image
from ..layouts import get_layout
from ..simulation.random_frames import random_scene_frame
from .errors import ExportError

_FIRST_SEED = 900_000
"""Far from the seeds that training takes."""
_POINTS = get_layout("sf_tl54").points
_UNJUDGED = frozenset({"dont_care", "ignore"})


@dataclass(frozen=True)
class LabelledFrame:
    """A frame with what is known to be on it."""

    frame: ThermalFrame
    objects: Truth
    faces: FaceTruth | None
    """None where faces have no landmarks."""


def labelled_frames(count: int, data: Path | None = None, split: str = "train", faces: bool = False
                    ) -> list[LabelledFrame]:
    """``count`` frames of a COCO split, spread over it, or of the simulated camera; raises ExportError.

    ``faces`` renders indoor scenes, in which people are near.
    """
    if data is not None:
        return _from_coco(count, data, split)
    kind = "indoor" if faces else None
    return [_rendered(_FIRST_SEED + i, kind) for i in tqdm(range(count), "render", unit="frame", disable=None)]


def _rendered(seed: int, kind: str | None) -> LabelledFrame:
    made = random_scene_frame(seed, kind=kind)
    known = [face for face in made.faces if not face.ignore]
    boxes = np.concatenate([made.boxes, *(face.box[None] for face in made.faces)]).astype(np.float32)
    names = (*made.labels, *("face" for _ in made.faces))
    ignore = np.array([*made.ignore, *(face.ignore for face in made.faces)], bool)
    faces = FaceTruth(np.array([face.box for face in known], np.float32).reshape(-1, 4),
                      np.array([face.landmarks for face in known], np.float32).reshape(-1, _POINTS, 2),
                      np.array([face.box for face in made.faces if face.ignore], np.float32).reshape(-1, 4))
    return LabelledFrame(ThermalFrame.from_array(made.image, ThermalConfig()), Truth(boxes, names, ignore), faces)


def _from_coco(count: int, data: Path, split: str) -> list[LabelledFrame]:
    from pycocotools.coco import COCO

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(data / f"{split}.json"))
        images = coco.loadImgs(coco.getImgIds())
        names = {entry["id"]: entry["name"] for entry in coco.loadCats(coco.getCatIds())}
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ExportError(f"{data / split}.json cannot be read as COCO annotations ({error}); --data names a folder "
                          f"with {split}.json and the images in {split}/") from None
    if len(images) < count:
        raise ExportError(f"{data / split}.json has {len(images)} images, {count} are needed; ask for fewer with "
                          "--frames")
    found = []
    # A stride through the split: neighbours are often frames of one film.
    for i in tqdm(np.linspace(0, len(images) - 1, count).astype(int), "read", unit="frame", disable=None):
        try:
            values = read_image(data / split / images[i]["file_name"])
            frame = ThermalFrame.from_array(values, ThermalConfig())
        except FrameError as error:
            raise ExportError(str(error)) from None
        rows = coco.loadAnns(coco.getAnnIds(imgIds=images[i]["id"]))
        boxes = np.array([row["bbox"] for row in rows], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = tuple(names[row["category_id"]] for row in rows)
        ignore = np.array([bool(row.get("iscrowd")) or name in _UNJUDGED
                           for row, name in zip(rows, labels, strict=True)], bool)
        found.append(LabelledFrame(frame, Truth(boxes, labels, ignore), None))
    return found
