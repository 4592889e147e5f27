"""Rendered heads in visible light: the same surface that the thermal renderer draws, with albedo, light and shadow.

Skin comes either from a smooth model (a scale of complexions, lips, brows, iris, flush) or from a photograph that is
laid on the neutral face by its landmarks. Colours are linear RGB until ``encoded``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.layouts import IBUG68_TO_SF_TL54
from thermal_kd_ros.simulation.noise import point_noise
from thermal_kd_ros.simulation.raster import Fragments, interpolate, rasterize, vertex_normals
from training.data.coco import DataError
from training.data.face_heat import Style, azimuth_deg, beard_mask, cover_mask, garment_mask, hair_mask, smoothstep

SKIN, EYE, MOUTH, CLOTH, FRAME, LENS, MASK, HAIR = range(8)
"""What a mesh face is made of."""

_COMPLEXIONS = np.array([(0.72, 0.45, 0.34), (0.50, 0.28, 0.19), (0.25, 0.12, 0.075), (0.075, 0.036, 0.024)])
_HAIR_COLOURS = np.array([(0.012, 0.010, 0.009), (0.05, 0.028, 0.016), (0.22, 0.12, 0.055), (0.30, 0.29, 0.28),
                          (0.16, 0.045, 0.02)])
_IRIS_COLOURS = np.array([(0.035, 0.018, 0.010), (0.12, 0.07, 0.03), (0.12, 0.20, 0.30), (0.10, 0.15, 0.09)])
_TEXTURE_X, _TEXTURE_Y = (-8.0, 8.0), (11.0, -9.0)
_TEXTURE_SIZE = (160, 200)
HELD_OUT = 5
"""Every fifth photograph neither textures heads nor trains a teacher: those measure it."""


@dataclass(frozen=True)
class Photograph:
    """A visible-light face with its points."""

    path: Path
    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    points: np.ndarray
    """(54, 2) pixels, continuous."""


def load_photographs(root: Path, held_out: bool = False) -> list[Photograph]:
    """The faces of a folder with ``landmarks68.json``, those for training or every fifth; raises DataError."""
    index = root / "landmarks68.json"
    if not index.is_file():
        raise DataError(f"{index} is missing: the folder must hold photographs and their 68 landmarks")
    photographs = []
    try:
        listed = {str(name): np.array(points, np.float32) for name, points in json.loads(index.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{index}: not names of photographs with 68 points each ({error})") from None
    for i, (name, corners) in enumerate(sorted(listed.items())):
        if (i % HELD_OUT == HELD_OUT - 1) != held_out:
            continue
        image = cv2.imread(str(root / name), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError(f"{root / name} cannot be read as an image")
        if corners.shape != (68, 2):
            raise DataError(f"{index}, {name}: {corners.shape} values, expected 68 points")
        photographs.append(Photograph(root / name, cv2.cvtColor(image, cv2.COLOR_BGR2RGB),
                                      corners[list(IBUG68_TO_SF_TL54)]))
    return photographs


def thin_plate(source: np.ndarray, target: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``places`` (N, 2) through the thin-plate spline that takes ``source`` (M, 2) to ``target`` (M, 2).

    Bookstein, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations", PAMI 1989.
    """
    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
        return squared * np.log(np.maximum(squared, 1e-12))

    count = len(source)
    affine = np.column_stack([np.ones(count), source])
    system = np.block([[kernel(source, source), affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.concatenate([target, np.zeros((3, 2))]))
    return kernel(places, source) @ weights[:count] + np.column_stack([np.ones(len(places)), places]) @ weights[count:]


def skin_texture(photograph: Photograph, landmarks: np.ndarray) -> np.ndarray:
    """(200, 160, 3) float32 linear colour of the neutral face's front, for x -8 to 8 cm and y 11 to -9 cm.

    Args:
        photograph: a frontal face.
        landmarks: (54, 3) the neutral head's landmark vertices, cm.
    """
    width, height = _TEXTURE_SIZE
    x, y = np.meshgrid(np.linspace(*_TEXTURE_X, width), np.linspace(*_TEXTURE_Y, height))
    flat = np.column_stack([x.ravel(), y.ravel()])
    # Only the middle of each brow ties: how far the ends hang differs between annotators, and would bend the brows.
    ties = np.setdiff1d(np.arange(54), (17, 18, 20, 21, 22, 23, 25, 26))
    places = thin_plate(landmarks[ties, :2].astype(np.float64), photograph.points[ties].astype(np.float64), flat)
    grid = (places.reshape(height, width, 2) - 0.5).astype(np.float32)
    texture = cv2.remap(photograph.image, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return decoded(texture)


def decoded(image: np.ndarray) -> np.ndarray:
    """uint8 sRGB to linear float32, by the usual power law."""
    return (image.astype(np.float32) / 255) ** np.float32(2.2)


def encoded(colour: np.ndarray) -> np.ndarray:
    """Linear colour to uint8 sRGB."""
    return np.round(np.clip(colour, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


@dataclass(frozen=True)
class Scene:
    """The meshes of one head as they stand before the camera."""

    vertices: np.ndarray
    """(V, 3) turned, cm, y up, z to the camera."""
    neutral: np.ndarray
    """(V, 3) the same on the neutral head."""
    faces: np.ndarray
    """(F, 3)."""
    kind: np.ndarray
    """(F,) SKIN to HAIR."""
    centre: np.ndarray
    """(3,) middle of the face among ``vertices``."""


def visible_light(scene: Scene, fragments: Fragments, style: Style, textures: list[np.ndarray],
                  rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a z-buffer, black without a surface, brought to a normal exposure."""
    mask = fragments.mask
    face = fragments.face[mask]
    kind = scene.kind[face]
    places = interpolate(fragments, scene.faces, scene.neutral)[mask]
    normal = interpolate(fragments, scene.faces, vertex_normals(scene.vertices, scene.faces))[mask]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    colour = _albedo(places, kind, style, textures, rng)

    azimuth, height = np.radians(rng.normal(0, 50)), np.radians(rng.uniform(-15, 65))
    light = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    lit = np.clip(normal @ light, 0, None)
    if rng.random() < 0.5:
        here = interpolate(fragments, scene.faces, scene.vertices)[mask]
        lit *= _unshadowed(scene, here, light)
    share = rng.uniform(0.25, 0.95)  # of the light that comes from everywhere
    tint = np.exp(rng.normal(0, 0.08, 3))
    brightness = share * (0.75 + 0.25 * normal[:, 1]) * (0.6 + 0.4 * np.clip(normal[:, 2], 0, 1))
    half = light + (0, 0, 1)
    shine = np.clip(normal @ (half / np.linalg.norm(half)), 0, None) ** 25 * np.isin(kind, (SKIN, EYE, FRAME, LENS))
    shaded = colour * (brightness[:, None] + 1.4 * (1 - share) * lit[:, None] * tint) + 0.05 * (shine * lit)[:, None]
    skin = shaded[kind == SKIN].mean(axis=1) if (kind == SKIN).any() else shaded.mean(axis=1)
    image = np.zeros((*mask.shape, 3), np.float32)
    image[mask] = shaded * (rng.uniform(0.25, 0.5) / max(float(np.percentile(skin, 80)), 1e-4))
    return encoded(image)


def _unshadowed(scene: Scene, here: np.ndarray, light: np.ndarray, size: int = 128, reach: float = 17.0) -> np.ndarray:
    """(N,) 0 where something stands between ``here`` (N, 3) and a distant light (shadow mapping), else 1."""
    across = np.cross((0.0, 1.0, 0.0), light)
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(light, across), -light])
    seen = (scene.vertices - scene.centre) @ frame.T
    scale = size / (2 * reach)
    depth = rasterize(seen * (scale, scale, 1.0) + (size / 2, size / 2, 0.0), scene.faces, size, size).depth
    u, v, distance = ((here - scene.centre) @ frame.T).T
    column = np.clip(np.rint(u * scale + size / 2), 0, size - 1).astype(int)
    row = np.clip(np.rint(v * scale + size / 2), 0, size - 1).astype(int)
    return (distance <= depth[row, column] + 0.7).astype(np.float32)


def _albedo(places: np.ndarray, kind: np.ndarray, style: Style, textures: list[np.ndarray], rng: np.random.Generator
            ) -> np.ndarray:
    """(N, 3) linear colour at ``places`` (N, 3) of the neutral head."""
    x, y, z = places.T
    tone = float(rng.uniform(0, 3))
    skin = np.stack([np.interp(tone, range(4), channel) for channel in _COMPLEXIONS.T]) * np.exp(rng.normal(0, 0.06, 3))
    hair = _HAIR_COLOURS[rng.integers(len(_HAIR_COLOURS)) if tone < 1.7 else 0] * np.exp(rng.normal(0, 0.25))
    colour = np.empty((len(places), 3), np.float32)
    colour[:] = _painted_skin(places, skin, hair, rng)
    if textures and rng.random() < 0.7:
        texture = textures[rng.integers(len(textures))]
        if rng.random() < 0.5:
            texture = texture[:, ::-1]
        column = (x - _TEXTURE_X[0]) / (_TEXTURE_X[1] - _TEXTURE_X[0]) * (_TEXTURE_SIZE[0] - 1)
        row = (y - _TEXTURE_Y[0]) / (_TEXTURE_Y[1] - _TEXTURE_Y[0]) * (_TEXTURE_SIZE[1] - 1)
        grid = np.stack([column, row], axis=1).astype(np.float32)
        photo = cv2.remap(np.ascontiguousarray(texture), grid[None, :, 0], grid[None, :, 1], cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)[0]
        # Photographs show the front; the rest of the head takes the tone of their cheeks.
        cheeks = np.median(texture[85:130, 20:140].reshape(-1, 3), axis=0)
        contour = np.interp(y, (-7.3, -6.9, -6.2, -4.5, -2.4, -0.5, 1.5), (1.0, 3.1, 4.3, 5.7, 6.6, 6.9, 7.3))
        front = smoothstep(np.abs(x), 0.95 * contour, 0.75 * contour) * smoothstep(y, -7.3, -6.5)
        front = front * smoothstep(azimuth_deg(places), 60, 45) * smoothstep(y, 9.0, 7.5)
        # Not the photograph's open eyes: here the lids may be closed.
        front *= smoothstep(np.hypot((np.abs(x) - 3.15) / 1.45, (y - 3.5) / 0.55), 0.9, 1.15)
        front = (front * (z > 3.0))[:, None]
        ratio = cheeks / np.maximum(skin, 1e-3)
        colour = colour * ratio * (1 - front) + photo * front
    eye = kind == EYE
    colour[eye] = _eye(places[eye], rng)
    inside = kind == MOUTH
    colour[inside] = (0.25, 0.07, 0.06) * (0.6 + 0.4 * smoothstep(z[inside], 8.0, 11.0))[:, None]
    grain = np.exp(0.25 * point_noise(rng, places, 0.9) + 0.2 * point_noise(rng, places, 3.0))[:, None]
    cloth = rng.uniform(0.02, 0.7, 3) ** 1.5
    beard = beard_mask(places, style)[:, None] * (0.35 if style.beard == "stubble" else 0.9)
    scalp = hair_mask(places, style)[:, None]
    cover = cover_mask(places, style)[:, None]
    garment = garment_mask(places, style)[:, None]
    second = rng.uniform(0.02, 0.7, 3) ** 1.5
    for cover_by, with_colour in ((beard, hair), (scalp, hair), (cover, second), (garment, cloth)):
        # Only skin is covered: eyes and the inside of the mouth stay as they are.
        share = cover_by * (kind == SKIN)[:, None]
        colour = colour * (1 - share) + with_colour * grain * share
    for part, with_colour in ((CLOTH, cloth), (FRAME, rng.uniform(0.005, 0.3) * np.ones(3)), (LENS, 0.02 * np.ones(3)),
                              (MASK, rng.uniform(0.4, 0.9, 3)), (HAIR, hair)):
        colour[kind == part] = with_colour * grain[kind == part] ** (0.2 if part in (FRAME, LENS, MASK) else 1.0)
    bare = (kind == CLOTH) & (y > style.collar)
    colour[bare] = skin
    return colour


def _painted_skin(places: np.ndarray, skin: np.ndarray, hair: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) skin with lips, brows, lashes, flush and freckles."""
    x, y, z = places.T
    front = smoothstep(z, 4.0, 7.0)
    colour = skin * np.exp(0.06 * point_noise(rng, places, 5.0) + 0.04 * point_noise(rng, places, 1.0))[:, None]
    side = np.abs(x)
    flush = rng.uniform(0, 0.25) * front * (np.exp(-((side - 4.5) ** 2 + (y - 0.5) ** 2) / 4) + np.exp(-(x**2 + y**2)))
    colour = colour * (1 - flush[:, None] * (0.0, 0.6, 0.6))
    lips = smoothstep(np.hypot(x / 2.55, (y + 3.45) / 0.98), 1.08, 0.9) * front
    lips = lips[:, None]
    lip = skin * np.array([0.85, 0.45, 0.5]) * np.exp(rng.normal(0, 0.2))
    colour = colour * (1 - lips) + lip * lips
    ridge = np.interp(side, (1.2, 2.4, 3.8, 4.9, 5.8), (5.9, 6.2, 6.3, 6.0, 5.2))
    thick = rng.uniform(0.18, 0.42)
    brows = np.exp(-(((y - ridge) / thick) ** 2)) * smoothstep(side, 0.9, 1.5) * smoothstep(side, 6.1, 5.2) * front
    brows = (rng.uniform(0.3, 0.95) * brows)[:, None]
    colour = colour * (1 - brows) + hair * brows
    rim = np.hypot((side - 3.15) / 1.45, (y - 3.5) / 0.55)
    lashes = (rng.uniform(0.2, 0.7) * np.exp(-(((rim - 1.0) / 0.18) ** 2)) * front)[:, None]
    return (colour * (1 - lashes) + 0.3 * hair * lashes).astype(np.float32)


def _eye(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) sclera, iris and pupil; both eyes look the same way."""
    gaze = rng.normal(0, (0.2, 0.08))
    radius = np.hypot(np.abs(places[:, 0] - gaze[0] - np.sign(places[:, 0]) * 3.1), places[:, 1] - 3.45 - gaze[1])
    iris = smoothstep(radius, 0.62, 0.52)[:, None]
    pupil = smoothstep(radius, 0.28, 0.2)[:, None]
    colour = np.array([0.62, 0.56, 0.53]) * (1 - iris) + _IRIS_COLOURS[rng.integers(len(_IRIS_COLOURS))] * iris
    return colour * (1 - pupil) + 0.006 * pupil
