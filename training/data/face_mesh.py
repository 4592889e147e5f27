"""The ICT FaceKit morphable head as a light mesh for rendering.

Source: Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020; mesh under the MIT licence.
Coordinates of the head are centimetres, x to the subject's left, y up, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54
from training.data.archives import read_arrays
from training.data.coco import DataError

_SKIN, _BUST, _GUMS, _TEETH = 0, 1, 2, 3
_SCLERAS = (4, 6)
_SLIDE_STEPS = 16

# Expressions that exclude each other or that do nothing to the outside.
_EXCLUSIVE = (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"), ("mouthFunnel", "mouthStretch_L"),
              ("browDown_L", "browOuterUp_L"), ("eyeBlink_L", "eyeWide_L"), ("mouthSmile_L", "mouthFrown_L"))


@dataclass(frozen=True)
class HeadModel:
    """Neutral head and its modes, reduced to what can be seen."""

    neutral: np.ndarray
    """(V, 3) float32, cm."""
    faces: np.ndarray
    """(F, 3) int32, counter-clockwise from outside."""
    material: np.ndarray
    """(F,) uint8: 0 skin and bust, 1 eyes, 2 inside of the mouth."""
    identity: np.ndarray
    """(40, V, 3) float32."""
    expression: np.ndarray
    """(E, V, 3) float32."""
    expression_names: tuple[str, ...]
    landmarks: np.ndarray
    """(54,) vertices of the sf_tl54 points."""
    slides: dict[int, np.ndarray]
    """Jaw point to the vertices (n,) that it may slide over when the jaw line itself is hidden, outside first."""


_ARRAYS = ("expression_names", "faces", "face_material", "neutral", "landmarks68", "identity", "expression")


def load_head(path: Path) -> HeadModel:
    """Read and reduce ``ict_face.npz``; raises DataError if it is missing, damaged or another archive."""
    if not path.is_file():
        raise DataError(f"{path} is missing: the renderer needs the ICT FaceKit archive of the render assets")
    archive = read_arrays(path, "the ICT FaceKit archive of the render assets")
    if lacking := set(_ARRAYS) - archive.keys():
        raise DataError(f"{path} lacks the arrays {', '.join(sorted(lacking))}: it is not the ICT FaceKit archive")
    names = tuple(str(name) for name in archive["expression_names"])
    faces, material = archive["faces"].astype(np.int32), archive["face_material"]
    kept = np.isin(material, (_SKIN, _BUST, _GUMS, _TEETH, *_SCLERAS))
    faces, material = faces[kept], material[kept]
    used = np.unique(faces)
    index = np.full(len(archive["neutral"]), -1, np.int32)
    index[used] = np.arange(len(used))
    neutral = archive["neutral"][used].astype(np.float32)
    skin = np.unique(index[faces[material == _SKIN]])
    landmarks = index[archive["landmarks68"][list(IBUG68_TO_SF_TL54)]]
    kind = np.zeros(len(material), np.uint8)
    kind[np.isin(material, _SCLERAS)] = 1
    kind[np.isin(material, (_GUMS, _TEETH))] = 2
    return HeadModel(neutral, index[faces], kind, archive["identity"][:, used].astype(np.float32),
                     archive["expression"][:, used].astype(np.float32), names, landmarks,
                     _slides(neutral, skin, landmarks))


def _slides(neutral: np.ndarray, skin: np.ndarray, landmarks: np.ndarray) -> dict[int, np.ndarray]:
    """For the jaw points above the chin: skin vertices on the horizontal line from the point to the middle of the face.

    Annotators put hidden jaw points on the contour that they see; on the mesh that contour lies on these lines
    (landmark marching, Zhu et al., "High-Fidelity Pose and Expression Normalization", CVPR 2015).
    """
    front = skin[neutral[skin, 2] > 2.0]
    slides = {}
    for jaw in (*range(6), *range(11, 17)):
        start = neutral[landmarks[jaw]]
        # The lines run slightly down towards the mouth for points low on the jaw, as the jaw itself does.
        goal_x = 0.25 * start[0]
        x = np.linspace(start[0], goal_x, _SLIDE_STEPS)
        y = np.full_like(x, start[1])
        near = front[np.sign(neutral[front, 0]) == np.sign(start[0])]
        distance = (neutral[near, None, 0] - x) ** 2 + (neutral[near, None, 1] - y) ** 2
        # Among vertices at the same place seen from the front the foremost is the skin, not the inside of the mouth.
        distance = distance - 0.002 * neutral[near, None, 2]
        slides[jaw] = np.concatenate([[landmarks[jaw]], near[distance.argmin(axis=0)]])
    return slides


def random_shape(model: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """(V, 3) a random person with a random expression, cm."""
    weights = np.clip(rng.standard_normal(len(model.identity)), -2.5, 2.5).astype(np.float32)
    vertices = model.neutral + np.tensordot(weights * np.float32(rng.uniform(0.6, 1.1)), model.identity, 1)
    strength = dict.fromkeys(model.expression_names, 0.0)
    if rng.random() < 0.85:
        for name in rng.choice(model.expression_names, rng.integers(2, 6), replace=False):
            amount = rng.uniform(0.1, 0.9)
            strength[name] = amount
            # Most faces move both halves together.
            if name.endswith(("_L", "_R")) and rng.random() < 0.85:
                strength[name[:-1] + ("R" if name.endswith("_L") else "L")] = amount * rng.uniform(0.8, 1.0)
    if rng.random() < 0.3:
        strength["jawOpen"] = max(strength["jawOpen"], rng.uniform(0.1, 1.0))
    if rng.random() < 0.25:
        strength["eyeBlink_L"] = strength["eyeBlink_R"] = rng.uniform(0.5, 1.0)
    for first, second in _EXCLUSIVE:
        strength[first if rng.random() < 0.5 else second] = 0.0
    strength["mouthClose"] = min(strength["mouthClose"], strength["jawOpen"])
    active = [(i, strength[name]) for i, name in enumerate(model.expression_names) if strength[name] > 0]
    for i, amount in active:
        vertices += np.float32(amount) * model.expression[i]
    # Ethnic and age differences beyond the modes: overall proportions.
    return vertices * rng.normal(1.0, 0.03, 3).astype(np.float32)


def visible_contour(points: np.ndarray, model: HeadModel, projected: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Slide hidden jaw points to the visible contour.

    Args:
        points: (54, 2) projected landmarks, pixels.
        projected: (V, 2) all projected vertices.
        up: (2,) direction from chin to brows in the image.

    Returns:
        (54, 2), the points 0-5 and 11-16 moved to where their line reaches farthest out.
    """
    moved = points.copy()
    side = np.array([-up[1], up[0]])  # towards the subject's left in an unmirrored image
    for jaw, line in model.slides.items():
        reach = projected[line] @ side
        moved[jaw] = projected[line[reach.argmin() if jaw < 8 else reach.argmax()]]
    return moved
