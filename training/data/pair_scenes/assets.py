"""Reading the mesh archives: human.npz (bodies, garments, poses) and vehicles.npz.

In the archives y points up and +z is where a body or vehicle looks; here y points down and the front is towards -z.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.archives import read_arrays
from training.data.coco import DataError

AXES = np.array([1.0, -1.0, -1.0], np.float32)
"""From an archive's axes to those of :mod:`model`: half a turn about x, so that windings stay."""


def read_archive(folder: Path, name: str, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """All arrays of an archive. Raises DataError if it is missing, damaged or lacks one of ``wanted``."""
    path = folder / name
    try:
        arrays = read_arrays(path, "a mesh archive")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: --assets names the folder with human.npz and vehicles.npz; without "
                        "--assets simple stand-ins are drawn") from None
    lacking = [key for key in wanted if key not in arrays]
    if lacking:
        raise DataError(f"{path} lacks the arrays {', '.join(lacking)}: it is not the archive that is wanted here")
    return arrays


class HumanAssets:
    """The morphable, posable, dressable body.

    Raises DataError for a missing or strange archive.
    """

    def __init__(self, folder: Path) -> None:
        a = read_archive(folder, "human.npz", ("vertices", "faces", "target_delta", "joint_rest", "pose_rot", "region",
                                               "skin_joint", "item_names"))
        self.arrays = a
        self.targets = {name: i for i, name in enumerate(a["target_names"].tolist())}
        self.poses = {name: i for i, name in enumerate(a["pose_names"].tolist())}
        self.joints = {name: i for i, name in enumerate(a["joint_names"].tolist())}
        self.regions = a["region_names"].tolist()
        self.items: dict[str, list[str]] = {}
        for name, kind in zip(a["item_names"].tolist(), a["item_kind"].tolist(), strict=True):
            self.items.setdefault(kind, []).append(name)
        self.n_body = int(a["n_body"])
        self.skin_weight = a["skin_weight"].astype(np.float32)

    def shaped(self, weights: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) and joints (J, 3) in rest pose, archive axes, with shape targets at the given weights."""
        a = self.arrays
        vertices, joints = a["vertices"].copy(), a["joint_rest"].copy()
        for name, weight in weights.items():
            i = self.targets[name]
            vertices += a["target_delta"][i].astype(np.float32) * (float(a["target_unit_m"]) * weight)
            joints += a["joint_target_delta"][i] * np.float32(weight)
        return vertices, joints

    def transforms(self, joints: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Global joint transforms (J, 4, 4) and the blended one of every vertex (V, 4, 4)."""
        count = len(joints)
        local: np.ndarray = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
        local[:, :3, :3] = rotations
        local[:, :3, 3] = joints - np.einsum("jab,jb->ja", rotations, joints)
        for j, parent in enumerate(self.arrays["joint_parent"].tolist()):
            if parent >= 0:
                local[j] = local[parent] @ local[j]
        flat = local.reshape(count, 16)
        blend = np.zeros((len(self.skin_weight), 16), np.float32)
        for k in range(self.skin_weight.shape[1]):
            used = np.flatnonzero(self.skin_weight[:, k])
            blend[used] += flat[self.arrays["skin_joint"][used, k]] * self.skin_weight[used, k, None]
        return local, blend.reshape(-1, 4, 4)

    def item(self, name: str, vertices: np.ndarray, blend: np.ndarray, waist: float
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A garment or hair on a body: posed vertices (n, 3), faces (f, 3), how far each vertex hangs off the body
        (n,) metres, whether it lies below the waist (n,), which is ``waist`` metres over the origin in rest pose.
        """
        a = self.arrays
        bind, weight = a[f"item_{name}_bind"], a[f"item_{name}_weight"]
        index, reference = a[f"item_{name}_scale_idx"], a[f"item_{name}_scale_ref"]
        scale = np.array([abs(vertices[index[k, 0], k] - vertices[index[k, 1], k]) / reference[k] for k in range(3)])
        offset = a[f"item_{name}_offset"] * scale.astype(np.float32)
        rest = (vertices[bind] * weight[..., None]).sum(1) + offset
        share = np.maximum(weight, 0)
        share /= share.sum(1, keepdims=True)
        posed = moved((blend[bind] * share[..., None, None]).sum(1), rest)
        # Arms reach down beside the hips in rest pose.
        below = (rest[:, 1] < waist) & (np.abs(rest[:, 0]) < 0.27)
        return posed, a[f"item_{name}_faces"].astype(np.int32), np.linalg.norm(offset, axis=1), below


def moved(transforms: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) each moved by its own (4, 4)."""
    return np.einsum("nij,nj->ni", transforms[:, :3, :3], points) + transforms[:, :3, 3]
