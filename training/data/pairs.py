"""Aligned thermal and visible images with one set of boxes, for teachers that see what the student cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.data.coco import CocoDetection, DataError, Sample, read_raster, sizes_on_disk

VISIBLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class PairedSample:
    """One scene seen by two cameras, registered: a box holds in both images."""

    thermal: np.ndarray
    """(H, W) uint8, uint16 or float32: whatever the source has."""
    visible: np.ndarray
    """(H, W, 3) uint8, red green blue, the same H and W as ``thermal``."""
    boxes: np.ndarray
    """(N, 4) float32, x1 y1 x2 y2 in pixels of either image."""
    labels: np.ndarray
    """(N,) int64 into the model's classes; -1 marks an ignore region."""
    labelled: np.ndarray
    """(C,) bool: classes that this sample's data set labels. The others give no loss here."""

    def check(self, where: str) -> PairedSample:
        """Itself; raises DataError, naming ``where``, for shapes or values that cannot be a registered pair."""
        if self.thermal.ndim != 2:
            raise DataError(f"{where}: the thermal image has the shape {self.thermal.shape}, wanted is (height, width)")
        if self.visible.ndim != 3 or self.visible.shape[2] != 3 or self.visible.dtype != np.uint8:
            raise DataError(f"{where}: the visible image is {self.visible.dtype} {self.visible.shape}, wanted is uint8 "
                            "(height, width, 3)")
        if self.thermal.shape != self.visible.shape[:2]:
            raise DataError(f"{where}: the thermal image is {self.thermal.shape} and the visible one "
                            f"{self.visible.shape[:2]} pixels (height, width): register and crop the pair first")
        if self.boxes.shape != (len(self.labels), 4):
            raise DataError(f"{where}: {len(self.labels)} labels for boxes of shape {self.boxes.shape}")
        if len(self.labels) and not -1 <= self.labels.min() <= self.labels.max() < len(self.labelled):
            raise DataError(f"{where}: labels from {self.labels.min()} to {self.labels.max()}, but there are "
                            f"{len(self.labelled)} classes")
        height, width = self.thermal.shape
        limit = np.array([width, height, width, height], np.float32) + 1e-3
        for i, box in enumerate(self.boxes):
            if not (np.isfinite(box).all() and (box >= -1e-3).all() and (box <= limit).all()):
                raise DataError(f"{where}: box {i}, {box.tolist()}, leaves the {width} x {height} image")
            if (box[2:] - box[:2]).min() <= 0:
                raise DataError(f"{where}: box {i}, {box.tolist()}, has no area")
        return self


def thermal_values(sample: Sample | PairedSample) -> np.ndarray:
    """The thermal image (H, W) of a sample with or without a visible half."""
    return sample.thermal if isinstance(sample, PairedSample) else sample.values


def match_stems(names: list[str], visible: Path, whole: bool = False) -> list[Path]:
    """The visible image of each thermal file name: the file in the folder ``visible`` with the same stem.

    ``whole``: the names are all there are, so that a visible image beside them has lost its partner. Raises DataError
    naming the files without a partner, or with two.
    """
    if not visible.is_dir():
        raise DataError(f"{visible} is missing: it holds the visible half of each pair, under the thermal file's name")
    found: dict[str, Path] = {}
    for path in sorted(path for path in visible.iterdir() if path.suffix.lower() in VISIBLE_SUFFIXES):
        if found.setdefault(path.stem, path) != path:
            raise DataError(f"{visible} has both {found[path.stem].name} and {path.name}: which of them is the visible "
                            "half?")
    stems: dict[str, str] = {}
    for name in names:
        if stems.setdefault(Path(name).stem, name) != name:
            raise DataError(f"{stems[Path(name).stem]} and {name} would have the same visible half in {visible}: give "
                            "each thermal image a name of its own")
    lonely = [name for name in names if Path(name).stem not in found]
    if lonely:
        raise DataError(f"{len(lonely)} of {len(names)} thermal images have no visible partner in {visible}: "
                        f"{_some(lonely)}")
    if whole and (lonely := [path.name for path in found.values() if path.stem not in stems]):
        raise DataError(f"{len(lonely)} of {len(found)} visible images in {visible} have no thermal partner: "
                        f"{_some(lonely)}")
    return [found[Path(name).stem] for name in names]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def check_halves(thermal: list[Path], visible: list[Path]) -> list[tuple[int, int]]:
    """(width, height) of each pair; raises DataError for files that are missing or no image, and for unequal halves."""
    sizes = sizes_on_disk(thermal)
    for first, size, path, other in zip(thermal, sizes, visible, sizes_on_disk(visible), strict=True):
        if size != other:
            raise DataError(f"{path} is {other[0]} x {other[1]} pixels, its thermal half {first.name} is "
                            f"{size[0]} x {size[1]}: register and crop the pair first")
    return sizes


class PairedCoco:
    """A COCO split of thermal images, <root>/<split>/, with the visible half in <root>/<split>_visible/.

    Partners share their stem. The thermal half alone is an ordinary COCO set, so that evaluation needs nothing else.
    Raises DataError for what CocoDetection refuses, for thermal images without a partner, and for unequal halves.
    """

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None, absent: tuple[str, ...] = (),
                 background: tuple[str, ...] = ()) -> None:
        self._thermal = CocoDetection(root, split, classes, absent, background)
        self.classes, self.labelled, self.name = self._thermal.classes, self._thermal.labelled, self._thermal.name
        names = [entry["file_name"] for entry in self._thermal.images]
        self._visible = match_stems(names, root / f"{split}_visible")
        check_halves([self._thermal.folder / name for name in names], self._visible)

    def __len__(self) -> int:
        return len(self._thermal)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of pair ``i``, without reading its pixels."""
        return self._thermal.boxes(i)

    def where(self, i: int) -> str:
        """The visible file of pair ``i``."""
        return str(self._visible[i])

    def __getitem__(self, i: int) -> PairedSample:
        sample: Sample = self._thermal[i]
        visible = read_raster(self._visible[i], cv2.IMREAD_COLOR)
        return PairedSample(sample.values, cv2.cvtColor(visible, cv2.COLOR_BGR2RGB), sample.boxes, sample.labels,
                            sample.labelled).check(self.where(i))
