"""A scene with a clock: a backdrop drawn once, actors drawn every frame, and the truth about what can be seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.simulation.actors import Actor, MeshActor, PersonActor
from thermal_kd_ros.simulation.mesh import Mesh, merge
from thermal_kd_ros.simulation.noise import value_noise
from thermal_kd_ros.simulation.raster import vertex_visibility
from thermal_kd_ros.simulation.render import Backdrop, Canvas, Footprint, View, looking
from thermal_kd_ros.simulation.truth import SceneImage, SimulatedFace

MIN_VISIBLE = 0.25
"""Objects of which less can be seen are marked to be ignored, unless they are people with a good view of their face."""
MIN_SIZE_PX = 6.0
"""Objects whose longer side is shorter are marked to be ignored."""
MIN_FACE_PX = 15.0
MAX_FACE_TURN = np.radians(75.0)
_SKIN_TOLERANCE = 0.006  # metres that a visible landmark may lie behind the surface drawn in its pixel


@dataclass(frozen=True)
class Sway:
    """Slow movement of the camera: amplitudes (yaw, down, roll) in radians, and their periods in seconds."""

    amplitude: tuple[float, float, float] = (0.0, 0.0, 0.0)
    period: tuple[float, float, float] = (11.0, 7.3, 9.1)


@dataclass(frozen=True)
class SceneSpec:
    """A scene ready to be drawn.

    canvas: ground, sky or nothing, already painted for ``view``. scenery: what stands still and has no label. actors:
    with or without labels; those that never move are drawn only once. reflected: °C that grazing surfaces mirror.
    """

    view: View
    yaw: float
    down: float
    canvas: Canvas
    scenery: tuple[Mesh, ...]
    actors: tuple[Actor, ...]
    reflected: float
    sway: Sway = Sway()


class Scene:
    """Draws a :class:`SceneSpec` at any time."""

    def __init__(self, spec: SceneSpec, width: int, height: int) -> None:
        """``width`` and ``height`` of the image in pixels; ``spec.view`` may be larger to leave room for the sway."""
        self.spec = spec
        wide = spec.view
        k = wide.k.copy()
        k[0, 2] -= (wide.width - width) / 2
        k[1, 2] -= (wide.height - height) / 2
        self._view = (
            wide if (wide.width, wide.height) == (width, height) else replace(wide, k=k, width=width, height=height)
        )
        if spec.scenery:
            spec.canvas.draw(merge(spec.scenery), wide, 0, spec.reflected)
        _mottle(spec.canvas)
        self._still: dict[int, Footprint] = {}
        self._moving: dict[int, Actor] = {}
        for number, actor in enumerate(spec.actors, start=1):
            if isinstance(actor, MeshActor) and actor.path.speed == 0:
                footprint = spec.canvas.draw(actor.at(0.0), wide, number, spec.reflected)
                if footprint is not None:
                    self._still[number] = footprint
            else:
                self._moving[number] = actor
        self._backdrop = Backdrop(spec.canvas, wide)

    def view(self, t: float) -> View:
        """The camera at the time ``t`` seconds."""
        sway = self.spec.sway
        if not any(sway.amplitude):
            return self._view
        turn = [a * np.sin(2 * np.pi * t / p) for a, p in zip(sway.amplitude, sway.period, strict=True)]
        return replace(self._view, rotation=looking(self.spec.yaw + turn[0], self.spec.down + turn[1], turn[2]))

    def render(self, t: float) -> SceneImage:
        """The scene at the time ``t`` seconds."""
        view = self.view(t)
        canvas = self._backdrop.seen(view)
        footprints = {number: self._reprojected(footprint, view) for number, footprint in self._still.items()}
        heads: list[tuple[int, np.ndarray, np.ndarray]] = []
        for number, actor in self._moving.items():
            if not view.may_see(actor.path.at(t)[0] + (0, -0.9, 0), 1.3 if isinstance(actor, PersonActor) else 3.2):
                continue
            if isinstance(actor, PersonActor):
                posed = actor.at(t, view.position, view.k[0, 0])
                mesh = posed.mesh
                if posed.landmarks is not None:
                    heads.append((number, posed.landmarks, posed.face_direction))
            else:
                mesh = actor.at(t)
            footprint = canvas.draw(mesh, view, number, self.spec.reflected)
            if footprint is not None:
                footprints[number] = footprint
        faces = {head[0]: face for head in heads if (face := _face(canvas, view, *head)) is not None}
        return self._truth(canvas, view, footprints, faces)

    def _reprojected(self, footprint: Footprint, view: View) -> Footprint:
        """The window of a still object in the present view."""
        x0, x1, y0, y1 = footprint.region
        wide = self.spec.view
        turn = view.k @ view.rotation @ wide.rotation.T @ np.linalg.inv(wide.k)
        corners = turn @ np.array([[x0, x1, x0, x1], [y0, y0, y1, y1], [1, 1, 1, 1]], float)
        x, y = corners[:2] / corners[2]
        # Empty, not counted from the other end, where the camera has turned away from it.
        region = (
            max(int(x.min()) - 2, 0),
            max(min(int(x.max()) + 3, view.width), 0),
            max(int(y.min()) - 2, 0),
            max(min(int(y.max()) + 3, view.height), 0),
        )
        return replace(footprint, region=region)

    def _truth(
        self, canvas: Canvas, view: View, footprints: dict[int, Footprint], faces: dict[int, SimulatedFace]
    ) -> SceneImage:
        # A portrait shows little of a person, and still nobody would miss them.
        recognised = {number for number, face in faces.items() if not face.ignore}
        numbers, boxes, labels, ignore, visible = [], [], [], [], []
        for number, footprint in sorted(footprints.items()):
            label = self.spec.actors[number - 1].label
            seen = footprint.seen(canvas.objects, number)
            if label is None or seen is None:
                continue
            count, box = seen
            share = min(count / max(footprint.pixels, 1) * footprint.inside, 1.0)
            numbers.append(number)
            boxes.append(box)
            labels.append(label)
            visible.append(share)
            hidden = share < MIN_VISIBLE and number not in recognised
            ignore.append(hidden or max(box[2] - box[0], box[3] - box[1]) < MIN_SIZE_PX)
        k = view.k.copy()
        k[:2, 2] += 0.5
        return SceneImage(
            canvas.celsius,
            canvas.objects,
            np.array(numbers, np.int64),
            np.array(boxes, np.float32).reshape(-1, 4),
            tuple(labels),
            np.array(ignore, bool),
            np.array(visible, np.float32),
            tuple(faces.values()),
            k,
        )


def _mottle(canvas: Canvas) -> None:
    """Fine texture on everything solid that stands still: leaves, plaster, gravel, finer than the meshes are."""
    height, width = canvas.celsius.shape
    texture = value_noise(np.random.default_rng(7), height, width, 5.0, 2, 0.8)
    canvas.celsius += np.float32(0.12) * texture * np.isfinite(canvas.distance)


def _face(
    canvas: Canvas, view: View, number: int, landmarks: np.ndarray, direction: np.ndarray
) -> SimulatedFace | None:
    """The truth about one face; None if it looks away, lies outside the image or is all covered by other objects."""
    camera = view.to_camera(landmarks)
    pixels = view.project(camera)
    if not np.isfinite(pixels).all():
        return None
    centre = camera.mean(axis=0)
    turn = np.arccos(np.clip(-(view.rotation @ direction) @ (centre / np.linalg.norm(centre)), -1, 1))
    if turn > np.radians(110):
        return None
    visible = vertex_visibility(pixels, canvas.fragments(), _SKIN_TOLERANCE)
    column, row = np.rint(pixels[:, 0]).astype(int), np.rint(pixels[:, 1]).astype(int)
    inside = (column >= 0) & (row >= 0) & (column < view.width) & (row < view.height)
    own = np.zeros(len(pixels), bool)
    own[inside] = canvas.objects[row[inside], column[inside]] == number
    if own.sum() < 3:
        return None
    points = (pixels[:, :2] + 0.5).astype(np.float32)
    box = face_box(points)
    small = max(box[2] - box[0], box[3] - box[1]) < MIN_FACE_PX
    # Points on the silhouette fall beside the head half of the time, so "mostly covered" asks for well under half.
    return SimulatedFace(box, points, visible, bool(small or turn > MAX_FACE_TURN or own.mean() < 0.4))
