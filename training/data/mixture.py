"""Detection data sets by their kinds, and several as one stream of augmented, contrast-normalised training images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from thermal_kd_ros.config import ContrastConfig, ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.tone import TemporalTone
from training.data.augment import AugmentConfig, affine, daylight, random_matrix, sensor
from training.data.coco import CocoDetection, DataError, Sample
from training.data.field_layouts import LAYOUTS, FieldPairs
from training.data.pairs import PairedCoco, PairedSample, thermal_values
from training.data.registration import MOST_SHIFT, check_registration
from training.data.sampling import drawn
from training.losses.detection import Targets


class DetectionSource(Protocol):
    """What a data set must offer."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Sample | PairedSample: ...


class LabelledSource(DetectionSource, Protocol):
    """A data set on disk, which tells its labels without reading an image."""

    name: str
    """What messages call it."""
    classes: tuple[str, ...]
    labelled: np.ndarray
    """(C,) bool: the classes that it labels."""

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of image ``i``."""


KINDS = ("coco", "pairs", *LAYOUTS)
"""What ``open_source`` knows."""


def open_source(kind: str, root: Path, split: str, classes: tuple[str, ...] | None = None,
                absent: tuple[str, ...] = (), background: tuple[str, ...] = (), visible: bool = False,
                most_shift: float = MOST_SHIFT) -> LabelledSource:
    """A split of the data set in the folder ``root``, for training and for measuring alike.

    Args:
        kind: one of KINDS.
        root: the set's folder.
        split: as the set calls it.
        classes: the model's; without them, the set's own.
        absent: classes that are not labelled because none is in the set: background there, not unknown.
        background: labels without a class of the model that are background; others are ignore regions.
        visible: the visible half is looked at: the set must consist of pairs, and their halves must lie on each other.
        most_shift: by which part of the image's width or height they may lie apart; infinity: any.

    Raises DataError for all that makes the set unusable, before any epoch begins.
    """
    if kind not in KINDS:
        raise DataError(f"unknown kind of data '{kind}'; known: {', '.join(KINDS)}")
    # The thermal half of pairs alone is an ordinary coco set.
    layouts = {"coco": CocoDetection, "pairs": PairedCoco if visible else CocoDetection, **LAYOUTS}
    source = layouts[kind](root, split, classes, absent, background)
    if visible:
        if not isinstance(source, PairedCoco | FieldPairs):
            raise DataError(f"{root}: {kind} has thermal images alone; visible light takes pairs")
        if math.isfinite(most_shift):
            check_registration(source, root.name, most_shift)
    return source


@dataclass(frozen=True)
class Part:
    """One data set of a mixture."""

    data: DetectionSource
    repeat: float
    """Images of this set in an epoch, as a multiple of its length."""
    augment: AugmentConfig
    weights: np.ndarray | None = None
    """How often each image is drawn against the others, (N,) positive; none: all alike."""

    def any_image(self, rng: np.random.Generator) -> int:
        """An image of the set, drawn as often as its weight says."""
        share = None if self.weights is None else self.weights / self.weights.sum()
        return int(rng.choice(len(self.data), p=share))


class Mixture(Dataset[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]):
    """Augmented images of an epoch; item ``i`` of epoch ``e`` depends on (seed, e, i) alone, so a resumed run repeats.

    Items are image (1, H, W) float32, boxes (N, 4), labels (N,), labelled (C,). With ``visible``, which asks for paired
    data, the image is (4, H, W): thermal, red, green, blue. Both halves have gone through the same geometry, and each
    through photometric changes of its own; the thermal half is the same as without ``visible``.
    """

    def __init__(self, parts: list[Part], size: tuple[int, int], seed: int, contrast: ContrastConfig,
                 visible: bool = False) -> None:
        self.parts, self.size, self.seed, self.contrast, self.visible = parts, size, seed, contrast, visible
        self.epoch = 0
        self.mosaic_on = True
        self.order: list[tuple[int, int]] = []
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the epoch's order."""
        self.epoch = epoch
        rng = np.random.default_rng((self.seed, epoch))
        order: list[tuple[int, int]] = []
        for p, part in enumerate(self.parts):
            count = round(part.repeat * len(part.data))
            if part.weights is not None:
                order += [(p, int(i)) for i in drawn(part.weights, count, rng)]
                continue
            whole = [rng.permutation(len(part.data)) for _ in range(count // len(part.data) + 1)]
            order += [(p, int(i)) for i in np.concatenate(whole)[:count]]
        rng.shuffle(order)
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def _one(self, p: int, i: int, size: tuple[int, int], rng: np.random.Generator
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        part = self.parts[p]
        sample = part.data[i]
        frame = ThermalFrame.from_array(thermal_values(sample), ThermalConfig())
        image = TemporalTone(self.contrast).update(frame).apply(frame.values)
        matrix = random_matrix(rng, image.shape, size, sample.boxes, sample.labels, part.augment)
        if self.visible:
            if not isinstance(sample, PairedSample):
                raise DataError(f"part {p} of the experiment has thermal images alone; visible light takes pairs")
            # One array of four planes: what warps one half warps the other.
            image = np.dstack([image, sample.visible.astype(np.float32) / 255])
        image, boxes, labels = affine(image, sample.boxes, sample.labels, matrix, *size, part.augment.min_visible)
        return image, boxes, labels, sample.labelled

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        p, i = self.order[index]
        part = self.parts[p]
        rng = np.random.default_rng((self.seed, self.epoch, index))
        height, width = self.size
        if self.mosaic_on and rng.random() < part.augment.mosaic:
            # Four of the same set, so that they label the same classes.
            image = np.zeros((*self.size, 4) if self.visible else self.size, np.float32)
            boxes, labels = [], []
            half = (height // 2, width // 2)
            for k, (y, x) in enumerate([(0, 0), (0, half[1]), (half[0], 0), half]):
                j = i if k == 0 else part.any_image(rng)
                tile, tile_boxes, tile_labels, labelled = self._one(p, j, half, rng)
                image[y : y + half[0], x : x + half[1]] = tile
                boxes.append(tile_boxes + np.array([x, y, x, y], np.float32))
                labels.append(tile_labels)
            all_boxes, all_labels = np.concatenate(boxes), np.concatenate(labels)
        else:
            image, all_boxes, all_labels, labelled = self._one(p, i, self.size, rng)
        if not self.visible:
            return sensor(image, rng, part.augment)[None], all_boxes, all_labels, labelled
        thermal = sensor(np.ascontiguousarray(image[..., 0]), rng, part.augment)
        other = np.random.default_rng((self.seed, self.epoch, index, 1))
        visible = daylight(image[..., 1:], other, part.augment)
        return np.concatenate([thermal[None], visible.transpose(2, 0, 1)]), all_boxes, all_labels, labelled


def collate(items: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, Targets]:
    """Items of a mixture to images (B, 1 or 4, H, W) and padded targets."""
    most = max(1, *(len(boxes) for _, boxes, _, _ in items))
    images = torch.from_numpy(np.stack([image for image, _, _, _ in items]))
    boxes = torch.zeros(len(items), most, 4)
    labels = torch.full((len(items), most), -2, dtype=torch.long)
    for b, (_, item_boxes, item_labels, _) in enumerate(items):
        boxes[b, : len(item_boxes)] = torch.from_numpy(item_boxes)
        labels[b, : len(item_labels)] = torch.from_numpy(item_labels)
    labelled = torch.from_numpy(np.stack([known for _, _, _, known in items]))
    return images, Targets(boxes, labels, labelled)
