"""Things worn on or hanging around a rendered head, as small meshes with their own temperature.

All in the frame of the neutral head, centimetres, y up; sheets are closed by a second, reversed side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thermal_kd_ros.simulation.mesh import grid_faces, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.face_heat import Style
from training.data.face_light import CLOTH, FRAME, HAIR, MASK


@dataclass(frozen=True)
class Part:
    """vertices (V, 3) cm; faces (F, 3) int32; heat (V,) °C; whether it turns with the head or stays with the trunk.

    ``kind`` is what it is made of; faces in ``glass`` (F,) bool let visible light through, unlike heat.
    """

    vertices: np.ndarray
    faces: np.ndarray
    heat: np.ndarray
    kind: int = CLOTH
    on_head: bool = True
    glass: np.ndarray | None = None


def _sheet(grid: np.ndarray, heat: np.ndarray | float, kind: int, wrap: bool = False, on_head: bool = True) -> Part:
    """A surface seen from both sides, from a (rows, columns, 3) grid."""
    flat = grid.reshape(-1, 3).astype(np.float32)
    faces = grid_faces(*grid.shape[:2], wrap)
    values = np.broadcast_to(np.asarray(heat, np.float32), (len(flat),)).copy()
    return Part(flat, np.concatenate([faces, faces[:, ::-1]]).astype(np.int32), values, kind, on_head)


def _bar(path: list[tuple[float, float, float]], radius: float, heat: float) -> Part:
    mesh = tube(np.array(path, float), np.full(len(path), radius), heat, 5, side=(0.0, 1.0, 0.0))
    return Part(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:, ::-1]]), mesh.temperature, FRAME)


def glasses(style: Style, rng: np.random.Generator) -> list[Part]:
    """Lenses and frame; glass and plastic are opaque in the long-wave infrared."""
    wrap = style.glasses == "wrap"
    half = rng.uniform(2.9, 3.5) if wrap else rng.uniform(2.0, 2.9)
    tall = rng.uniform(1.7, 2.5) if wrap else rng.uniform(1.2, 2.2)
    power, middle_y = rng.uniform(2.0, 3.8), rng.uniform(2.6, 3.7)
    if rng.random() < 0.6:  # as sunglasses sit: the upper rim at the brows
        middle_y = rng.normal(5.6, 0.4) - tall
    gap = rng.uniform(0.5, 0.9)
    bend = rng.uniform(0.07, 0.12) if wrap else rng.uniform(0.03, 0.07)
    front = rng.uniform(11.0, 11.8)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)[None]
    reach = np.array([[0.0], [0.5], [0.86], [0.90], [1.0], [1.06]])
    rim = style.glasses_temperature + rng.normal(0, 1.2)
    # Ears are not all at one height, nor do glasses sit straight: a network that takes their lines for the head's own
    # turns the whole face.
    rise, tilt = rng.normal(0, 0.8), np.radians(rng.normal(0, 2.0))
    ring = np.repeat(np.array([0, 0, 0, 0, 1, 1.0]), 28) * (rng.random() < 0.7)
    outline = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    parts = []
    for side in (1, -1):
        x = side * (gap + half) + reach * outline * np.cos(angle) * half
        y = middle_y + reach * outline * np.sin(angle) * tall * (1 + 0.15 * side * np.cos(angle) * wrap)
        grid = np.stack([x, y, front - bend * x**2], -1)
        heat = style.glasses_temperature + 0.4 * point_noise(rng, grid.reshape(-1, 3), 4.0)
        # Skin shows, faintly warm, at the edges of lenses heated by the cheeks.
        heat = heat + ring * (rim - style.glasses_temperature)
        lens = _sheet(grid, heat, FRAME, wrap=True)
        parts.append(replace(lens, glass=np.all(lens.faces < 4 * 28, axis=1)))
        outer = gap + 2 * half
        hinge = (side * outer, middle_y + 0.5, front - bend * outer**2)
        parts.append(_bar([hinge, (side * 7.9, middle_y + 0.6 + 0.7 * rise, 4.0),
                           (side * 8.2, middle_y + 0.4 + rise, 0.0)], rng.uniform(0.12, 0.35), rim))
    parts.append(_bar([(-gap - 0.2, middle_y + 0.5, front), (0, middle_y + 0.6, front + 0.15),
                       (gap + 0.2, middle_y + 0.5, front)], 0.2, rim))
    return [replace(part, vertices=_tilted(part.vertices, tilt, middle_y)) for part in parts]


def stand_off(lenses: np.ndarray, skin: np.ndarray) -> float:
    """How far glasses with such lenses (L, 3) must move forward not to cut into a face (V, 3), cm: 0 to 1.2.

    Faces differ by more than their size: a bent lens that sits on one cuts through the cheeks of another.
    """
    cells = 40
    # The foremost skin in each cell of 0.5 cm, as seen from ahead.
    ahead = np.full((cells, cells), -np.inf, np.float32)

    def cell(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = np.clip(np.round(2 * points[:, :2] + cells / 2), 0, cells - 1).astype(int)
        return place[:, 1], place[:, 0]

    front = skin[skin[:, 2] > 0]
    np.maximum.at(ahead, cell(front), front[:, 2])
    inside = ahead[cell(lenses)] - lenses[:, 2]
    return float(np.clip(np.percentile(inside, 95), 0.0, 1.2))


def _tilted(vertices: np.ndarray, angle: float, height: float) -> np.ndarray:
    """Vertices (V, 3) turned by ``angle`` about the line that looks forward at ``height`` over the middle."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = vertices[:, 0], vertices[:, 1] - height
    turned = np.stack([cos * x - sin * y, sin * x + cos * y + height, vertices[:, 2]], axis=1)
    return turned.astype(vertices.dtype)


def face_mask(style: Style, rng: np.random.Generator) -> Part:
    """A surgical mask from the nose to under the chin, warmed by the breath in its middle."""
    top = rng.uniform(-0.2, 2.2)
    azimuth, y = np.meshgrid(np.linspace(-1, 1, 23), np.linspace(top, -8.4, 15))
    x = azimuth * np.interp(y, (-8.4, -5.0, 2.0), (4.2, 6.2, 7.0))
    centre = np.interp(y, (-8.4, -6.5, -4.0, -1.5, 0.3, 2.0), (10.6, 12.0, 13.0, 13.8, 13.8, 12.9))
    ahead = np.abs(x)
    z = centre - 0.10 * x**2 - 0.45 * np.maximum(ahead - 2.0, 0)
    grid = np.stack([x, y, z], -1)
    breath = np.exp(-0.5 * ((x / 2.2) ** 2 + ((y + 1.5) / 1.6) ** 2)).reshape(-1)
    folds = 0.3 * np.sin(y * rng.uniform(1.5, 3.5)).reshape(-1) * rng.uniform(0, 1)
    heat = style.mask + rng.uniform(-2.5, 2.0) * breath + folds + 0.4 * point_noise(rng, grid.reshape(-1, 3), 4.0)
    return _sheet(grid, heat, MASK)


def brim(style: Style, rng: np.random.Generator) -> Part:
    """The peak of a cap, or the brim around a hat."""
    around = style.cover == "brim"
    angle = np.radians(np.linspace(-180, 180, 41) if around else np.linspace(-60, 60, 15))[None]
    reach = np.linspace(0, 1, 4)[:, None]
    width = rng.uniform(4.0, 7.0) * (1.0 if around else np.cos(angle))
    x = np.sin(angle) * (8.4 + width * reach)
    z = 1.0 + np.cos(angle) * (9.8 + width * reach)
    y = 8.3 - (0.8 + rng.uniform(0, 2)) * reach + 0 * angle
    if not around:
        y = y + 0.02 * x**2 * -1.0
    return _sheet(np.stack([x, y, z], -1), style.cloth + rng.normal(0, 1.0), CLOTH)


def long_hair(style: Style, rng: np.random.Generator) -> Part:
    """Hair that hangs from the sides and the back."""
    start = np.radians(rng.uniform(58, 95))
    bottom = rng.uniform(-26, -7)
    azimuth, y = np.meshgrid(np.linspace(start, 2 * np.pi - start, 33), np.linspace(8.0, bottom, 16))
    puff = 0.6 + min(style.hair_thickness, 2.0) * 0.7
    ripple = 1 + 0.05 * np.sin(azimuth * rng.uniform(8, 16) + y * 0.3) * (y < 2)
    scale = np.interp(y, (bottom, -8, 0, 6, 8), (0.75, 0.92, 1.0, 1.0, 0.92)) * ripple
    x = np.sin(azimuth) * (8.6 + puff) * scale
    z = 0.5 + np.cos(azimuth) * (9.3 + puff) * scale
    grid = np.stack([x, y, z], -1)
    coupling = style.hair_coupling * 0.7
    strands = 0.12 * point_noise(rng, grid.reshape(-1, 3) * (1.0, 0.15, 1.0), 2.0)
    heat = style.ambient + (style.skin - style.ambient) * np.clip(coupling + strands, 0, 0.95)
    return _sheet(grid, heat, HAIR)


def trunk(style: Style, rng: np.random.Generator) -> Part:
    """Neck base, shoulders and chest in a garment."""
    stops = (13.5, 15.5, 17.5, 20.0, 24.0, 32.0, 60.0)
    # Rows close enough for the edge of a neckline.
    depth = np.concatenate([np.linspace(13.5, 26.0, 22), np.linspace(28.0, 60.0, 9)])
    wide = np.interp(depth, stops, (5.8, 8.5, 13.0, 17.5, 21.0, 22.0, 22.5)) * rng.uniform(0.85, 1.1)
    deep = np.interp(depth, stops, (5.2, 6.5, 7.5, 9.0, 10.5, 11.5, 12.0))
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)[None]
    x = wide[:, None] * np.sin(angle)
    z = -2.5 + deep[:, None] * np.cos(angle)
    grid = np.stack([x, 0 * angle - depth[:, None], z], -1)
    points = grid.reshape(-1, 3)
    opening = 0.5 * (points[:, 2] > 0) * np.exp(-0.5 * (points[:, 0] / 3.5) ** 2) * rng.uniform(0, 16)
    heat = style.cloth + 0.8 * point_noise(rng, points, 9.0) + 0.5 * point_noise(rng, points, 4.0)
    bare = points[:, 1] + opening > style.collar
    heat = np.where(bare, style.skin + 0.3 * point_noise(rng, points, 8.0), heat)
    return _sheet(grid, heat, CLOTH, wrap=True, on_head=False)


def worn(style: Style, rng: np.random.Generator) -> list[Part]:
    """All parts of a style."""
    parts = [trunk(style, rng)]
    if style.glasses:
        parts += glasses(style, rng)
    if np.isfinite(style.mask):
        parts.append(face_mask(style, rng))
    if style.cover in ("cap", "brim"):
        parts.append(brim(style, rng))
    if style.hair == "long" and style.cover not in ("scarf", "hood"):
        parts.append(long_hair(style, rng))
    return parts
