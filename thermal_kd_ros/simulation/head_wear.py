"""What grows and sits on a head: hair, beard, glasses, mask, hat, ears.

Hair, beard and hats are layers: a mask over the vertices of the head, a thickness and a temperature. The rest are small
meshes of their own in the head frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.head import CHIN_Y, MOUTH_Y, Template, bump, smoothstep, surface
from thermal_kd_ros.simulation.head_heat import between
from thermal_kd_ros.simulation.mesh import Mesh, ellipsoid, grid_faces, merge, rotation, tube
from thermal_kd_ros.simulation.noise import point_noise


@dataclass(frozen=True)
class Layer:
    """A cover of the head: mask (V,) in [0, 1], thickness (V,) metres, coupling (V,) of its outside to the skin."""

    mask: np.ndarray
    thickness: np.ndarray
    coupling: np.ndarray


def _line(azimuth: np.ndarray, degrees: tuple[float, ...], levels: tuple[float, ...]) -> np.ndarray:
    """The height y of a hairline or hem over the azimuth."""
    return np.interp(np.degrees(np.abs(azimuth)), degrees, levels)


def hair(
    template: Template, rng: np.random.Generator, thickness: float, line: float = 0.0, nape: float = 0.05
) -> Layer:
    """Hair ``thickness`` metres thick; ``line`` raises the hairline (negative recedes), ``nape`` is its end behind."""
    levels = (-0.066 + line, -0.056 + line, -0.034 + line / 2, 0.004, 0.012, nape - 0.02, nape)
    edge = _line(template.azimuth, (0, 45, 66, 80, 92, 115, 150), levels)
    ragged = 0.003 * point_noise(rng, template.vertices, 0.03)
    inside = edge + ragged - template.level
    mask = smoothstep(inside, -0.004, 0.004)
    curls = 1 + 0.25 * point_noise(rng, template.vertices, 0.05) + 0.15 * point_noise(rng, template.vertices, 0.022)
    # Thick on top, thinner at the sides, and rising only behind the hairline.
    grown = smoothstep(inside, 0.0, 0.016) * (0.4 + 0.6 * smoothstep(template.level, -0.01, -0.06))
    # Thin hair lets the scalp through: a parting and the edges look warm.
    scalp = 0.30 + 0.45 * np.exp(-thickness / 0.008)
    coupling = np.clip(scalp + 0.09 * point_noise(rng, template.vertices, 0.025), 0.1, 0.95)
    return Layer(mask, thickness * np.clip(curls, 0.3, 1.8) * grown, coupling)


def beard(template: Template, rng: np.random.Generator, kind: str) -> Layer:
    """A beard: 'full', 'goatee', 'moustache' or 'stubble'."""
    x, y, z = template.vertices.T.astype(np.float64)
    edge = _line(template.azimuth, (0, 25, 40, 60, 78, 90), (0.051, 0.052, 0.060, 0.055, 0.022, 0.03))
    ragged = 0.0025 * point_noise(rng, template.vertices, 0.02)
    mask = smoothstep(y - edge + ragged, -0.002, 0.005) * smoothstep(np.abs(template.azimuth), 1.60, 1.35)
    mask *= smoothstep(y, CHIN_Y + 0.022, CHIN_Y + 0.002)
    if kind == "goatee":
        mask *= smoothstep(np.abs(x), 0.036, 0.028)
    elif kind == "moustache":
        mask *= smoothstep(y, 0.066, 0.060) * smoothstep(np.abs(x), 0.034, 0.028)
    lips = smoothstep(np.hypot(x / 0.025, (y - MOUTH_Y - 0.001) / 0.0095), 1.15, 0.95)
    mask = mask * (1 - lips) * smoothstep(z, 0.0, -0.03)
    thickness = {"full": rng.uniform(0.004, 0.022), "stubble": 0.001}.get(kind, rng.uniform(0.003, 0.008))
    insulation = 0.15 if kind == "stubble" else rng.uniform(0.28, 0.5)
    coupling = np.clip(1 - insulation + 0.07 * point_noise(rng, template.vertices, 0.012), 0.3, 1.0)
    grown = thickness * mask * (0.5 + 0.8 * bump(x, y, 0.0, 0.105, 0.05, 0.02))
    return Layer(mask, grown, coupling)


def hat(template: Template, rng: np.random.Generator, kind: str) -> tuple[Layer, list[tuple[Mesh, float]]]:
    """A 'cap', 'beanie' or 'helmet': its layer, and its separate parts with their coupling to the skin."""
    hem = {
        "cap": (-0.052, -0.047, -0.030, -0.020, -0.015),
        "beanie": (-0.040, -0.036, -0.010, 0.015, 0.030),
        "helmet": (-0.052, -0.045, -0.025, -0.010, 0.0),
    }[kind]
    edge = _line(template.azimuth, (0, 40, 75, 110, 160), hem)
    mask = smoothstep(edge - template.level, -0.0015, 0.0015)
    thick = {"cap": 0.010, "beanie": 0.012, "helmet": 0.034}[kind]
    coupling = np.clip(rng.uniform(0.15, 0.4) + 0.05 * point_noise(rng, template.vertices, 0.05), 0.05, 0.8)
    parts = []
    if kind == "cap":
        azimuth = np.radians(np.linspace(-62, 62, 15))[None]
        reach = np.linspace(0, 1, 4)[:, None]
        rim = surface(azimuth, np.full_like(azimuth, -0.052))
        forward = np.cos(azimuth) * 0.072 * reach
        points = np.stack(
            [rim[..., 0] * (1.07 - 0.02 * reach), -0.054 + 0.012 * reach + 0 * azimuth, rim[..., 2] - 0.006 - forward],
            -1,
        )
        parts.append((_sheet(points), float(rng.uniform(0.05, 0.2))))
    return Layer(mask, mask * thick, coupling), parts


def ears(rng: np.random.Generator) -> Mesh:
    """Both ears (temperature 0, to be filled in)."""
    size = rng.uniform(0.9, 1.1)
    radii = (0.0075, 0.030 * size, 0.017)
    turned = [
        ellipsoid((0, 0, 0), radii, 0.0, 10, 8).moved(rotation(s * 0.40, -0.25), (s * 0.0735, 0.013, 0.010))
        for s in (1, -1)
    ]
    return merge(turned)


def glasses(rng: np.random.Generator) -> tuple[Mesh, Mesh]:
    """Lenses and frame (temperature 0). Glass is opaque in the long-wave infrared: the eyes disappear behind it."""
    width, height = rng.uniform(0.0215, 0.029), rng.uniform(0.0145, 0.0235)
    power, drop = rng.uniform(2.0, 3.6), rng.uniform(0.002, 0.007)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[None]
    reach = np.array([[0.0], [0.5], [0.88], [1.0]])
    shape = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    middle = 0.009 + width
    parts, bars = [], []
    for side in (1, -1):
        x = side * middle + reach * shape * np.cos(angle) * width
        y = drop + reach * shape * np.sin(angle) * height
        parts.append(_sheet(np.stack([x, y, -0.108 + 5.0 * x**2], -1), wrap=True))
        outer = side * (middle + width - 0.001)
        path = np.array(
            [[outer, -0.002, -0.106 + 5.0 * outer**2], [side * 0.078, -0.004, -0.03], [side * 0.079, -0.002, 0.01]]
        )
        bars.append(tube(path, np.full(3, 0.0022), 0.0, 5, side=(0, 1, 0)))
    bridge = np.array([[-0.012, -0.002, -0.108], [0, -0.004, -0.110], [0.012, -0.002, -0.108]])
    bars.append(tube(bridge, np.full(3, 0.0018), 0.0, 5, side=(0, 1, 0)))
    return merge(parts), merge(bars)


def surgical_mask(rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """A face mask (temperature 0) and (V,) how strongly the breath drives each of its vertices."""
    azimuth, y = np.meshgrid(
        np.radians(np.linspace(-70, 70, 23)), np.linspace(0.016 + rng.uniform(0, 0.012), 0.119, 15)
    )
    points = surface(azimuth, np.minimum(y, 0.113))
    points[..., 1] = y
    centre = np.interp(y, (0.016, 0.035, 0.050, 0.070, 0.092, 0.12), (-0.110, -0.126, -0.129, -0.121, -0.106, -0.090))
    ahead = np.abs(points[..., 0])
    points[..., 2] = np.minimum(points[..., 2] - 0.005, centre + 14.0 * ahead**2 + 0.6 * np.maximum(ahead - 0.02, 0))
    points[..., 0] *= 1.05
    breath = np.exp(-0.5 * ((points[..., 0] / 0.022) ** 2 + ((y - 0.055) / 0.016) ** 2))
    return _sheet(points), np.tile(breath.reshape(-1), 2)


def long_hair(rng: np.random.Generator, thickness: float) -> Mesh:
    """Hair that hangs from the sides and the back over ears and shoulders (temperature 0)."""
    start = np.radians(rng.uniform(72, 92))
    bottom = rng.uniform(0.11, 0.24)
    azimuth, y = np.meshgrid(np.linspace(start, 2 * np.pi - start, 25), np.linspace(-0.045, bottom, 13))
    widest = surface(azimuth, np.minimum(y, -0.02))
    ripple = 1 + 0.04 * np.sin(azimuth * rng.uniform(9, 15) + rng.uniform(0, 6)) * smoothstep(y, 0.0, 0.1)
    taper = 1 + (thickness + 0.004) / 0.085 - 0.10 * smoothstep(y, 0.05, 0.24)
    points = np.stack([widest[..., 0] * taper * ripple, y, widest[..., 2] * taper * ripple], -1)
    return _sheet(points)


def _sheet(points: np.ndarray, wrap: bool = False) -> Mesh:
    """A surface seen from both sides, from a (rows, columns, 3) grid; each side has its own vertices and normals."""
    rows, columns = points.shape[:2]
    flat = points.reshape(-1, 3).astype(np.float32)
    faces = grid_faces(rows, columns, wrap)
    back = faces[:, ::-1] + len(flat)
    return Mesh(
        np.concatenate([flat, flat]),
        np.concatenate([faces, back]).astype(np.int32),
        np.zeros(2 * len(flat), np.float32),
    )


def cover(skin: np.ndarray, layer: Layer, ambient: float) -> np.ndarray:
    """(V,) temperature of the head with a layer on it."""
    return (skin + layer.mask * (between(skin, ambient, layer.coupling) - skin)).astype(np.float32)
