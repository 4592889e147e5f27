"""Whether the halves of thermal and visible pairs lie on each other: a box must hold in both.

Phase correlation (Kuglin and Hines, 1975) of the edges of both halves, whose spectra are added over many pairs, because
one pair of two modalities says little. Three things are looked for, each of which the others do not show: a shift that
all pairs have, a shift of some of them, and a zoom or turn, which shifts parts of the image differently.

Not seen are pairs that share no edges at all, turns and zooms so large that the edges of no part of the image meet any
more (beyond about 12 degrees or a factor of 1.3), and those of some pairs alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from training.data.coco import DataError

if TYPE_CHECKING:
    from training.data.pairs import PairedSample

SIZE = 256
"""Side, in pixels, of the square that both halves are brought to."""
TILE, STEP = 128, 64
"""Side of the parts of it that are looked at one by one, and the distance from one to the next."""
SURE, SURE_TILE = 10.0, 8.0
"""Heights of a peak, in deviations of the correlation, that say that it is one; without a common shift it is 5 to 7.
Nine tiles that fit one zoom and turn say more than each by itself."""
MOST_SHIFT = 0.02
"""Parts of the image's width or height by which halves may lie apart."""
MOST_AT_CORNERS = 0.03
"""The same for the image's corners, where a zoom or turn shows most."""
LEAST_TILES, MOST_MISFIT = 6, 0.02
"""Tiles that a zoom and turn takes to be believed, and by which part of the image one of them may deviate from it."""
LEAST_PAIRS, LEAST_PART = 3, 0.1
"""Pairs, and part of all pairs looked at, that must agree on a shift of some."""


class PairedSource(Protocol):
    """What a paired data set must offer."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> PairedSample: ...

    def where(self, i: int) -> str:
        """What messages call pair ``i``."""


@dataclass(frozen=True)
class Peak:
    """Where the correlation of two images is highest."""

    x: float
    """Part of the width by which the visible image lies further right."""
    y: float
    """Part of the height by which it lies further down."""
    sureness: float
    """Height in deviations of the correlation."""

    @property
    def size(self) -> float:
        """The larger of the two shifts."""
        return max(abs(self.x), abs(self.y))


def check_registration(pairs: PairedSource, where: str, most_shift: float = MOST_SHIFT) -> None:
    """Raise DataError, naming ``where``, if the halves of the pairs, or of some of them, surely lie apart.

    ``most_shift`` is a part of the image's width or height; at the corners it may be half as much again.
    """
    looked_at = _spread(len(pairs))
    edges = [_edges_of(pairs, i) for i in looked_at]
    spectra = [_cross_spectrum(*both) for both in edges]
    whole = _peak(_sum(spectra))
    if whole.sureness > SURE and whole.size > most_shift:
        raise DataError(f"{where}: the visible images lie {_said(whole)} off their thermal partners: register the "
                        "pairs first, a box must hold in both")
    # Before some of the pairs: those of a turned set have peaks of their own here and there.
    _check_zoom_and_turn(edges, where, most_shift * MOST_AT_CORNERS / MOST_SHIFT)
    _check_some(pairs, looked_at, spectra, where, most_shift)


def _spread(count: int, most: int = 60) -> list[int]:
    """Up to ``most`` of ``count`` numbers, evenly spread."""
    return [int(i) for i in np.linspace(0, count - 1, min(most, count)).round()]


def _edges_of(pairs: PairedSource, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Strength of the edges in the thermal and the visible half of a pair, (SIZE, SIZE) each."""
    sample = pairs[i]
    thermal, visible = (_edges(image) for image in (sample.thermal, cv2.cvtColor(sample.visible, cv2.COLOR_RGB2GRAY)))
    return thermal, visible


def _edges(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1.5)
    return np.log1p(cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)))


def _cross_spectrum(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Phases of the correlation of two squares of one size."""
    window = np.hanning(len(thermal)).astype(np.float32)
    mine, other = (np.fft.rfft2((edges - edges.mean()) * np.outer(window, window)) for edges in (thermal, visible))
    cross = other * mine.conj()
    return cross / (np.abs(cross) + 1e-9)


def _sum(spectra: Iterable[np.ndarray]) -> np.ndarray:
    return np.sum([*spectra], axis=0)


def _peak(spectrum: np.ndarray) -> Peak:
    """The highest place of a correlation, given its spectrum."""
    size = len(spectrum)
    # Low frequencies alone: fine edges of the two modalities do not agree.
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    surface = np.fft.irfft2(spectrum * np.exp(-(rows**2 + columns**2) / (2 * 0.08**2)), s=(size, size))
    y, x = ((int(place) + size // 2) % size - size // 2 for place in np.unravel_index(surface.argmax(), surface.shape))
    return Peak(x / SIZE, y / SIZE, float((surface.max() - surface.mean()) / (surface.std() + 1e-12)))


def _check_some(pairs: PairedSource, looked_at: Sequence[int], spectra: Sequence[np.ndarray], where: str,
                most_shift: float) -> None:
    """Raise DataError if several pairs lie apart by one and the same shift.

    Single pairs err, but each elsewhere: those whose own peak lies off are added, and must have a sure peak together
    that several of them have by themselves.
    """
    own = [_peak(spectrum) for spectrum in spectra]
    off = [i for i, peak in enumerate(own) if peak.size > most_shift]
    if not off:
        return
    shared = _peak(_sum(spectra[i] for i in off))
    alike = [i for i in off if max(abs(own[i].x - shared.x), abs(own[i].y - shared.y)) < 3.5 / SIZE]
    enough = len(alike) >= max(LEAST_PAIRS, LEAST_PART * len(looked_at))
    if enough and shared.sureness > SURE and shared.size > most_shift:
        raise DataError(f"{where}: in at least {len(alike)} of {len(looked_at)} pairs looked at, such as "
                        f"{pairs.where(looked_at[alike[0]])}, the visible image lies {_said(shared)} off its thermal "
                        "partner: register these pairs first, or leave them out")


def _check_zoom_and_turn(edges: Sequence[tuple[np.ndarray, np.ndarray]], where: str, most_at_corners: float) -> None:
    """Raise DataError if shifts of parts of the image fit a zoom or turn that parts the halves at the corners."""
    places, shifts = [], []
    for y in range(0, SIZE - TILE + 1, STEP):
        for x in range(0, SIZE - TILE + 1, STEP):
            tile = slice(y, y + TILE), slice(x, x + TILE)
            peak = _peak(_sum(_cross_spectrum(thermal[tile], visible[tile]) for thermal, visible in edges))
            if peak.sureness > SURE_TILE:
                places.append(((x + TILE / 2) / SIZE - 0.5, (y + TILE / 2) / SIZE - 0.5, 1.0))
                shifts.append((peak.x, peak.y))
    if len(places) < LEAST_TILES:
        return
    # Linear in the place: what zooms, turns and shears do to the first order.
    linear, *_ = np.linalg.lstsq(np.array(places), np.array(shifts), rcond=None)
    misfit = float(np.abs(np.array(places) @ linear - shifts).max())
    corners = np.array([(x, y, 1.0) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) @ linear
    apart = float(np.abs(corners).max())
    if misfit <= MOST_MISFIT and apart > most_at_corners:
        (wide, down), (across, high) = linear[:2].tolist()
        raise DataError(f"{where}: in the corners the visible images lie up to {100 * apart:.1f} % of the width or "
                        f"height off their thermal partners, being {round(100 * wide):+d} % wider, "
                        f"{round(100 * high):+d} % higher and turned by about {_degrees(down, across):.0f} degrees: "
                        "register the pairs first, a box must hold in both")


def _degrees(down: float, across: float) -> float:
    """The turn behind shifts down, in heights per width, and across, in widths per height: their ratio drops out."""
    return math.degrees(math.sqrt(max(0.0, -down * across)))


def _said(peak: Peak) -> str:
    return f"{100 * peak.x:+.1f} % of the width and {100 * peak.y:+.1f} % of the height"
