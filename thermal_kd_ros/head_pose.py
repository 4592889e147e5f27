"""Where heads are and where they look, from their landmarks and the camera's rays (perspective-n-point).

The head's frame is as REP 103 wants it: x forward out of the face, y to the subject's left, z up; its origin lies
between the eyes. Angles are those between the head and a head that faces the camera squarely, its forward axis along
the optical axis: yaw is positive when the subject turns to the own left (right in an unmirrored image), pitch when
looking down, roll when tilting towards the own right shoulder.

Depth rests on the size of an average adult's head: it is off by as much as a head differs from that.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .config import PerceptionConfig
from .faces import without_faces
from .layouts import Layout
from .results import FaceLandmarks, HeadPoses

LAYOUT = "sf_tl54"
"""The landmark layout that the model below belongs to."""
MIN_CONFIDENCE = 0.2
"""Less sure points are left out."""
MIN_POINTS = 8
_WORST_ERROR = 0.10
"""Largest error of a pose, see :func:`solve`: what lies farther from the model is no head that could be placed."""

# Millimetres forward, left, up of the brows (17-26), nose (27-35), eyes (36-47) and outer lips (48-50): the mean face
# of ICT FaceKit (Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020; MIT licence), its
# landmark vertices raised to where thermal annotations lie, and made symmetric. The jaw slides over the skull when a
# head turns, and it drops with the lower lip when a mouth opens: neither says anything about the head.
_RIGHT_AND_MIDDLE = {
    17: (-9.9, -58.2, 17.5), 18: (0.9, -49.3, 22.5), 19: (9.3, -37.9, 24.2), 20: (15.8, -24.1, 23.0),
    21: (18.3, -11.7, 19.8), 27: (18.4, 0.0, 1.9), 28: (26.2, 0.0, -10.8), 29: (34.1, 0.0, -22.9),
    30: (41.7, 0.0, -35.0), 31: (19.7, -12.5, -46.5), 32: (25.2, -6.0, -47.9), 33: (26.7, 0.0, -48.6),
    36: (-3.0, -44.6, 0.3), 37: (4.6, -38.7, 5.0), 38: (6.3, -27.8, 5.1), 39: (3.0, -18.4, -0.3),
    40: (5.1, -27.3, -2.7), 41: (3.3, -38.6, -2.7), 48: (12.9, -25.3, -70.4), 49: (29.4, 0.0, -60.0),
}
_PARTNER = {17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 31: 35, 32: 34, 36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46,
            48: 50}

_NO_DISTORTION = np.zeros(4)
_FACING = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Turns the head's axes into the optical frame (x right, y down, z forward) for a head that faces the camera."""


def _model() -> tuple[np.ndarray, np.ndarray]:
    places = dict(_RIGHT_AND_MIDDLE)
    for right, left in _PARTNER.items():
        forward, side, up = places[right]
        places[left] = (forward, -side, up)
    index = np.array(sorted(places))
    return index, np.array([places[i] for i in index]) / 1000.0


MODEL_INDEX, MODEL_POINTS = _model()
"""(N,) indices into the layout, and (N, 3) metres in the head's frame."""


def without_poses(config: PerceptionConfig, layout: Layout | None) -> list[str]:
    """Why no head can have a pose, each in words; empty if heads can. ``layout`` is that of the landmarks."""
    if reason := without_faces(config.face):
        return [reason]
    reasons = [] if config.face.head_pose else ["face.head_pose is false"]
    if config.thermal.flip:
        # A mirrored camera sees a head that does not exist.
        reasons.append("thermal.flip is true")
    if layout is not None and layout.name != LAYOUT:
        reasons.append(f"face.landmark_model gives the layout {layout.name}, not {LAYOUT}")
    return reasons


def head_poses(faces: FaceLandmarks, rays: Callable[[np.ndarray], np.ndarray]) -> HeadPoses:
    """Poses of F faces; a row is NaN where the points do not allow one.

    Args:
        faces: in the layout sf_tl54.
        rays: continuous pixels (..., 2) to directions (..., 3) with z = 1 in the optical frame, without distortion.

    Raises:
        ValueError: for another layout.
    """
    if faces.layout != LAYOUT:
        raise ValueError(f"head poses need the landmark layout {LAYOUT}, not '{faces.layout}'")
    rotation = np.full((len(faces), 3, 3), np.nan)
    translation = np.full((len(faces), 3), np.nan)
    error = np.full(len(faces), np.nan)
    for i, (points, sure) in enumerate(zip(faces.points, faces.confidence, strict=True)):
        directions = rays(points[MODEL_INDEX])[:, :2].astype(np.float64)
        used = (sure[MODEL_INDEX] >= MIN_CONFIDENCE) & np.isfinite(directions).all(axis=1)
        if used.sum() < MIN_POINTS:
            continue
        found = solve(MODEL_POINTS[used], directions[used])
        if found is not None and found[2] <= _WORST_ERROR:
            rotation[i], translation[i], error[i] = found
    return HeadPoses(rotation, translation, error)


def solve(model: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Rotation (3, 3) and translation (3,) that bring model points (N, 3) onto rays (N, 2) at z = 1, or None.

    The third value is the root mean square distance of the rays, over the angle under which the model's widest extent
    is seen. SQPnP (Terzakis and Lourakis, ECCV 2020) needs no first guess; Levenberg-Marquardt then minimises the
    distance.
    """
    if float(np.ptp(directions, axis=0).max()) < 1e-6:
        return None
    try:
        done, turn, shift = cv2.solvePnP(model, directions, np.eye(3), _NO_DISTORTION, flags=cv2.SOLVEPNP_SQPNP)
        if not done:
            return None
        turn, shift = cv2.solvePnPRefineLM(model, directions, np.eye(3), _NO_DISTORTION, turn, shift)
    except cv2.error:
        return None
    rotation = cv2.Rodrigues(turn)[0]
    shift = shift[:, 0]
    placed = model @ rotation.T + shift
    if not np.isfinite(placed).all() or placed[:, 2].min() <= 0:
        return None
    distance = placed[:, :2] / placed[:, 2:] - directions
    extent = float(np.ptp(model, axis=0).max()) / float(shift[2])
    return rotation, shift, float(np.sqrt((distance**2).sum(axis=1).mean())) / extent


def angles(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (..., 3) in degrees of head rotations (..., 3, 3) in the optical frame; NaN stays NaN."""
    r = np.einsum("ji,...jk->...ik", _FACING, rotation)
    yaw = np.arctan2(r[..., 1, 0], r[..., 0, 0])
    pitch = -np.arcsin(np.clip(r[..., 2, 0], -1.0, 1.0))
    roll = np.arctan2(r[..., 2, 1], r[..., 2, 2])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))


def rotation_of(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The rotation (3, 3) in the optical frame of a head turned by degrees: the inverse of :func:`angles`."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(p), 0, np.sin(p)], [0, 1, 0], [-np.sin(p), 0, np.cos(p)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(r), -np.sin(r)], [0, np.sin(r), np.cos(r)]])
    return _FACING @ about_z @ about_y @ about_x
