"""Drawing meshes into a temperature image with depth and object numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from thermal_kd_ros.simulation.mesh import Mesh, rotation
from thermal_kd_ros.simulation.raster import Fragments, interpolate, rasterize, vertex_normals

Region = tuple[int, int, int, int]
"""x0, x1, y0, y1 of a window of pixels, half open."""

NEAR = 0.12
"""Nothing closer than this (metres) is drawn."""


@dataclass(frozen=True)
class View:
    """A pinhole camera: K (3, 3) for integer pixel centres, world-to-camera rotation (3, 3), position (3,) metres."""

    k: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    width: int
    height: int

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) world points in the camera frame."""
        return (np.asarray(points, np.float32) - self.position.astype(np.float32)) @ self.rotation.astype(np.float32).T

    def project(self, camera_points: np.ndarray) -> np.ndarray:
        """(N, 3) camera points to x, y (pixels, integer centres) and distance from the lens; NaN if not in front."""
        z = np.where(camera_points[:, 2] > NEAR, camera_points[:, 2], np.nan).astype(np.float64)
        x = self.k[0, 0] * camera_points[:, 0] / z + self.k[0, 2]
        y = self.k[1, 1] * camera_points[:, 1] / z + self.k[1, 2]
        return np.stack([x, y, _length(camera_points) + 0 * z], axis=1)

    def extent(self, pixels: np.ndarray) -> tuple[Region, float] | None:
        """The window of the image around projected vertices (N, 3), and the share of their extent that lies within it.

        Vertices behind the camera count as outside. None if nothing of it lies in the image.
        """
        finite = np.isfinite(pixels[:, 0])
        if not finite.any():
            return None
        low, high = pixels[finite, :2].min(0), pixels[finite, :2].max(0)
        x0, y0 = np.maximum(np.floor(low).astype(int), 0).tolist()
        x1, y1 = np.minimum(np.ceil(high).astype(int) + 1, (self.width, self.height)).tolist()
        if x0 >= x1 or y0 >= y1:
            return None
        sides = np.maximum(high - low, 1e-3)
        within = np.clip(high, 0, (self.width, self.height)) - np.clip(low, 0, (self.width, self.height))
        return (x0, x1, y0, y1), min(float(np.prod(within / sides)), 1.0) * float(finite.mean())

    def rays(self) -> np.ndarray:
        """(H, W, 3) float32 ray of each pixel in the camera frame, with z = 1."""
        x = (np.arange(self.width, dtype=np.float32) - self.k[0, 2]) / self.k[0, 0]
        y = (np.arange(self.height, dtype=np.float32) - self.k[1, 2]) / self.k[1, 1]
        grid = np.empty((self.height, self.width, 3), np.float32)
        grid[..., 0], grid[..., 1], grid[..., 2] = x[None], y[:, None], 1.0
        return grid

    def may_see(self, centre: np.ndarray, radius: float) -> bool:
        """Whether a sphere (world metres) may reach into the image."""
        x, y, z = self.to_camera(centre[None])[0]
        if z < -radius:
            return False
        if z < 2 * radius:
            return True
        reach = radius * self.k[0, 0] / z * 1.5
        u, v = self.k[0, 0] * x / z + self.k[0, 2], self.k[1, 1] * y / z + self.k[1, 2]
        return bool(-reach < u < self.width + reach and -reach < v < self.height + reach)

    def stretch(self, window: tuple[slice, slice]) -> np.ndarray:
        """Distance from the lens per unit of depth along the axis, float32, for a (rows, columns) window of pixels."""
        x = (np.arange(self.width, dtype=np.float32)[window[1]] - self.k[0, 2]) / self.k[0, 0]
        y = (np.arange(self.height, dtype=np.float32)[window[0]] - self.k[1, 2]) / self.k[1, 1]
        return np.sqrt((y * y + 1)[:, None] + (x * x)[None]).astype(np.float32)

    def widened(self, factor: float) -> View:
        """The same camera with a larger sensor around the same optical axis."""
        width, height = int(self.width * factor), int(self.height * factor)
        k = self.k.copy()
        k[0, 2] += (width - self.width) / 2
        k[1, 2] += (height - self.height) / 2
        return replace(self, k=k, width=width, height=height)


def looking(yaw: float, down: float, roll: float = 0.0) -> np.ndarray:
    """(3, 3) world-to-camera rotation of a camera turned right by ``yaw`` and down by ``down`` radians."""
    return rotation(yaw, -down, roll).T.astype(np.float64)


def intrinsics(width: int, height: int, hfov_deg: float) -> np.ndarray:
    """(3, 3) float64 K of a pinhole with its principal point in the image centre, for integer pixel centres."""
    focal = 0.5 * width / np.tan(np.radians(hfov_deg) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


@dataclass(frozen=True)
class Footprint:
    """What one object covered when it was drawn alone.

    region: the window that holds it. pixels: pixels it would fill with nothing before it. inside: the share of its
    extent that lies within the image.
    """

    region: Region
    pixels: int
    inside: float

    def seen(self, objects: np.ndarray, number: int) -> tuple[int, tuple[int, int, int, int]] | None:
        """How many pixels of ``objects`` (H, W) show it, and the box x0, y0, x1, y1 around them.

        None if there are fewer than four: that is nothing to label.
        """
        x0, x1, y0, y1 = self.region
        mine = objects[y0:y1, x0:x1] == number
        count = int(np.count_nonzero(mine))
        if count < 4:
            return None
        columns, rows = np.flatnonzero(mine.any(axis=0)), np.flatnonzero(mine.any(axis=1))
        return count, (x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1)


class Canvas:
    """celsius (H, W) float32; distance (H, W) float32 metres from the lens (not along the axis, so that it survives a
    rotation of the camera); objects (H, W) int16, number of the object seen, 0 for scenery.
    """

    def __init__(self, celsius: np.ndarray, distance: np.ndarray, objects: np.ndarray | None = None) -> None:
        self.celsius = celsius
        self.distance = distance
        self.objects = np.zeros(celsius.shape, np.int16) if objects is None else objects

    def draw(self, mesh: Mesh, view: View, number: int, surroundings: float) -> Footprint | None:
        """Draw a mesh given in world coordinates; None if none of it lies in the image.

        Args:
            number: object number for ``objects``.
            surroundings: °C of what skin, cloth and paint reflect at grazing angles, where they emit less.
        """
        camera = view.to_camera(mesh.vertices)
        pixels = view.project(camera)
        extent = view.extent(pixels)
        if extent is None:
            return None
        region, inside = extent
        x0, x1, y0, y1 = region
        local = np.stack([pixels[:, 0] - x0, pixels[:, 1] - y0, pixels[:, 2]], axis=1)
        fragments = rasterize(
            local,
            mesh.faces,
            y1 - y0,
            x1 - x0,
            inverse_depth=1.0 / np.where(np.isfinite(pixels[:, 0]), camera[:, 2], np.nan),
            cull_backfaces=True,
        )
        heat = apparent_temperature(mesh, camera, surroundings)
        window = (slice(y0, y1), slice(x0, x1))
        distance = fragments.depth * view.stretch(window)
        shown = distance < self.distance[window]
        np.copyto(self.celsius[window], interpolate(fragments, mesh.faces, heat), where=shown)
        np.copyto(self.distance[window], distance, where=shown)
        self.objects[window][shown] = number
        return Footprint(region, int(fragments.mask.sum()), inside)

    def fragments(self) -> Fragments:
        """The canvas as a z-buffer of distances, for visibility tests of points."""
        return Fragments(self.objects, np.zeros((0, 3), np.float32), self.distance)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def apparent_temperature(mesh: Mesh, camera_vertices: np.ndarray, surroundings: float) -> np.ndarray:
    """(V,) °C as seen from the origin of the camera frame: emissivity falls towards grazing angles (Schlick-like)."""
    normals = vertex_normals(camera_vertices, mesh.faces)
    distance = np.maximum(_length(camera_vertices), 1e-6)
    cosine = np.clip(-np.einsum("ij,ij->i", normals, camera_vertices) / distance, 0.0, 1.0)
    reflected = 0.03 + 0.40 * (1 - cosine) ** 4
    return (mesh.temperature + reflected * (surroundings - mesh.temperature)).astype(np.float32)


class Backdrop:
    """A static scene drawn once, wider than the image, and re-projected for a camera that only turns."""

    def __init__(self, canvas: Canvas, view: View) -> None:
        self.canvas = canvas
        self.view = view

    def seen(self, view: View) -> Canvas:
        """A fresh canvas for a view from the same position."""
        if view is self.view:
            return Canvas(self.canvas.celsius.copy(), self.canvas.distance.copy(), self.canvas.objects.copy())
        turn = view.k @ view.rotation @ self.view.rotation.T @ np.linalg.inv(self.view.k)
        size = (view.width, view.height)

        def warp(image: np.ndarray, interpolation: int) -> np.ndarray:
            return cv2.warpPerspective(image, turn, size, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)

        return Canvas(
            warp(self.canvas.celsius, cv2.INTER_LINEAR),
            warp(self.canvas.distance, cv2.INTER_NEAREST),
            warp(self.canvas.objects, cv2.INTER_NEAREST),
        )
