"""Render random thermal heads with exact landmarks into a cache that training reads.

``python3 -m training.data.face_renderer --count 6000 --output heads.npz --assets data/render_assets``

With ``--visible data/rgb_faces`` every head is rendered in visible light as well, which gives aligned pairs for
cross-modal distillation; the photographs of that folder texture the skin (``--visible none``: painted skin alone).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.faces import face_box
from thermal_kd_ros.output import written_aside
from thermal_kd_ros.simulation.raster import Fragments, interpolate, rasterize, vertex_normals, vertex_visibility
from training.command import command
from training.data.coco import DataError
from training.data.face_heat import Style, random_style, temperatures, thickness
from training.data.face_light import FRAME, LENS, Scene, load_photographs, skin_texture, visible_light
from training.data.face_mesh import HeadModel, load_head, random_shape, visible_contour
from training.data.face_wear import stand_off, worn
from training.options import check_rendering
from training.outputs import check_place
from training.workers import workers

PATCH = 192
"""Side of a rendered patch, pixels; the middle of the face lies half of this from the left, top and right."""
BUST = 320
"""Side of a patch that shows the shoulders and the chest too."""
FACE = 88.0
"""About the longer side of the face box in a patch, pixels."""
_NECK = np.array([0.0, -8.0, -1.0], np.float32)


@dataclass(frozen=True)
class Pose:
    """Degrees; positive yaw turns to the subject's left (image right), positive pitch looks down."""

    yaw: float
    pitch: float
    roll: float
    distance_cm: float


@dataclass(frozen=True)
class RenderedHead:
    """One head in a patch."""

    temperature: np.ndarray
    """(size, size) float32 °C, NaN where there is no head."""
    points: np.ndarray
    """(54, 2) float32 pixels, continuous: hidden jaw points on the visible contour."""
    surface_points: np.ndarray
    """(54, 2) the same with all points at their fixed places on the surface."""
    visible: np.ndarray
    """(54,) bool."""
    axes: np.ndarray
    """(3, 2) what a centimetre along the head's x, y and z is in the image, pixels."""
    pose: Pose
    style: Style
    colour: np.ndarray | None = None
    """(PATCH, PATCH, 3) uint8 RGB in visible light, black where there is no head."""


def random_pose(rng: np.random.Generator, away: bool = False) -> Pose:
    """Mostly moderate, sometimes up to profile, seldom upside down (people lying); or ``away`` from the camera."""
    distance = float(np.exp(rng.uniform(np.log(40), np.log(300))))
    if away:
        yaw = rng.choice([-1, 1]) * rng.uniform(115, 180)
        return Pose(float(yaw), float(rng.normal(0, 12)), float(rng.normal(0, 10)), distance)
    if rng.random() < 0.65:
        yaw, pitch = rng.normal(0, 22), rng.normal(0, 13)
    else:
        yaw, pitch = rng.uniform(-78, 78), rng.normal(0, 16)
    roll = rng.uniform(-180, 180) if rng.random() < 0.03 else rng.normal(0, 13)
    return Pose(float(np.clip(yaw, -80, 80)), float(np.clip(pitch, -40, 40)), float(roll), distance)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3) from the head's axes (y up, z forward) turned by degrees; pitch first, then yaw, then roll."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def _turned(vertices: np.ndarray, weight: np.ndarray, head: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """Vertices turned about the neck: by ``head`` where the weight is 1, by ``trunk`` where it is 0."""
    local = vertices - _NECK
    return weight[:, None] * (local @ head.T) + (1 - weight[:, None]) * (local @ trunk.T)


def _head_weight(neutral: np.ndarray) -> np.ndarray:
    """(V,) how far neutral vertices turn with the head rather than stay with the trunk."""
    t = np.clip((neutral[:, 1] + 15.0) / 6.5, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def render_head(model: HeadModel, rng: np.random.Generator, pose: Pose | None = None,
                textures: list[np.ndarray] | None = None, size: int = PATCH) -> RenderedHead:
    """A random head in a patch of ``size`` pixels; every random choice comes from ``rng``.

    The middle of the face is in the middle column and PATCH / 2 from the top: larger patches show more of the body.
    With ``textures`` (of ``face_light.skin_texture``, or an empty list) it is rendered in visible light as well.
    """
    pose = pose or random_pose(rng)
    style = random_style(rng)
    skin = random_shape(model, rng)
    parts = worn(style, rng)

    normals = vertex_normals(skin, model.faces)
    raised = skin + normals * thickness(model.neutral, style)[:, None]
    # Worn things are made for the neutral face: fit them to this one by its overall size at the fixed points.
    neutral_points, own_points = model.neutral[model.landmarks], skin[model.landmarks]
    fit = own_points.std(axis=0) / neutral_points.std(axis=0)
    shift = own_points[27:48].mean(axis=0) - neutral_points[27:48].mean(axis=0) * fit

    follow = rng.uniform(0.0, 0.35) + 0.35 * (abs(pose.yaw) > 40) + 0.3 * (abs(pose.yaw) > 100)
    head = rotation(pose.yaw, pose.pitch, pose.roll)
    trunk = rotation(pose.yaw * follow, 0.3 * pose.pitch, pose.roll * (0.3 if abs(pose.roll) < 60 else 1.0))
    weight = _head_weight(model.neutral)
    turned = [_turned(raised, weight, head, trunk)]
    faces, heat, base = [model.faces], [np.full(len(raised), np.nan, np.float32)], len(raised)
    kind, glass, rest = [model.material], [np.zeros(len(model.faces), bool)], [model.neutral]
    lenses = [part.vertices * fit + shift for part in parts if part.glass is not None]
    ahead = stand_off(np.concatenate(lenses), raised) if lenses else 0.0
    for part in parts:
        vertices = part.vertices * fit + shift if part.on_head else part.vertices
        if part.kind == FRAME:
            vertices = vertices + (0.0, 0.0, ahead)
        follows = np.full(len(vertices), float(part.on_head), np.float32)
        turned.append(_turned(vertices.astype(np.float32), follows, head, trunk))
        faces.append(part.faces + base)
        heat.append(part.heat)
        kind.append(np.full(len(part.faces), part.kind, np.uint8))
        glass.append(np.zeros(len(part.faces), bool) if part.glass is None else part.glass)
        rest.append(part.vertices)
        base += len(vertices)
    vertices, all_faces, extra = np.concatenate(turned), np.concatenate(faces), np.concatenate(heat)

    bare = _turned(skin, weight, head, trunk)
    centre3 = bare[model.landmarks].mean(axis=0)
    depth = pose.distance_cm + centre3[2]

    def project(points: np.ndarray) -> np.ndarray:
        """Turned points (N, 3), y up, to x, y, z of a camera at unit focal length."""
        away = np.maximum(depth - points[:, 2], 5.0)
        return np.stack([(points[:, 0] - centre3[0]) / away, -(points[:, 1] - centre3[1]) / away, away], axis=1)

    flat = project(bare)
    box = face_box(flat[model.landmarks, :2])
    scale = np.float32(FACE / (box[2:] - box[:2]).max())
    middle = (box[:2] + box[2:]) / 2

    def pixels(points: np.ndarray) -> np.ndarray:
        return np.concatenate([(points[:, :2] - middle) * scale + (size / 2, PATCH / 2), points[:, 2:]], axis=1)

    drawn, flat = pixels(project(vertices)), pixels(flat)
    # The rasteriser has pixel centres at whole numbers.
    fragments = rasterize(drawn - np.array([0.5, 0.5, 0.0]), all_faces, size, size,
                          inverse_depth=1.0 / drawn[:, 2], cull_backfaces=True)
    temperature = _shade(model, fragments, all_faces, vertices, extra, style)

    surface = flat[model.landmarks]
    up = surface[27, :2] - surface[8, :2]
    points = visible_contour(surface[:, :2], model, flat[:, :2], up / np.linalg.norm(up))
    visible = vertex_visibility(surface - np.array([0.5, 0.5, 0.0]), fragments, 1.0)
    # In the plane of the face's middle, from which depths are counted.
    axes = np.stack([head[0], -head[1]], axis=1) * (scale / pose.distance_cm)
    colour = None
    if textures is not None:
        kinds, kept = np.concatenate(kind), np.ones(len(all_faces), bool)
        if rng.random() < 0.7:  # clear glass: what is behind it shows
            kept = ~np.concatenate(glass)
        else:
            kinds[np.concatenate(glass)] = LENS
        seen = fragments if kept.all() else rasterize(
            drawn - np.array([0.5, 0.5, 0.0]), all_faces[kept], size, size, inverse_depth=1.0 / drawn[:, 2],
            cull_backfaces=True)
        scene = Scene(vertices, np.concatenate(rest), all_faces[kept], kinds[kept], centre3)
        colour = visible_light(scene, seen, style, textures, rng)
    return RenderedHead(temperature, points.astype(np.float32), surface[:, :2].astype(np.float32), visible,
                        axes.astype(np.float32), pose, style, colour)


def _shade(model: HeadModel, fragments: Fragments, faces: np.ndarray, vertices: np.ndarray, extra: np.ndarray,
           style: Style) -> np.ndarray:
    """(H, W) °C of a z-buffer, NaN without a surface."""
    neutral = np.zeros((len(vertices), 3), np.float32)
    neutral[: len(model.neutral)] = model.neutral
    mask = fragments.mask
    face = fragments.face[mask]
    skin = face < len(model.faces)
    heat = interpolate(fragments, faces, np.nan_to_num(extra))[mask]
    places = interpolate(fragments, faces, neutral)[mask]
    heat[skin] = temperatures(places[skin], model.material[face[skin]], style)
    # At grazing angles skin and cloth emit less and mirror the surroundings instead.
    corner = vertices[faces[face]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    facing = np.abs(normal[:, 2]) / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    heat += (style.ambient - heat) * (0.25 * (1 - facing) ** 4)
    image = np.full(mask.shape, np.nan, np.float32)
    image[mask] = heat
    return image


_MODEL: HeadModel | None = None
_TEXTURES: list[np.ndarray] | None = None


def _start_worker(assets: Path, photographs: Path | None, visible: bool) -> None:
    global _MODEL, _TEXTURES
    _MODEL = load_head(assets / "ict_face.npz")
    if visible:
        found = load_photographs(photographs) if photographs else []
        _TEXTURES = [skin_texture(photograph, _MODEL.neutral[_MODEL.landmarks]) for photograph in found]


def _render_one(job: tuple[int, int, bool, int]) -> tuple[np.ndarray | np.float32, ...]:
    assert _MODEL is not None
    seed, index, away, size = job
    rng = np.random.default_rng((seed, index))
    head = render_head(_MODEL, rng, random_pose(rng, away) if away else None, _TEXTURES, size)
    counts = np.where(np.isnan(head.temperature), 0, np.round((head.temperature + 273.15) * 100)).astype(np.uint16)
    pose = np.array([head.pose.yaw, head.pose.pitch, head.pose.roll], np.float32)
    row = (counts, head.points, head.surface_points, head.visible, head.axes, pose, np.float32(head.style.ambient))
    return row if head.colour is None else (*row, head.colour)


def render_cache(count: int, output: Path, assets: Path, seed: int, processes: int, away: bool = False,
                 visible: bool = False, photographs: Path | None = None, size: int = PATCH) -> None:
    """Render ``count`` heads (of people looking ``away``) into one archive, written aside and renamed.

    Arrays: ``patches`` (N, size, size) uint16 centikelvin, 0 outside the head; ``points``, ``surface_points``
    (N, 54, 2); ``visible`` (N, 54); ``axes`` (N, 3, 2); ``pose`` (N, 3) degrees; ``ambient`` (N,) °C; with
    ``visible`` also ``colours`` (N, size, size, 3) uint8, with skin from the folder ``photographs`` if given.
    Raises DataError, or OSError where the archive cannot be written, which is tried first.
    """
    check_place(output)
    load_head(assets / "ict_face.npz")  # fails here, not in the workers
    if photographs:
        load_photographs(photographs)
    rows = []
    with workers(processes, _start_worker, assets, photographs, visible) as pool:
        jobs = pool.map(_render_one, ((seed, i, away, size) for i in range(count)), chunksize=8)
        rows = list(tqdm(jobs, total=count, desc="heads", mininterval=5.0))
    names = ("patches", "points", "surface_points", "visible", "axes", "pose", "ambient") + ("colours",) * visible
    columns = {name: np.stack(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    with written_aside(output) as aside, open(aside, "wb") as file:  # given a name, NumPy may add its own ending
        np.savez(file, **columns)  # type: ignore[arg-type]


@command(DataError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.data.face_renderer",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True, help="folder with ict_face.npz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--away", action="store_true", help="backs of heads, which are no faces")
    parser.add_argument("--visible", metavar="FOLDER", help="also render in visible light, with skin from these "
                        "photographs; 'none' for painted skin")
    parser.add_argument("--bust", action="store_true", help="larger patches with shoulders and chest, for detectors")
    args = parser.parse_args(argv)
    photographs = Path(args.visible) if args.visible and args.visible != "none" else None
    check_rendering(args.count, args.seed, args.processes)
    render_cache(args.count, args.output, args.assets, args.seed, args.processes, args.away, bool(args.visible),
                 photographs, BUST if args.bust else PATCH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
