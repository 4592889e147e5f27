"""A parametric human head: shape, expression, and the 68 iBUG landmarks as exact points on its surface.

The surface is a polar height field r(azimuth, y) around the vertical axis through the ears, so that every landmark is a
fixed (azimuth, y), that is, a fixed barycentric point of the mesh: whatever deforms the mesh carries it along.

Head frame: origin between the ear canals at the height of the eyes, x to the subject's left (image right), y down,
z to the back of the head; the face looks along -z. Metres. Proportions follow adult anthropometric means (Farkas,
"Anthropometry of the Head and Face", 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54
from thermal_kd_ros.simulation.mesh import grid_faces

MOUTH_Y = 0.066
CHIN_Y = 0.112
_MOUTH_HALF_WIDTH = 0.025
_JAW_HINGE = np.array([0.0, 0.012, -0.006])

# Horizontal sections of the skull and face: y, half width, depth to the front, depth to the back.
_SECTIONS = np.array(
    [
        [-0.122, 0.000, 0.000, 0.000],
        [-0.119, 0.026, 0.028, 0.036],
        [-0.112, 0.044, 0.048, 0.060],
        [-0.098, 0.060, 0.069, 0.080],
        [-0.078, 0.071, 0.084, 0.094],
        [-0.050, 0.0765, 0.0935, 0.102],
        [-0.024, 0.0760, 0.0945, 0.102],
        [0.000, 0.0735, 0.0900, 0.097],
        [0.020, 0.0710, 0.0895, 0.088],
        [0.040, 0.0675, 0.0900, 0.074],
        [0.056, 0.0635, 0.0900, 0.056],
        [0.070, 0.0570, 0.0880, 0.034],
        [0.084, 0.0480, 0.0875, 0.015],
        [0.097, 0.0370, 0.0850, 0.004],
        [0.106, 0.0270, 0.0760, 0.000],
        [0.112, 0.0170, 0.0580, 0.000],
        [0.118, 0.0000, 0.0000, 0.000],
    ]
)

# Displacement bumps of the face along -z: x (mirrored if not 0), y, sigma x, sigma y, height.
_BUMPS = (
    (0.031, 0.001, 0.016, 0.010, -0.0085),  # eye sockets
    (0.031, 0.000, 0.010, 0.006, 0.0040),  # eyeballs under the lids
    (0.028, -0.021, 0.020, 0.007, 0.0045),  # brow ridge
    (0.046, 0.026, 0.016, 0.014, 0.0040),  # cheekbones
    (0.0, 0.012, 0.0085, 0.015, 0.0080),  # nose bridge
    (0.0, 0.029, 0.0090, 0.012, 0.0125),  # nose ridge
    (0.0, 0.038, 0.0095, 0.008, 0.0125),  # nose tip
    (0.0135, 0.042, 0.0055, 0.006, 0.0090),  # nose wings
    (0.0, 0.061, 0.0190, 0.0050, 0.0050),  # upper lip
    (0.0, 0.072, 0.0170, 0.0055, 0.0050),  # lower lip
    (0.0, 0.082, 0.0180, 0.0050, -0.0030),  # fold under the lip
    (0.0, 0.096, 0.0150, 0.0090, 0.0055),  # chin
)

# Jaw points 0..8 as (azimuth in degrees, y); the others as (|x|, y) of the subject's left half, where they are
# mirrored.
_JAW = (
    (84, 0.004),
    (82, 0.023),
    (79, 0.042),
    (75, 0.058),
    (66, 0.074),
    (52, 0.087),
    (36, 0.097),
    (18, 0.104),
    (0, 0.107),
)
_BROW = ((0.016, -0.020), (0.026, -0.025), (0.036, -0.0265), (0.046, -0.0235), (0.054, -0.016))
_NOSE = ((0.0, -0.004), (0.0, 0.010), (0.0, 0.024), (0.0, 0.037))
_NOSTRILS = ((0.0, 0.0505), (0.0075, 0.0490), (0.0150, 0.0460))
_EYE = ((0.0175, 0.003), (0.0265, -0.0045), (0.0365, -0.0045), (0.0455, 0.001), (0.0370, 0.0060), (0.0265, 0.0065))
_OUTER_LIPS = ((0.0, 0.0580), (0.0075, 0.0565), (0.0160, 0.0600), (0.0250, 0.0660), (0.0160, 0.0725), (0.0080, 0.0765))
_INNER_LIPS = ((0.0, 0.0772), (0.0, 0.0652), (0.0080, 0.0650), (0.0205, 0.0656), (0.0080, 0.0668), (0.0, 0.0668))
# Outer lips from the middle above over the corner to the middle below; then the same of the inner lips.
_MOUTH = _OUTER_LIPS + _INNER_LIPS


@dataclass(frozen=True)
class Expression:
    """How far each movement goes: 0 is neutral, 1 is full (jaw_open 1 is a wide yawn)."""

    jaw_open: float = 0.0
    smile: float = 0.0
    blink: float = 0.0
    brow_raise: float = 0.0


NEUTRAL = Expression()


@dataclass(frozen=True)
class Template:
    """The mean head at one resolution: (V, 3) vertices, their azimuth and y, faces, and 68 barycentric landmarks."""

    vertices: np.ndarray
    azimuth: np.ndarray
    level: np.ndarray
    faces: np.ndarray
    landmark_face: np.ndarray
    landmark_weight: np.ndarray
    smile: np.ndarray
    blink: np.ndarray
    brow_raise: np.ndarray
    jaw_weight: np.ndarray


def bump(x: npt.ArrayLike, y: npt.ArrayLike, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """A Gaussian bump at (+-cx, cy), values in [0, 1]."""
    x, y = np.asarray(x), np.asarray(y)
    u = (np.abs(x) - cx) if cx else x
    return np.exp(-0.5 * ((u / sx) ** 2 + ((y - cy) / sy) ** 2))


def smoothstep(value: npt.ArrayLike, start: float, stop: float) -> np.ndarray:
    """0 before ``start``, 1 after ``stop``, smooth between (``start`` may exceed ``stop``)."""
    t = np.clip((np.asarray(value) - start) / (stop - start), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def surface(azimuth: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(..., 3) points of the mean head at height y and azimuth (radians, 0 in front, positive to the left side)."""
    dense = np.linspace(-0.122, 0.118, 481)
    sections = np.stack([np.interp(dense, _SECTIONS[:, 0], _SECTIONS[:, k]) for k in (1, 2, 3)], axis=1)
    kernel = np.hanning(13) / np.hanning(13).sum()
    middle = slice(24, -20)  # the ends fall too steeply to be smoothed
    for k in range(3):
        sections[middle, k] = np.convolve(sections[:, k], kernel, mode="same")[middle]
    half, front, back = (np.maximum(np.interp(y, dense, sections[:, k], right=0.0), 1e-5) for k in range(3))
    sine, cosine = np.abs(np.sin(azimuth)), np.cos(azimuth)
    depth = np.where(cosine >= 0, front, back)
    power = 2.35 - 0.35 * smoothstep(y, 0.02, 0.10)
    head = ((sine / half) ** power + (np.abs(cosine) / depth) ** power) ** (-1 / power)
    # The neck: an ellipse behind the axis, in the same polar form.
    widen = 1 + 0.35 * np.clip((y - 0.13) / 0.06, 0, None) ** 2
    side, deep, behind = 0.057 * widen, 0.060 * widen, 0.026
    a = (sine / side) ** 2 + (cosine / deep) ** 2
    b = cosine * behind / deep**2
    c = (behind / deep) ** 2 - 1
    neck = (-b + np.sqrt(np.maximum(b * b - a * c, 0))) / a
    neck = np.where(y > 0.02, neck, 0.0)
    blend = 0.012
    radius = np.maximum(head, neck) + np.where(
        y > 0.02, np.maximum(blend - np.abs(head - neck), 0) ** 2 / (4 * blend), 0
    )
    points = np.stack([radius * np.sin(azimuth), y + 0 * radius, -radius * cosine], axis=-1)
    facing = smoothstep(cosine, 0.0, 0.5)
    for cx, cy, sx, sy, height in _BUMPS:
        points[..., 2] -= height * facing * bump(points[..., 0], y, cx, cy, sx, sy)
    return points


@lru_cache(maxsize=4)
def template(columns: int, rows: int) -> Template:
    """The mean head with ``columns`` around and ``rows`` down (about 2 * columns * rows triangles)."""
    s = np.arange(columns) / columns * 2 - 1
    azimuth = np.pi * s - 0.5 * np.sin(np.pi * s)  # denser in front
    upper = max(6, rows // 4)
    lower = max(4, rows // 8)
    crown = -0.122 + 0.082 * np.linspace(0, 1, upper, endpoint=False) ** 1.6
    face_rows = rows - upper - lower - 2
    above = int(round(face_rows * 0.68))
    level = np.concatenate(
        [
            crown,
            np.linspace(-0.040, MOUTH_Y, above + 1),
            np.linspace(MOUTH_Y, CHIN_Y + 0.005, face_rows - above + 1),  # repeats the mouth line: the slit
            np.linspace(CHIN_Y + 0.005, 0.185, lower + 1)[1:],
        ]
    )
    slit = upper + above
    theta, y = np.meshgrid(azimuth, level)
    points = surface(theta, y).reshape(-1, 3)
    faces = grid_faces(len(level), columns, True)
    row_of = faces.min(axis=1) // columns
    faces = faces[row_of != slit]  # no skin across the slit; outside the mouth both its rims move together
    below_slit = np.arange(len(points)) // columns > slit
    index, weight = _landmarks(azimuth, level, slit, columns, faces)
    x, v, z = points.T
    front = smoothstep(z, -0.02, -0.06)
    corner = bump(x, v, _MOUTH_HALF_WIDTH, MOUTH_Y, 0.013, 0.012) * front
    cheek = bump(x, v, 0.042, 0.038, 0.016, 0.016) * front
    lips = bump(x, v, 0.0, MOUTH_Y, 0.020, 0.009) * front
    sign = np.sign(x)
    smile = np.stack([sign * 0.007 * corner, -0.006 * corner - 0.003 * cheek, 0.004 * corner - 0.003 * cheek], -1)
    smile[:, 2] += 0.002 * lips
    lid = bump(x, v, 0.0315, -0.0055, 0.013, 0.0045) * front
    blink = np.stack([0 * x, 0.0095 * lid, -0.001 * lid], -1)
    brow = bump(x, v, 0.034, -0.024, 0.024, 0.011) * front
    brow_raise = np.stack([0 * x, -0.0075 * brow, 0 * x], -1)
    # The jaw turns about the hinge. At the slit the lower lip follows it fully and the upper lip not at all.
    outside = smoothstep(np.abs(x), 0.010, 0.042)
    upper_weight = outside * smoothstep(v, 0.030, 0.078)
    opening = np.sqrt(np.clip(1 - (x / _MOUTH_HALF_WIDTH) ** 2, 0, 1))
    at_slit = outside * smoothstep(MOUTH_Y, 0.030, 0.078)
    lower_weight = at_slit + opening * (1 - at_slit)
    lower_weight = lower_weight + (1 - lower_weight) * smoothstep(v, MOUTH_Y, MOUTH_Y + 0.022)
    jaw = np.where(below_slit, lower_weight, upper_weight)
    jaw *= smoothstep(z, 0.010, -0.035) * smoothstep(v, 0.165, 0.118)
    return Template(
        points.astype(np.float32),
        theta.reshape(-1),
        y.reshape(-1),
        faces,
        index,
        weight.astype(np.float32),
        smile.astype(np.float32),
        blink.astype(np.float32),
        brow_raise.astype(np.float32),
        jaw.astype(np.float32),
    )


def _landmarks(
    azimuth: np.ndarray, level: np.ndarray, slit: int, columns: int, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Face index (68,) and barycentric weights (68, 3) of the iBUG points."""
    targets = _ibug_parameters()
    column = np.searchsorted(azimuth, targets[:, 0], side="right") - 1
    row = np.searchsorted(level, targets[:, 1], side="right") - 1
    # A point on the mouth line belongs to the rim it was given: 60..64 and the corners to the upper one.
    row = np.where(row == slit, slit - 1, row)
    s = (targets[:, 0] - azimuth[column]) / (np.append(azimuth, np.pi)[column + 1] - azimuth[column])
    t = (targets[:, 1] - level[row]) / (level[row + 1] - level[row])
    first = s + t <= 1
    lookup = {tuple(face): index for index, face in enumerate(faces.tolist())}
    a, b = row * columns + column, row * columns + (column + 1) % columns
    index = np.array(
        [
            lookup[(p, p + columns, q) if f else (q, p + columns, q + columns)]
            for p, q, f in zip(a.tolist(), b.tolist(), first, strict=True)
        ]
    )
    weight = np.where(first[:, None], np.stack([1 - s - t, t, s], -1), np.stack([1 - t, 1 - s, s + t - 1], -1))
    return index, weight


@lru_cache(maxsize=1)
def _ibug_parameters() -> np.ndarray:
    """(68, 2) azimuth and y of the landmarks on the mean head."""
    sweep = np.radians(np.linspace(0, 89, 400))

    def at(x: float, y: float) -> tuple[float, float]:
        return float(np.interp(x, surface(sweep, np.full_like(sweep, y))[:, 0], sweep)), y

    def both(points: tuple[tuple[float, float], ...]) -> tuple[list, list]:
        left = [at(*point) for point in points]
        return [(-azimuth, y) for azimuth, y in left], left

    jaw_right = [(-np.radians(azimuth), y) for azimuth, y in _JAW]
    jaw_left = [(np.radians(azimuth), y) for azimuth, y in _JAW[:-1]][::-1]
    brow_right, brow_left = both(_BROW)
    nostril_right, nostril_left = both(_NOSTRILS)
    eye_right, eye_left = both(_EYE)
    mouth_right, mouth_left = both(_MOUTH)
    eye_right = [eye_right[k] for k in (3, 2, 1, 0, 5, 4)]
    outer = (
        [mouth_right[k] for k in (3, 2, 1, 0)]
        + [mouth_left[k] for k in (1, 2, 3, 4, 5, 6)]
        + [mouth_right[k] for k in (5, 4)]
    )
    inner = [mouth_right[9], mouth_right[8], mouth_left[7], mouth_left[8], mouth_left[9]]
    inner += [mouth_left[10], mouth_left[11], mouth_right[10]]
    points = jaw_right + jaw_left + brow_right[::-1] + brow_left + [at(*point) for point in _NOSE]
    points += nostril_right[::-1] + nostril_left[1:] + eye_right + eye_left + outer + inner
    return np.array(points)


class HeadShape:
    """One person's head: the mean deformed by identity; poses its expressions. ``identity`` (12,) standard normal."""

    IDENTITIES = 12

    def __init__(self, identity: np.ndarray, columns: int = 112, rows: int = 84) -> None:
        self.template = template(columns, rows)
        self.faces = self.template.faces
        self.neutral = (self.template.vertices + self._deformation(identity)).astype(np.float32)

    def _deformation(self, identity: np.ndarray) -> np.ndarray:
        """(V, 3) smooth displacement of the mean head, metres."""
        x, y, z = self.template.vertices.T.astype(np.float64)
        k = np.clip(np.asarray(identity, np.float64), -2.5, 2.5)
        front = smoothstep(z, -0.01, -0.07)
        lower = smoothstep(y, 0.02, 0.10)
        moved = np.stack([x * 0.035 * k[0], y * 0.035 * k[1], z * 0.035 * k[2]], axis=-1)
        moved[:, 0] += x * lower * 0.06 * k[3]  # jaw width
        moved[:, 1] += smoothstep(y, 0.07, 0.112) * front * 0.003 * k[4]  # chin length
        nose = bump(x, y, 0.0, 0.030, 0.013, 0.020) * front
        moved[:, 2] -= nose * 0.003 * k[5]  # nose depth
        moved[:, 1] += bump(x, y, 0.0, 0.042, 0.018, 0.012) * front * 0.0025 * k[6]  # nose length
        moved[:, 0] += x * bump(x, y, 0.0, 0.042, 0.018, 0.010) * front * 0.10 * k[7]  # nose width
        moved[:, 0] += np.sign(x) * bump(x, y, 0.031, 0.0, 0.018, 0.014) * front * 0.0016 * k[8]  # eye distance
        moved[:, 0] += x * bump(x, y, 0.0, MOUTH_Y, 0.026, 0.016) * front * 0.09 * k[9]  # mouth width
        moved[:, 0] += np.sign(x) * bump(x, y, 0.055, 0.045, 0.02, 0.022) * 0.003 * k[10]  # cheeks
        moved[:, 2] += bump(x, y, 0.0, -0.065, 0.06, 0.025) * front * 0.004 * k[11]  # sloping forehead
        return moved

    def posed(self, expression: Expression, base: np.ndarray | None = None) -> np.ndarray:
        """(V, 3) vertices with an expression. ``base`` replaces the bare skin, e.g. by skin with hair on it."""
        t = self.template
        vertices = np.array(self.neutral if base is None else base)
        if expression.smile:
            vertices += expression.smile * t.smile
        if expression.blink:
            vertices += expression.blink * t.blink
        if expression.brow_raise:
            vertices += expression.brow_raise * t.brow_raise
        if expression.jaw_open:
            angle = np.float32(np.radians(24.0) * expression.jaw_open) * t.jaw_weight
            arm = vertices - _JAW_HINGE.astype(np.float32)
            # Opening turns the chin down and back: about +x, from -z towards +y.
            cosine, sine = np.cos(angle), np.sin(angle)
            vertices[:, 1] = _JAW_HINGE[1] + cosine * arm[:, 1] - sine * arm[:, 2]
            vertices[:, 2] = _JAW_HINGE[2] + sine * arm[:, 1] + cosine * arm[:, 2]
        return vertices.astype(np.float32)

    def landmarks68(self, skin: np.ndarray) -> np.ndarray:
        """(68, 3) iBUG points on posed skin vertices (V, 3), in the frame and units of these."""
        corners = skin[self.faces[self.template.landmark_face]]
        return (corners * self.template.landmark_weight[..., None]).sum(axis=1)

    def landmarks54(self, skin: np.ndarray) -> np.ndarray:
        """(54, 3) sf_tl54 points on posed skin vertices (V, 3)."""
        return self.landmarks68(skin)[list(IBUG68_TO_SF_TL54)]
