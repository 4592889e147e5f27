"""Skin, hair, beard and cloth temperatures of a rendered head, painted per pixel at places of the neutral face.

The pattern is the one that thermography of resting faces agrees on (e.g. Haddad et al., "Thermography study of the
normal face", 2016): inner eye corners warmest, then orbits, forehead, neck and lips; cheeks and chin cooler; nose tip
and ears coolest and the most dependent on the surroundings. Its strengths vary far more than among resting people
indoors, because cameras, weather, exercise and image enhancement do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.noise import point_noise

# x (mirrored unless 0), y, sigma x, sigma y of the neutral face, cm; mean and spread of kelvin against the forehead.
_REGIONS = (
    (5.2, 0.2, 1.9, 1.8, -1.1, 0.9),  # cheeks
    (0.0, 2.2, 0.8, 1.4, -0.4, 0.5),  # nose bridge
    (0.0, 0.2, 1.2, 1.3, -1.9, 1.7),  # nose tip
    (1.5, -0.4, 0.6, 0.6, -0.8, 0.9),  # nose wings
    (0.0, -6.3, 2.0, 1.2, -0.6, 0.6),  # chin
    (3.1, 3.4, 1.6, 1.0, 0.4, 0.4),  # orbits, their soft part
    (3.1, 3.6, 1.1, 0.40, -0.3, 0.4),  # the eyes or closed lids themselves
    (3.3, 6.1, 1.7, 0.35, -0.5, 0.6),  # brows
    (0.0, -3.0, 1.9, 0.45, 0.3, 0.7),  # upper lip
    (0.0, -4.1, 1.7, 0.50, 0.3, 0.7),  # lower lip
    (0.0, -3.45, 2.2, 0.14, 0.2, 0.6),  # between the lips
    (0.0, -1.9, 1.2, 0.5, 0.1, 0.6),  # under the nose: breath
    (6.6, 5.5, 1.2, 1.6, 0.3, 0.4),  # temples
    (0.0, 5.8, 0.8, 1.2, 0.3, 0.4),  # between the brows
    (2.3, 1.0, 0.7, 1.5, 0.3, 0.5),  # beside the nose
    (2.9, -1.2, 0.45, 1.6, 0.1, 0.4),  # folds from nose to mouth
    (6.5, -3.0, 1.2, 1.8, -0.2, 0.5),  # jaw
)
_CANTHI = (1.75, 3.25, 0.55, 0.45)
_ORBIT = (3.1, 3.5, 2.0, 1.25)
"""x, y and half axes of the eye socket, whose thin lids stand out with a rather sharp edge."""
_BEARDS = ("stubble", "moustache", "goatee", "full")


@dataclass(frozen=True)
class Style:
    """The random choices about one head; lengths in cm, temperatures in °C."""

    ambient: float
    skin: float
    regions: np.ndarray
    """(len(_REGIONS),) kelvin."""
    canthi: float
    orbit: float
    orbit_size: float
    neck: float
    vessels: float
    flatness: float
    """0: all regional differences; 1: none."""
    ear: float
    hair: str
    """``none``, ``short`` or ``long``."""
    hair_line: float
    hair_coupling: float
    """0: hair at air temperature; 1: at skin temperature."""
    hair_thickness: float
    beard: str
    """``""`` or one of _BEARDS."""
    beard_coupling: float
    cover: str
    """``""``, ``cap``, ``beanie``, ``brim``, ``helmet``, ``scarf`` or ``hood``."""
    glasses: str
    """``""``, ``lens`` or ``wrap``."""
    glasses_temperature: float
    mask: float
    """Temperature of a face mask, NaN without one."""
    cloth: float
    collar: float
    """Height of the collar on the neck, cm."""
    seed: int


def random_style(rng: np.random.Generator) -> Style:
    """A head drawn from a deliberately broad population."""
    ambient = float(rng.uniform(15, 31)) if rng.random() < 0.85 else float(rng.uniform(-5, 42))
    skin = 34.0 + 0.12 * (ambient - 22) + rng.normal(0, 0.7)
    masculine = rng.random() < 0.5
    regions = np.array([rng.normal(mean, spread) for *_, mean, spread in _REGIONS])
    if rng.random() < 0.3:  # a cold nose with cold cheeks
        regions[[0, 2, 3]] += np.array([rng.uniform(-2.0, 0.0), rng.uniform(-4.0, 0.0), rng.uniform(-2.0, 0.0)])
    coupling = {"stubble": (0.80, 0.95), "moustache": (0.4, 0.85), "goatee": (0.3, 0.8), "full": (0.15, 0.7)}
    beard = str(rng.choice(_BEARDS)) if masculine and rng.random() < 0.5 else ""
    hair = str(rng.choice(["none", "short", "long"], p=[0.35, 0.6, 0.05] if masculine else [0.03, 0.42, 0.55]))
    covers = ["", "cap", "beanie", "brim", "helmet", "scarf", "hood"]
    glasses = str(rng.choice(["", "lens", "wrap"], p=[0.56, 0.28, 0.16]))
    between = lambda low, high: float(ambient + (skin - ambient) * rng.uniform(low, high))  # noqa: E731
    return Style(
        ambient=ambient, skin=float(skin), regions=regions, canthi=float(rng.uniform(0.2, 1.6)),
        orbit=float(max(0.0, rng.normal(0.8, 0.6))), orbit_size=float(rng.uniform(0.85, 1.15)),
        neck=float(rng.normal(0.7, 0.5)),
        vessels=float(rng.uniform(0.05, 0.45)), flatness=float(rng.beta(1.0, 4.5)), ear=float(rng.normal(-1.2, 1.2)),
        hair=hair, hair_line=float(rng.normal(9.6, 0.9) - (rng.uniform(1, 3) if rng.random() < 0.12 else 0)),
        hair_coupling=float(rng.uniform(0.15, 1.0)),
        hair_thickness=float(np.exp(rng.uniform(np.log(0.2), np.log(3.0)))),
        beard=beard, beard_coupling=float(rng.uniform(*coupling[beard])) if beard else 1.0,
        cover=str(rng.choice(covers, p=[0.72, 0.07, 0.06, 0.03, 0.03, 0.05, 0.04])),
        glasses=glasses, glasses_temperature=between(0.0, 0.75),
        mask=between(0.3, 0.95) if rng.random() < 0.08 else np.nan,
        cloth=between(-0.05, 0.75),
        # Mostly a collar; else a wide neckline, straps or a bare chest.
        collar=float(rng.uniform(-16.5, -11.0) if rng.random() < 0.75 else rng.uniform(-45.0, -16.5)),
        seed=int(rng.integers(2**31)))


def smoothstep(value: np.ndarray, start: float, stop: float) -> np.ndarray:
    """0 before ``start``, 1 after ``stop``, smooth between (``start`` may exceed ``stop``)."""
    t = np.clip((value - start) / (stop - start), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _bump(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    u = (np.abs(x) - cx) / sx if cx else x / sx
    return np.exp(-0.5 * (u * u + ((y - cy) / sy) ** 2))


def azimuth_deg(points: np.ndarray) -> np.ndarray:
    """(N,) angle around the vertical axis of the skull, degrees, 0 in front."""
    return np.degrees(np.abs(np.arctan2(points[:, 0], points[:, 2] - 1.5)))


def hair_mask(points: np.ndarray, style: Style, rise: float = 0.0) -> np.ndarray:
    """(N,) in [0, 1]: where hair grows, at points (N, 3) of the neutral head; 0 to 1 over ``rise`` cm if given."""
    if style.hair == "none":
        return np.zeros(len(points), np.float32)
    rng = np.random.default_rng(style.seed + 1)
    angle = azimuth_deg(points)
    line = style.hair_line
    edge = np.interp(angle, (0, 40, 60, 74, 84, 95, 120, 150),
                     (line, line - 0.3, line - 1.5, 4.5, rng.uniform(-1.0, 3.0), 3.5, -2.0, -6.0))
    if style.hair == "long":
        edge = np.where(angle > 84, -8.0, edge)
    ragged = 0.35 * point_noise(rng, points, 2.5) + 0.2 * point_noise(rng, points, 0.8)
    return smoothstep(points[:, 1] - edge + ragged, *((0.0, rise) if rise else (-0.35, 0.35)))


def cover_mask(points: np.ndarray, style: Style, rise: float = 0.12) -> np.ndarray:
    """(N,) in [0, 1]: where a hat, headscarf or hood lies, with an edge of ``rise`` cm to both sides."""
    if not style.cover:
        return np.zeros(len(points), np.float32)
    rng = np.random.default_rng(style.seed + 2)
    angle, y = azimuth_deg(points), points[:, 1]
    shift = rng.normal(0.0, 0.5)
    if style.cover in ("scarf", "hood"):
        # Everything outside an oval around the face; a hood lies farther back and leaves the chin free.
        wide, centre, tall = (6.9, 1.0, 9.0) if style.cover == "scarf" else (8.3, 0.0, 11.0)
        inside = np.hypot(points[:, 0] / (wide + shift), (y - centre) / (tall + shift))
        return np.where(points[:, 2] < 2.0, 1.0, smoothstep(inside, 1.0 - rise / 8, 1.0 + rise / 8)) * (y > -16)
    hem = {"cap": (8.3, 8.0, 6.8, 6.0, 5.0), "beanie": (7.6, 7.3, 5.0, 1.5, 0.0), "brim": (8.0, 7.8, 7.0, 6.5, 6.0),
           "helmet": (7.8, 7.2, 3.0, -1.0, 0.0)}[style.cover]
    edge = np.interp(angle, (0, 40, 75, 110, 160), hem) + shift
    return smoothstep(y - edge, -rise, rise)


def beard_mask(points: np.ndarray, style: Style, rise: float = 0.3) -> np.ndarray:
    """(N,) in [0, 1]: where a beard grows, with an edge of ``rise`` cm to both sides."""
    if not style.beard:
        return np.zeros(len(points), np.float32)
    rng = np.random.default_rng(style.seed + 3)
    x, y, _ = points.T
    angle = azimuth_deg(points)
    edge = np.interp(angle, (0, 25, 40, 60, 75, 85), (-1.9, -2.0, -2.6, -2.4, 0.5, 3.5))
    ragged = 0.25 * point_noise(rng, points, 2.0) + 0.15 * point_noise(rng, points, 0.6)
    mask = smoothstep(edge - y + ragged, -rise, rise) * smoothstep(angle, 88, 78) * smoothstep(y, -11.0, -8.5)
    if style.beard == "goatee":
        mask *= smoothstep(np.abs(x), 3.4, 2.6)
    elif style.beard == "moustache":
        mask *= smoothstep(y, -3.4, -3.0) * smoothstep(np.abs(x), 3.5, 2.8)
    lips = smoothstep(np.hypot(x / 2.5, (y + 3.5) / 0.95), 1.0 - rise / 3, 1.0 + rise / 2)
    return mask * lips


def garment_mask(points: np.ndarray, style: Style) -> np.ndarray:
    """(N,) in [0, 1]: where the garment covers the neck."""
    tilt = np.random.default_rng(style.seed + 5).uniform(-0.6, 0.6)
    return smoothstep(style.collar - points[:, 1] + 0.25 * np.maximum(points[:, 2], 0.0) * tilt, -0.15, 0.15)


def thickness(points: np.ndarray, style: Style) -> np.ndarray:
    """(N,) cm by which hair, beard and cloth raise the surface at points of the neutral head."""
    rng = np.random.default_rng(style.seed + 4)
    curls = np.clip(1 + 0.25 * point_noise(rng, points, 5.0) + 0.15 * point_noise(rng, points, 2.0), 0.3, 2.0)
    top = 0.45 + 0.55 * smoothstep(points[:, 1], 1.0, 9.0)
    rise = style.hair_thickness * hair_mask(points, style, 1.0 + style.hair_thickness) * curls * top
    beard = {"": 0.0, "stubble": 0.0, "moustache": 0.3, "goatee": 0.6}.get(style.beard, float(rng.uniform(0.3, 4.0)))
    low = 0.35 + 0.65 * smoothstep(points[:, 1], -4.5, -7.5)
    rise = np.maximum(rise, beard * beard_mask(points, style, 1.2) * low * smoothstep(points[:, 2], 0.0, 3.0))
    if style.cover:
        height = {"cap": 1.0, "beanie": 1.2, "brim": 1.2, "helmet": 3.0, "scarf": 0.8, "hood": 2.2}[style.cover]
        cover = cover_mask(points, style, 0.4)
        rise = rise * (1 - cover) + cover * height * curls**0.3
    return rise.astype(np.float32)


def temperatures(points: np.ndarray, material: np.ndarray, style: Style) -> np.ndarray:
    """(N,) float32 °C at points (N, 3) cm of the neutral head with ``material`` (N,) as in HeadModel."""
    rng = np.random.default_rng(style.seed)
    x, y, z = points.T
    front = smoothstep(z, 1.0, 5.0)
    heat: np.ndarray = np.zeros(len(points), np.float32)
    for (cx, cy, sx, sy, *_), kelvin in zip(_REGIONS, style.regions, strict=True):
        heat += np.float32(kelvin) * _bump(x, y, cx, cy, sx, sy)
    heat *= front
    heat += style.neck * smoothstep(y, -7.3, -9.0) - 0.5 * smoothstep(np.abs(x), 6.0, 7.6)
    ears = smoothstep(np.abs(x), 7.5, 8.2) * smoothstep(z, 4.0, 2.5) * (np.abs(y - 2.0) < 4.5)
    heat += np.float32(style.ear) * ears
    ridges = np.exp(-0.5 * (point_noise(rng, points, 6.0) / 0.22) ** 2)
    heat += style.vessels * (ridges - 0.3) + 0.3 * point_noise(rng, points, 14.0) + 0.12 * point_noise(rng, points, 3.0)
    socket = ((np.abs(x) - _ORBIT[0]) / (_ORBIT[2] * style.orbit_size)) ** 2
    socket = socket + ((y - _ORBIT[1]) / (_ORBIT[3] * style.orbit_size)) ** 2
    heat += style.orbit * np.exp(-(socket**2)) * front
    heat += style.canthi * _bump(x, y, *_CANTHI) * front
    heat = style.skin + heat * np.float32(1 - style.flatness)
    away = style.ambient - style.skin
    brow = _bump(x, y, 3.4, 6.1, 1.6, 0.30) * front * rng.uniform(0.0, 0.25)
    heat += away * brow
    heat = np.where(material == 1, heat - rng.uniform(0.0, 0.8), heat)
    heat = np.where(material == 2, style.skin + rng.uniform(-2.5, 1.0), heat)
    grain = 1 + 0.10 * point_noise(rng, points, 0.8) + 0.10 * point_noise(rng, points, 2.5)
    heat += away * (1 - style.beard_coupling) * beard_mask(points, style) * grain
    hair = hair_mask(points, style)
    # Thin hair lets the scalp through.
    depth = (1 - style.hair_coupling) * (1 - 0.5 * np.exp(-style.hair_thickness / 0.6))
    heat = heat * (1 - hair) + hair * (style.skin + away * np.clip(depth * grain, 0, 1.05))
    cloth = style.cloth + 0.7 * point_noise(rng, points, 5.0) + 0.4 * point_noise(rng, points, 1.8)
    cover = cover_mask(points, style)
    heat = heat * (1 - cover) + cover * (cloth + np.float32(rng.normal(0, 1.5)))
    garment = garment_mask(points, style)
    return (heat * (1 - garment) + garment * cloth).astype(np.float32)
