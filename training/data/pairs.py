"""Aligned thermal and visible images with one set of boxes, for teachers that see what the student cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from training.data.coco import CocoDetection, DataError, Sample, read_raster

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


class PairedSource(Protocol):
    """What a paired data set must offer."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> PairedSample: ...


def match_stems(names: list[str], visible: Path) -> list[Path]:
    """The visible image of each thermal file name: the file in the folder ``visible`` with the same stem.

    Raises DataError naming the files without a partner.
    """
    if not visible.is_dir():
        raise DataError(f"{visible} is missing: it holds the visible half of each pair, under the thermal file's name")
    found = {path.stem: path for path in visible.iterdir() if path.suffix.lower() in VISIBLE_SUFFIXES}
    lonely = [name for name in names if Path(name).stem not in found]
    if lonely:
        raise DataError(f"{len(lonely)} of {len(names)} thermal images have no visible partner in {visible}: "
                        f"{', '.join(lonely[:5])}{' ...' if len(lonely) > 5 else ''}")
    return [found[Path(name).stem] for name in names]


class PairedCoco:
    """A COCO split of thermal images, <root>/<split>/, with the visible half in <root>/<split>_visible/.

    Partners share their stem. The thermal half alone is an ordinary COCO set, so that evaluation needs nothing else.
    Raises DataError for what CocoDetection refuses, and for unpaired files.
    """

    def __init__(self, root: Path, split: str, classes: tuple[str, ...] | None = None, absent: tuple[str, ...] = (),
                 background: tuple[str, ...] = ()) -> None:
        self._thermal = CocoDetection(root, split, classes, absent, background)
        self.classes = self._thermal.classes
        names = [entry["file_name"] for entry in self._thermal.images]
        self._visible = match_stems(names, root / f"{split}_visible")

    def __len__(self) -> int:
        return len(self._thermal)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of pair ``i``, without reading its pixels."""
        return self._thermal.boxes(i)

    def __getitem__(self, i: int) -> PairedSample:
        sample: Sample = self._thermal[i]
        visible = read_raster(self._visible[i], cv2.IMREAD_COLOR)
        return PairedSample(sample.values, cv2.cvtColor(visible, cv2.COLOR_BGR2RGB), sample.boxes, sample.labels,
                            sample.labelled).check(str(self._visible[i]))


def common_shift(pairs: PairedSource, most: int = 24, size: int = 256) -> tuple[float, float, float]:
    """By how much the visible images of a set lie off their thermal partners: (x, y, sureness).

    x and y are parts of the image's width and height, positive where the visible image lies to the right or below.
    Phase correlation (Kuglin and Hines, 1975) of the edges of up to ``most`` pairs, whose spectra are added, because
    one pair of two modalities says little. Sureness is the height of the peak in deviations of the correlation; without
    a common shift it is about 5.
    """
    window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)
    total = np.zeros((size, size // 2 + 1), np.complex128)
    for i in np.linspace(0, len(pairs) - 1, min(most, len(pairs))).round().astype(int):
        sample = pairs[int(i)]
        spectra = []
        for image in (sample.thermal, cv2.cvtColor(sample.visible, cv2.COLOR_RGB2GRAY)):
            small = cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
            smooth = cv2.GaussianBlur(small, (0, 0), 1.5)
            edges = np.log1p(cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)))
            spectra.append(np.fft.rfft2((edges - edges.mean()) * window))
        cross = spectra[1] * spectra[0].conj()
        total += cross / (np.abs(cross) + 1e-9)
    # Low frequencies alone: fine edges of the two modalities do not agree.
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    surface = np.fft.irfft2(total * np.exp(-(rows**2 + columns**2) / (2 * 0.08**2)), s=(size, size))
    y, x = np.unravel_index(surface.argmax(), surface.shape)
    sureness = float((surface.max() - surface.mean()) / (surface.std() + 1e-12))
    return ((int(x) + size // 2) % size - size // 2) / size, ((int(y) + size // 2) % size - size // 2) / size, sureness


def check_registration(pairs: PairedSource, where: str, most_shift: float = 0.02) -> None:
    """Raise DataError, naming ``where``, if the halves of the pairs surely lie apart by a common shift.

    ``most_shift`` is a part of the image's width or height.
    """
    x, y, sureness = common_shift(pairs)
    if sureness > 10.0 and max(abs(x), abs(y)) > most_shift:
        raise DataError(f"{where}: the visible images lie {100 * x:+.1f} % of the width and {100 * y:+.1f} % of the "
                        "height off their thermal partners: register the pairs first, a box must hold in both")
