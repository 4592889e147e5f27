"""Landmark layouts: how many points, their mirror images, and the points that metrics need.

Sources: iBUG-68 (Sagonas et al., "300 Faces in-the-Wild", ICCVW 2013); SF-TL54 (Kuzdeuov et al., "SF-TL54: A Thermal
Facial Landmark Dataset with Visual Pairs", SII 2022). "Right" is the subject's right, on the left of an unmirrored
image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IBUG68_TO_SF_TL54: tuple[int, ...] = (*range(48), 48, 51, 54, 57, 62, 66)
"""Index of each sf_tl54 point among the 68 points of iBUG."""

_IBUG68_PAIRS: tuple[tuple[int, int], ...] = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    (31, 35), (32, 34),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67),
)


@dataclass(frozen=True)
class Layout:
    """A set of named landmark points."""

    name: str
    points: int
    mirror: tuple[int, ...]
    """Index of the point that each point becomes when the image is mirrored."""
    outer_eyes: tuple[int, int]
    """The outer eye corners (subject's right, left): their distance normalises the error (NME)."""
    inner_eyes: tuple[int, int]
    """The inner eye corners (canthi), the warmest stable spots of a face."""
    ibug68: tuple[int, ...]
    """Index of each point among the 68 points of iBUG."""

    def mirrored(self, points: np.ndarray, width: float) -> np.ndarray:
        """Points (..., K, 2) of the image of ``width`` pixels mirrored left to right, in the layout's own order."""
        flipped = np.array(points, copy=True)
        flipped[..., 0] = width - flipped[..., 0]
        return flipped[..., list(self.mirror), :]


def _mirror_of(indices: tuple[int, ...]) -> tuple[int, ...]:
    partner = {a: b for a, b in _IBUG68_PAIRS} | {b: a for a, b in _IBUG68_PAIRS}
    return tuple(indices.index(partner.get(i, i)) for i in indices)


LAYOUTS: dict[str, Layout] = {
    "ibug68": Layout("ibug68", 68, _mirror_of(tuple(range(68))), (36, 45), (39, 42), tuple(range(68))),
    "sf_tl54": Layout("sf_tl54", 54, _mirror_of(IBUG68_TO_SF_TL54), (36, 45), (39, 42), IBUG68_TO_SF_TL54),
}


def get_layout(name: str) -> Layout:
    """The layout of that name; raises KeyError naming the known ones."""
    if name not in LAYOUTS:
        raise KeyError(f"unknown landmark layout '{name}'; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
