"""Drawing models into registered temperature, albedo, normal, depth and object-number images, and lighting them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from thermal_kd_ros.simulation.noise import value_noise
from thermal_kd_ros.simulation.raster import rasterize
from thermal_kd_ros.simulation.render import Footprint, View
from training.data.pair_scenes.ambience import Ambience
from training.data.pair_scenes.materials import GLOSS, GRAIN, MIRROR, THIN, Look
from training.data.pair_scenes.model import Model

_DETAILED = 5000
"""Models with more faces than this are drawn coarser where they are small."""
_CELLS = ((150.0, 0.0), (80.0, 0.010), (40.0, 0.018), (0.0, 0.032))
"""From so many pixels per metre on, vertices are joined in cubes of this side (metres)."""


@dataclass
class Light:
    """Visible light, linear. sun: (3,) unit vector to the sun. lamps: (position (3,), rgb (3,), reach in metres)."""

    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    lamps: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)


class Canvas:
    """celsius (H, W), albedo, normal and emission (H, W, 3), distance (H, W) metres from the lens: float32.

    objects: (H, W) int16, number of the object seen, 0 for scenery. ground: (H, W) bool, where shadows fall. grain:
    (2, H, W) float32, noise finer than the meshes are: of surfaces, and of the gaps in foliage.
    """

    def __init__(self, view: View, celsius: float, rng: np.random.Generator) -> None:
        """An empty canvas around ``celsius`` °C; ``rng`` draws the grain of the surfaces."""
        height, width = view.height, view.width
        self.view = view
        self.celsius = np.full((height, width), celsius, np.float32)
        self.albedo = np.full((height, width, 3), 0.3, np.float32)
        self.normal = np.zeros((height, width, 3), np.float32)
        self.normal[..., 1] = -1.0
        self.emission = np.zeros((height, width, 3), np.float32)
        self.distance = np.full((height, width), np.inf, np.float32)
        self.objects = np.zeros((height, width), np.int16)
        self.ground = np.zeros((height, width), bool)
        self.shade = np.zeros((height, width), np.float32)
        self.grain = np.stack([value_noise(rng, height, width, rng.uniform(2.5, coarsest), 2, 0.8)
                               for coarsest in (7.0, 18.0)])
        self._stretch = view.stretch((slice(0, height), slice(0, width)))
        self._rays = (view.rays() / self._stretch[..., None]) @ view.rotation.astype(np.float32)
        self._shadows: list[tuple[np.ndarray, np.ndarray]] = []

    def draw(self, model: Model, look: Look, turn: np.ndarray, position: np.ndarray, number: int,
             ambience: Ambience, light: Light | None = None, mirror: bool = False) -> Footprint | None:
        """Draw a model turned by (3, 3) and set at (3,); None if none of it lies in the image.

        Args:
            number: object number, 0 for scenery.
            ambience: what glossy surfaces mirror.
            light: if given and its sun shines, the model throws a shadow on the ground.
            mirror: draw the mirror image of the model.
        """
        view = self.view
        far = float(np.linalg.norm(np.asarray(position) - view.position))
        casts = light is not None and light.sun_rgb.max() > 0.2 and far < 25
        if not casts and not view.may_see(np.asarray(position) - (0, 0.5 * model.height, 0), model.radius):
            return None
        if len(model.faces) > _DETAILED:
            scale = view.k[0, 0] / max(far - 0.5, 0.3)
            cell = next(cell for least, cell in _CELLS if scale >= least)
            model = model.coarse(cell) if cell else model
        turn = np.asarray(turn, np.float32)
        if mirror:
            turn = turn @ np.diag(np.array([-1, 1, 1], np.float32))
        world = model.vertices @ turn.T + np.asarray(position, np.float32)
        if casts and light is not None:
            self._cast(model, world, light.sun)
        camera = view.to_camera(world)
        pixels = view.project(camera)
        extent = view.extent(pixels)
        if extent is None:
            return None
        region, inside = extent
        x0, x1, y0, y1 = region
        corners = np.stack([pixels[:, 0] - x0, pixels[:, 1] - y0, pixels[:, 2]], axis=1)
        fragments = rasterize(corners, model.faces, y1 - y0, x1 - x0,
                              inverse_depth=1.0 / np.where(np.isfinite(pixels[:, 0]), camera[:, 2], np.nan))
        window = (slice(y0, y1), slice(x0, x1))
        distance = fragments.depth * self._stretch[window]
        shown = distance < self.distance[window]
        rows, columns = np.nonzero(shown)
        if len(rows):
            face = fragments.face[rows, columns]
            material = model.material[face]
            thin = THIN[material] > self.grain[1, rows + y0, columns + x0]
            if thin.any():  # sky between the leaves
                rows, columns, face, material = rows[~thin], columns[~thin], face[~thin], material[~thin]
            attributes = np.column_stack([model.warmth, model.normals @ turn.T, model.vertices])
            corner, weight = model.faces[face], fragments.barycentric[rows, columns]
            values = sum(attributes[corner[:, k]] * weight[:, k, None] for k in range(3))
            distance = distance[rows, columns]
            rows, columns = rows + y0, columns + x0
            self._shade_in(rows, columns, values, material, look, ambience)
            self.distance[rows, columns] = distance
            self.objects[rows, columns] = number
            self.ground[rows, columns] = False
        return Footprint(region, int(np.count_nonzero(fragments.mask)), inside)

    def _shade_in(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, material: np.ndarray, look: Look,
                  ambience: Ambience) -> None:
        """Write material properties at pixels; values (N, 7): warmth, world normal, position in the model."""
        normal = values[:, 1:4]
        normal = normal / np.sqrt(np.maximum(np.einsum("ij,ij->i", normal, normal), 1e-6))[:, None]
        ray = self._rays[rows, columns]
        cosine = -np.einsum("ij,ij->i", normal, ray)
        # Drawn two-sided: what we see of a sheet is the side that faces us.
        normal = np.where(cosine[:, None] < 0, -normal, normal)
        grazing = (1 - np.abs(cosine)) ** 2
        celsius = look.celsius[material] + look.gain[material] * values[:, 0]
        # A ray leaves a mirror as d - 2 (d n) n; the normal faces us, so that d n is negative.
        mirrored = ambience.celsius(-ray[:, 1] - 2 * np.abs(cosine) * normal[:, 1])
        celsius += (MIRROR[material] + (GLOSS - MIRROR)[material] * grazing) * (mirrored - celsius)
        grain = self.grain[0, rows, columns]
        celsius += GRAIN[material] * grain
        albedo = look.rgb[material] * np.maximum(1 + 0.3 * GRAIN[material] * grain, 0.0)[:, None]
        for printed, (period, axis, second) in look.stripes.items():
            on = (material == printed) & (np.mod(values[:, 4 + axis] / np.float32(period), 1.0) < 0.5)
            albedo[on] = second
        self.celsius[rows, columns] = celsius
        self.albedo[rows, columns] = albedo
        self.normal[rows, columns] = normal
        self.emission[rows, columns] = look.emission[material][:, None] * look.rgb[material]

    def _cast(self, model: Model, world: np.ndarray, sun: np.ndarray) -> None:
        """Keep the model's outline on the ground for :meth:`drop_shadows`."""
        if sun[1] > -0.12:
            return
        if len(model.faces) > _DETAILED:  # people and built cars; a bicycle's tubes would vanish
            small = model.coarse(0.06)
            # The coarse model goes where the fine one went.
            move, *_ = np.linalg.lstsq(np.column_stack([model.vertices, np.ones(len(world))])[::7], world[::7], None)
            world, model = np.column_stack([small.vertices, np.ones(len(small.vertices))]) @ move, small
        flat = world - sun * (world[:, 1:2] / sun[1])
        self._shadows.append((flat, model.faces))

    def heat_ground(self, centre: np.ndarray, half: tuple[float, float], heading: float, kelvin: float) -> None:
        """Warm the ground that is drawn already around (3,) by up to ``kelvin``, with soft edges.

        Args:
            half: half width and half length of the patch in metres, turned by ``heading``.
        """
        far = np.where(self.ground, self.distance, np.nan)
        x = self._rays[..., 0] * far + np.float32(self.view.position[0] - centre[0])
        z = self._rays[..., 2] * far + np.float32(self.view.position[2] - centre[2])
        cosine, sine = np.float32(np.cos(heading)), np.float32(np.sin(heading))
        outside = np.maximum(np.abs(x * cosine - z * sine) - half[0], np.abs(x * sine + z * cosine) - half[1])
        self.celsius += np.nan_to_num(np.float32(kelvin) * np.clip(0.5 - outside / 0.5, 0, 1))

    def drop_shadows(self, ground_y: float = 0.0) -> None:
        """Mark the ground that the drawn models keep the sun from, in ``shade``."""
        view = self.view
        for flat, faces in self._shadows:
            camera = view.to_camera(flat + np.array([0, ground_y, 0]))
            pixels = view.project(camera)
            finite = np.isfinite(pixels[:, 0])
            if not finite.any():
                continue
            fragments = rasterize(np.where(finite[:, None], pixels, np.nan), faces, view.height, view.width)
            self.shade[fragments.mask & self.ground] = 1.0

    def lit(self, light: Light) -> np.ndarray:
        """(H, W, 3) float32 linear radiance of the visible scene."""
        facing = np.clip(self.normal @ light.sun.astype(np.float32), 0, None) * (1 - 0.9 * self.shade)
        up = (0.65 - 0.35 * self.normal[..., 1])[..., None]
        arriving = facing[..., None] * light.sun_rgb.astype(np.float32) + up * light.sky_rgb.astype(np.float32)
        if light.lamps:
            far = np.where(np.isfinite(self.distance), self.distance, 1e3)[..., None]
            place = self._rays * far + self.view.position.astype(np.float32)
            for position, rgb, reach in light.lamps:
                to = position.astype(np.float32) - place
                square = np.einsum("ijk,ijk->ij", to, to)
                cosine = np.clip(np.einsum("ijk,ijk->ij", to, self.normal) / np.sqrt(square + 1e-6), 0.1, None)
                arriving = arriving + (cosine / (1 + square / reach**2))[..., None] * rgb.astype(np.float32)
        return self.albedo * arriving + self.emission
