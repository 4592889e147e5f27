"""Triangle meshes with a material on every face: x right, y down, z forward (away from the viewer), metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from thermal_kd_ros.simulation.mesh import Mesh
from thermal_kd_ros.simulation.raster import vertex_normals
from training.data.pair_scenes.materials import Material


@dataclass
class Model:
    """A thing in its own frame: origin on the ground below its middle, front towards -z.

    vertices: (V, 3) float32. faces: (F, 3) int32. material: (F,) uint8. warmth: (V,) float32, deviation from the
    material's temperature in units of ``Look.gain``. seat: (3,) where a body touches a seat or saddle, or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    material: np.ndarray
    warmth: np.ndarray
    seat: np.ndarray | None = None
    _normals: np.ndarray | None = field(default=None, repr=False)
    _coarse: dict[float, Model] = field(default_factory=dict, repr=False)

    @property
    def normals(self) -> np.ndarray:
        """(V, 3) float32 unit normals."""
        if self._normals is None:
            self._normals = vertex_normals(self.vertices, self.faces)
        return self._normals

    @property
    def height(self) -> float:
        """Metres from the ground to the top."""
        return float(-self.vertices[:, 1].min())

    @property
    def radius(self) -> float:
        """Metres around the middle of its height that hold the model."""
        far = self.vertices - np.array([0, -0.5 * self.height, 0], np.float32)
        return float(np.sqrt(np.einsum("ij,ij->i", far, far).max()))

    def scaled(self, factor: float) -> Model:
        """The model ``factor`` times as large, without a seat."""
        return Model(self.vertices * np.float32(factor), self.faces, self.material, self.warmth)

    def coarse(self, cell: float) -> Model:
        """The model with the vertices of each cube of side ``cell`` (metres) joined; kept for the next call."""
        if cell not in self._coarse:
            self._coarse[cell] = _clustered(self, cell)
        return self._coarse[cell]


def _clustered(model: Model, cell: float) -> Model:
    """Vertex clustering: Rossignac and Borrel, "Multi-resolution 3D approximations for rendering", 1993."""
    grid = np.floor((model.vertices - model.vertices.min(axis=0)) / cell).astype(np.int64)
    _, owner, count = np.unique((grid[:, 0] * 4096 + grid[:, 1]) * 4096 + grid[:, 2],
                                return_inverse=True, return_counts=True)
    values = np.column_stack([model.vertices, model.warmth, model.normals])
    mean = np.stack([np.bincount(owner, column, len(count)) for column in values.T], axis=1) / count[:, None]
    faces = owner[model.faces].astype(np.int32)
    solid = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    mean = mean.astype(np.float32)
    normals = mean[:, 4:7] / np.maximum(np.linalg.norm(mean[:, 4:7], axis=1, keepdims=True), 1e-6)
    return Model(mean[:, :3].copy(), faces[solid], model.material[solid], mean[:, 3].copy(), model.seat, normals)


def part(mesh: Mesh, material: Material) -> Model:
    """A model of one material out of a mesh; the mesh's temperature becomes the warmth."""
    return Model(mesh.vertices, mesh.faces, np.full(len(mesh.faces), material, np.uint8), mesh.temperature)


def joined(models: Sequence[Model], seat: np.ndarray | None = None) -> Model:
    """One model out of several, in their order."""
    shift = np.cumsum([0] + [len(model.vertices) for model in models[:-1]])
    return Model(
        np.concatenate([model.vertices for model in models]).astype(np.float32),
        np.concatenate([model.faces + s for model, s in zip(models, shift, strict=True)]).astype(np.int32),
        np.concatenate([model.material for model in models]),
        np.concatenate([model.warmth for model in models]).astype(np.float32), seat)


def faceted(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces with no vertex shared, so that every face keeps its own flat normal."""
    return vertices[faces.reshape(-1)], np.arange(faces.size, dtype=np.int32).reshape(-1, 3)
