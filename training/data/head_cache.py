"""Rendered heads in memory, with their landmarks where annotators of thermal faces put them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.archives import read_arrays
from training.data.coco import DataError
from training.data.head_variation import vary_below_jaw, vary_regions, warm_orbits

_RAISED: dict[tuple[int, ...], float] = {
    (0, 16): -0.67, (1, 15): -0.59, (2, 14): -0.54, (3, 13): -0.48, (4, 12): -0.36, (5, 11): -0.25,
    (6, 7, 9, 10): -0.18,
    (17, 26): 0.14, (18, 25): -0.08, (19, 24): -0.17, (20, 23): -0.26, (21, 22): -0.36,
    (27,): -0.05, (28,): -0.27, (29, 30): -0.48, (31, 35): -0.06, (32, 34): -0.25, (33,): -0.31,
    (36, 45): 0.17, (37, 44): 0.28, (38, 43): 0.22, (39, 42): 0.25, (40, 47): 0.20, (41, 46): 0.24,
    (48, 50, 49): 0.12, (51,): -0.17, (52,): 0.09, (53,): -0.09,
}
"""How far thermal annotations lie above the mesh's landmark vertices, cm.

In a thermal image the eye is the warm orbit and the brow its cool upper rim, so both are marked nearer to each other
than the anatomy is; the jaw line starts level with the eyes, and the cool tip of the nose is marked low. Measured over
the labels of two people (driver_faces 1_*) and made symmetric: first as the mean difference between each label and the
nearest rendered faces, then for all but the mouth as 0.7 of the mean height that a network trained with the former was
off by; on heads whose ``axes`` were a tenth too short, so that nine tenths of that is meant.
"""
OFFSETS_SOURCE = ("mean offsets measured on the labels of driver_faces people 1_* (Knapik et al., Electronics 13(17), "
                  "3502, 2024; academic and research use only), which are no independent test")
"""Where these come from, for the card of every model that saw points of these heads, or boxes around them."""


def convention_offsets() -> np.ndarray:
    """(54, 3) cm along the head's axes from the mesh's landmark vertices to where annotators put the points."""
    offsets = np.zeros((54, 3), np.float32)
    for points, height in _RAISED.items():
        offsets[list(points), 1] = height
    return offsets


def even_jaw(points: np.ndarray) -> np.ndarray:
    """Points (54, 2) with the jaw points of each half (0-8, 8-16) spread evenly along the line through them.

    Annotators space them evenly on the contour that they see; the mesh's points crowd at the chin, and in turned faces
    on the far side.
    """
    out = points.copy()
    for half in (slice(0, 9), slice(8, 17)):
        line = points[half]
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        goal = np.linspace(0.0, length[-1], 9)
        out[half] = np.stack([np.interp(goal, length, line[:, k]) for k in (0, 1)], axis=1)
    return out


class HeadCache:
    """Rendered heads in memory; raises DataError if a file is missing or damaged, or patches differ in size.

    Args:
        paths: archives of face_renderer.
        visible_light: whether to load the ``colours`` (N, size, size, 3) as well; None without.
    """

    def __init__(self, paths: list[Path], visible_light: bool = False) -> None:
        parts: list[dict[str, np.ndarray]] = []
        names = ("patches", "points", "visible", "axes", "pose", "ambient") + ("colours",) * visible_light
        for path in paths:
            if not path.is_file():
                raise DataError(f"{path} is missing; write it with python3 -m training.data.face_renderer")
            part = read_arrays(path, "a cache of heads; render it again", names)
            if missing := set(names) - set(part):
                raise DataError(f"{path} lacks {', '.join(sorted(missing))}; render it anew"
                                + (" with --visible" if "colours" in missing else ""))
            parts.append(part)
        sizes = {part["patches"].shape[1:] for part in parts}
        if len(sizes) > 1:
            raise DataError(f"{', '.join(map(str, paths))} hold patches of different sizes: {sorted(sizes)}")
        joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
        self.patches = joined["patches"]
        self.ambient = joined["ambient"]
        self.axes = joined["axes"]
        self.pose = joined["pose"]
        self.visible = joined["visible"]
        self.colours: np.ndarray | None = joined.get("colours")
        self.points = np.stack([even_jaw(points) for points in joined["points"] + convention_offsets() @ self.axes])

    def __len__(self) -> int:
        return len(self.patches)

    def head(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """°C (size, size) float32 (0 outside), coverage (size, size) float32, points (54, 2) of head ``i``.

        ``rng`` varies what costs no new rendering: the warmth of the eye sockets, unless glasses or a turned head hide
        them, nose, lips and cheeks, the contrast within the face, the neck and the collar.
        """
        counts = self.patches[i]
        mask = (counts > 0).astype(np.float32)
        patch = counts.astype(np.float32) / 100 - 273.15
        if self.visible[i, 36:48].mean() > 0.5 and rng.random() < 0.7:
            warm_orbits(patch, mask, self.points[i], self.axes[i], rng)
        if abs(self.pose[i, 0]) < 60:
            vary_regions(patch, mask, self.points[i], self.visible[i], self.axes[i], rng)
        if abs(self.pose[i, 0]) < 90:
            vary_below_jaw(patch, mask, self.points[i], self.axes[i], float(self.ambient[i]), rng)
        return patch * mask, mask, self.points[i]
