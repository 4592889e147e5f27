"""Triangle meshes with a temperature at every vertex, and the primitives that everything is built from.

Axes, the same for the world, bodies and the camera: x right, y down, z forward (away from the viewer), metres. Faces
wind so that their right-hand normal points outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

Vector = Sequence[float] | np.ndarray
"""Three coordinates."""


@dataclass(frozen=True)
class Mesh:
    """vertices (V, 3) float32 metres; faces (F, 3) int32; temperature (V,) float32 °C."""

    vertices: np.ndarray
    faces: np.ndarray
    temperature: np.ndarray

    def moved(self, rotation: np.ndarray | None = None, translation: Vector | None = None) -> Mesh:
        """The mesh rotated by (3, 3) and then shifted by (3,) metres."""
        vertices = self.vertices
        if rotation is not None:
            vertices = vertices @ np.asarray(rotation, np.float32).T
        if translation is not None:
            vertices = vertices + np.asarray(translation, np.float32)
        return replace(self, vertices=vertices)

    def heated(self, kelvin: np.ndarray | float) -> Mesh:
        """The mesh with ``kelvin`` (scalar or (V,)) added to its temperature."""
        return replace(self, temperature=(self.temperature + kelvin).astype(np.float32))


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh out of several, in their order."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]).astype(np.int32),
        np.concatenate([mesh.temperature for mesh in meshes]).astype(np.float32),
    )


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) rotation Ry(yaw) Rx(pitch) Rz(roll), radians, about the fixed axes y, x and z.

    A head that faces the viewer looks along -z: with positive yaw it turns to its own right (the image left), with
    positive pitch it looks down, with positive roll it tilts clockwise in the image.
    """
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_y @ about_x @ about_z).astype(np.float32)


@lru_cache(maxsize=64)
def grid_faces(rows: int, columns: int, wrap: bool = False) -> np.ndarray:
    """(F, 3) int32 faces of a row-major vertex grid; with ``wrap`` the last column joins the first.

    Normals point outwards where rows run down and columns to the right as seen from outside.
    """
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return faces.astype(np.int32)


def _filled(vertices: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.asarray(temperature, np.float32), (len(vertices),)).copy()


@lru_cache(maxsize=64)
def _unit_sphere(segments: int, rings: int) -> np.ndarray:
    polar = np.linspace(0, np.pi, rings)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None]
    grid = [np.sin(polar) * np.sin(azimuth), -np.cos(polar) + 0 * azimuth, -np.sin(polar) * np.cos(azimuth)]
    return np.stack(grid, axis=-1).reshape(-1, 3).astype(np.float32)


@lru_cache(maxsize=16)
def _unit_box(divisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in [0, 1] and faces of a cube; side 4 of its six sides is the upper one."""
    steps = np.linspace(0, 1, divisions + 1)
    s, t = (m.reshape(-1) for m in np.meshgrid(steps, steps))
    zero, one = np.zeros_like(s), np.ones_like(s)
    sides = [(s, t, zero), (1 - s, t, one), (zero, t, 1 - s), (one, t, s), (s, zero, 1 - t), (s, one, t)]
    vertices = np.concatenate([np.stack(side, axis=-1) for side in sides]).astype(np.float32)
    faces = np.concatenate([grid_faces(divisions + 1, divisions + 1) + k * len(s) for k in range(6)])
    return vertices, faces


@lru_cache(maxsize=16)
def _bilinear(divisions: int) -> np.ndarray:
    """((divisions + 1)^2, 4) weights of the corners of a quad."""
    steps = np.linspace(0, 1, divisions + 1)
    s, t = np.meshgrid(steps, steps)
    return np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], axis=-1).reshape(-1, 4)


def ellipsoid(
    centre: Vector, radii: Vector, temperature: float | np.ndarray, segments: int = 10, rings: int = 7
) -> Mesh:
    """A closed ellipsoid with its poles up and down."""
    vertices = _unit_sphere(segments, rings) * np.asarray(radii, np.float32) + np.asarray(centre, np.float32)
    return Mesh(vertices, grid_faces(rings, segments, True), _filled(vertices, temperature))


def tube(
    path: np.ndarray,
    radii: np.ndarray,
    temperature: float | np.ndarray,
    segments: int = 8,
    side: Vector = (1.0, 0.0, 0.0),
    closed: bool = True,
) -> Mesh:
    """A tube around a polyline.

    Args:
        path: (P, 3) metres, running downwards or anywhere.
        radii: (P,) or (P, 2): radius along ``side`` and perpendicular to it.
        temperature: °C, a scalar or (P,) along the path.
        side: a direction that is not parallel to the path; orients elliptic sections.
        closed: add cap points at both ends, rounded by half a radius.
    """
    path = np.asarray(path, np.float64)
    radii = np.asarray(radii, np.float64)
    radii = np.stack([radii, radii], axis=1) if radii.ndim == 1 else radii
    heat = np.broadcast_to(np.asarray(temperature, np.float32), (len(path),))
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    if closed:
        cap = 0.5 * radii.mean(axis=1)
        path = np.concatenate([path[:1] - tangent[:1] * cap[0], path, path[-1:] + tangent[-1:] * cap[-1]])
        radii = np.concatenate([radii[:1] * 1e-3, radii, radii[-1:] * 1e-3])
        tangent = np.concatenate([tangent[:1], tangent, tangent[-1:]])
        heat = np.concatenate([heat[:1], heat, heat[-1:]])
    u = np.asarray(side, np.float64) - tangent * (tangent @ np.asarray(side, np.float64))[:, None]
    u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-9)
    v = np.cross(u, tangent)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = (
        np.cos(angle)[None, :, None] * (u * radii[:, :1])[:, None]
        + np.sin(angle)[None, :, None] * (v * radii[:, 1:])[:, None]
    )
    vertices = (path[:, None] + ring).reshape(-1, 3).astype(np.float32)
    return Mesh(vertices, grid_faces(len(path), segments, True), np.repeat(heat, segments).astype(np.float32))


def box(low: Vector, high: Vector, temperature: float, divisions: int = 1, top: float | None = None) -> Mesh:
    """An axis-aligned box with separate vertices on each side, so that edges stay sharp.

    Args:
        low, high: opposite corners, metres.
        divisions: quads along each edge (give temperature noise something to hold on to).
        top: temperature of the upper side, if it differs.
    """
    unit, faces = _unit_box(divisions)
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    heat = _filled(unit, temperature)
    if top is not None:
        heat[4 * len(unit) // 6 : 5 * len(unit) // 6] = top
    return Mesh(low + unit * (high - low), faces, heat)


def quad(corners: np.ndarray, temperature: float | Vector, divisions: int = 1) -> Mesh:
    """A flat or bilinear patch. Corners (4, 3): upper left, upper right, lower right, lower left as seen from outside;
    temperature a scalar or the four corners' values.
    """
    weights = _bilinear(divisions)
    heat = np.broadcast_to(np.asarray(temperature, np.float64), (4,))
    vertices = (weights @ np.asarray(corners, np.float64)).astype(np.float32)
    return Mesh(vertices, grid_faces(divisions + 1, divisions + 1), (weights @ heat).astype(np.float32))


def quads(corners: np.ndarray, temperature: np.ndarray) -> Mesh:
    """Many flat quads. Corners (N, 4, 3) as in :func:`quad`; temperature (N,)."""
    count = len(corners)
    faces = np.array([[0, 3, 1], [1, 3, 2]], np.int32) + 4 * np.arange(count, dtype=np.int32)[:, None, None]
    heat = np.repeat(np.asarray(temperature, np.float32), 4)
    return Mesh(np.asarray(corners, np.float32).reshape(-1, 3), faces.reshape(-1, 3), heat)
