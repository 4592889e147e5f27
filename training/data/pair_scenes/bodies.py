"""Random people: shape, pose, clothes, hair, out of the body archive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.mesh import box, ellipsoid
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.assets import AXES, HumanAssets, moved
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part

STANDING = ("standing01", "standing02", "standing03", "standing04", "standing05", "standing06", "stand_arms_down",
            "phone_ear_right", "wave_left", "wave_right", "arms_up", "look_left", "look_right", "look_up", "look_down",
            "carry_box", "step_up", "stand_wide", "point_forward_left", "stand_lean_side", "lean_over", "fight01",
            "fight02", "fight03", "fight04")
WALKING = tuple(f"walk_{i}" for i in range(8))
RUNNING = (*(f"run_{i}" for i in range(6)), "run01")
SITTING = ("sit01", "sit_chair", "sit_drive", "sit_read_phone", "sit_wide_lean")
LOW = ("sit_floor_legs_out", "squat", "kneel_one", "bend_forward", "lie_back", "lie_front", "lie_side_left",
       "lie_curled_right", "crawl")
CYCLING = tuple(f"cycle_{i}" for i in range(4))
POSTURES = {"stand": STANDING, "walk": WALKING, "run": RUNNING, "sit": SITTING, "low": LOW, "cycle": CYCLING}
"""Poses of each posture."""

_REGION_MATERIAL = {"scalp": Material.HAIR, "face": Material.FACE, "hand": Material.HAND}
_LOOSE = {"upperarm01", "lowerarm01", "upperleg01", "lowerleg01", "head", "neck02", "spine03", "spine02", "shoulder01",
          "wrist"}


@dataclass(frozen=True)
class BodySpec:
    """One posed individual."""

    shape: dict[str, float]
    rotations: np.ndarray
    items: tuple[str, ...]
    covered: bool
    """A cap or hood of cloth instead of hair."""
    bag: bool
    glasses: bool


def random_body(rng: np.random.Generator, assets: HumanAssets, posture: str) -> BodySpec:
    """Someone of any age, build and dress in a pose of the posture, with joints turned a little at random."""
    gender = str(rng.choice(["male", "female"]))
    age = str(rng.choice(["young", "old", "child"], p=[0.68, 0.17, 0.15]))
    muscle = str(rng.choice(["minmuscle", "averagemuscle", "maxmuscle"], p=[0.25, 0.6, 0.15]))
    weight = str(rng.choice(["minweight", "averageweight", "maxweight"], p=[0.2, 0.6, 0.2]))
    race = str(rng.choice(["african", "asian", "caucasian"]))
    plain, extreme = f"{gender}-{age}-averagemuscle-averageweight", f"{gender}-{age}-{muscle}-{weight}"
    mix = float(rng.uniform(0.2, 1.0))
    shape = {plain: 1.0} if plain == extreme else {plain: 1 - mix, extreme: mix}
    shape[f"{race}-{gender}-{age}"] = 1.0
    shape[f"{gender}-{age}-{rng.choice(['minheight', 'maxheight'])}"] = float(rng.uniform(0, 0.22))
    pose = assets.arrays["pose_rot"][assets.poses[str(rng.choice(POSTURES[posture]))]]
    suits = [name for name in assets.items["suit"] if rng.random() < 0.3 or name.startswith(gender + "_")]
    items = [str(rng.choice(suits or assets.items["suit"])), str(rng.choice(assets.items["shoes"]))]
    covered = rng.random() < 0.2
    if rng.random() < 0.07:
        items.append(str(rng.choice(assets.items["hat"])))
    elif not covered and rng.random() < 0.8:
        long_hair = ("bob02", "ponytail01", "long01", "afro01")
        hair = [n for n in assets.items["hair"] if (n in long_hair) == (rng.random() < (0.75 if gender == "female"
                                                                                         else 0.12))]
        items.append(str(rng.choice(hair or assets.items["hair"])))
    return BodySpec(shape, _jittered(rng, assets, pose), tuple(items), bool(covered), bool(rng.random() < 0.18),
                    bool(rng.random() < 0.3))


def _jittered(rng: np.random.Generator, assets: HumanAssets, pose: np.ndarray) -> np.ndarray:
    out = pose.astype(np.float32).copy()
    for name, joint in assets.joints.items():
        if name.split(".")[0] not in _LOOSE:
            continue
        vector = rng.normal(0, 0.09, 3)
        angle = float(np.linalg.norm(vector))
        x, y, z = vector / max(angle, 1e-9)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        out[joint] = turn.astype(np.float32) @ out[joint]
    return out


def build_body(rng: np.random.Generator, assets: HumanAssets, spec: BodySpec) -> Model:
    """The dressed body on the ground, its hips above the origin; ``seat`` lies a hand below the hip joints."""
    a = assets.arrays
    shaped, joints = assets.shaped(spec.shape)
    bones, blend = assets.transforms(joints, spec.rotations)
    skin = moved(blend[: assets.n_body], shaped[: assets.n_body])
    hidden = np.zeros(assets.n_body, bool)
    models = []
    waist = rng.uniform(0.02, 0.14)
    for name in spec.items:
        vertices, faces, off, below = assets.item(name, shaped, blend, waist)
        hidden[a[f"item_{name}_hide"]] = True
        kind = a["item_kind"][a["item_names"].tolist().index(name)]
        material = {"shoes": Material.SHOE, "hat": Material.HAT, "hair": Material.HAIR}.get(str(kind), Material.TOP)
        materials = np.full(len(faces), material, np.uint8)
        if kind == "suit":
            materials[below[faces].sum(1) >= 2] = Material.BOTTOM
        # Cloth that hangs off the body is cooler; where it lies on it, warmth comes through.
        models.append(Model(vertices, faces, materials, (0.12 - np.clip(off / 0.05, 0, 1) * 0.4).astype(np.float32)))
    marks = _marks(assets, skin, bones, joints)
    models.append(_skin(assets, spec, skin, hidden, marks))
    eye_vertices, eyes = np.unique(a["eye_faces"], return_inverse=True)
    eyeballs = moved(blend[eye_vertices], shaped[eye_vertices])
    models.append(Model(eyeballs, eyes.reshape(-1, 3).astype(np.int32), np.full(len(eyes.reshape(-1, 3)), Material.EYE,
                                                                                np.uint8),
                        np.zeros(len(eyeballs), np.float32)))
    if spec.glasses:
        models.append(_glasses(rng, marks))
    if spec.bag:
        models.append(_backpack(rng, bones[assets.joints["spine02"]], joints[assets.joints["spine02"]]))
    body = joined(models)
    folds = point_noise(rng, body.vertices, 0.22) + 0.7 * point_noise(rng, body.vertices, 0.07)
    hips = 0.5 * sum((bones[j] @ np.append(joints[j], 1))[:3] for j in (assets.joints["upperleg01.L"],
                                                                        assets.joints["upperleg01.R"]))
    ground = np.array([hips[0], body.vertices[:, 1].min(), hips[2]], np.float32)
    seat = np.array([hips[0], hips[1] - 0.10, hips[2]], np.float32)
    return Model(((body.vertices - ground) * AXES).astype(np.float32), body.faces, body.material,
                 body.warmth + (0.06 * folds).astype(np.float32), (seat - ground) * AXES)


def _marks(assets: HumanAssets, skin: np.ndarray, bones: np.ndarray, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Where nose, ears and eyes (3,) of posed skin are, archive axes."""
    names, vertex = assets.arrays["keypoint_names"].tolist(), assets.arrays["keypoint_vertex"]
    marks = {name: skin[int(vertex[names.index(name)])] for name in ("nose", "left_ear", "right_ear")}
    for name, joint in (("left_eye", assets.joints["eye.L"]), ("right_eye", assets.joints["eye.R"])):
        marks[name] = (bones[joint] @ np.append(joints[joint], 1))[:3]
    return marks


def _skin(assets: HumanAssets, spec: BodySpec, skin: np.ndarray, hidden: np.ndarray, marks: dict[str, np.ndarray]
          ) -> Model:
    """The bare parts: nose and ears cool, orbits warm, the scalp covered by hair or cloth."""
    a = assets.arrays
    faces = a["faces"].astype(np.int32)
    faces = faces[~hidden[faces].all(1)]
    used, faces_used = np.unique(faces, return_inverse=True)
    by_region = np.array([_REGION_MATERIAL.get(name, Material.SKIN) for name in assets.regions], np.uint8)
    if spec.covered:
        by_region[assets.regions.index("scalp")] = Material.HAT
    warmth = np.zeros(len(skin), np.float32)
    for name, reach, value in (("nose", 0.022, -0.40), ("left_eye", 0.022, 0.15), ("right_eye", 0.022, 0.15),
                               ("left_ear", 0.030, -0.25), ("right_ear", 0.030, -0.25)):
        far = np.linalg.norm(skin - marks[name], axis=1)
        warmth += np.float32(value) * np.exp(-((far / reach) ** 2)).astype(np.float32)
    return Model(skin[used], faces_used.reshape(-1, 3).astype(np.int32), by_region[a["region"][faces[:, 0]]],
                 warmth[used])


def _glasses(rng: np.random.Generator, marks: dict[str, np.ndarray]) -> Model:
    """Two lenses before the eyes, archive axes."""
    right, left = marks["right_eye"], marks["left_eye"]
    forward = marks["nose"] - (marks["right_ear"] + marks["left_ear"]) / 2
    across = (left - right) / np.linalg.norm(left - right)
    forward -= across * (forward @ across)
    forward /= np.linalg.norm(forward)
    frame = np.stack([across, np.cross(forward, across), forward], axis=1)
    size = np.array([rng.uniform(0.024, 0.033), rng.uniform(0.016, 0.028), 0.004])
    lens = ellipsoid((0, 0, 0), size, 0.0, 12, 9)
    models = []
    for eye in (right, left):
        model = part(lens, Material.LENS)
        model.vertices = (model.vertices @ frame.T + eye + 0.020 * forward).astype(np.float32)
        models.append(model)
    return joined(models)


def _backpack(rng: np.random.Generator, bone: np.ndarray, joint: np.ndarray) -> Model:
    size = rng.uniform(0.8, 1.2)
    if rng.random() < 0.5:
        mesh = ellipsoid((0, 0, 0), np.array([0.16, 0.23, 0.10]) * size, 0.0, 14, 11)
    else:
        mesh = box(np.array([-0.15, -0.22, -0.08]) * size, np.array([0.15, 0.22, 0.08]) * size, 0.0, 3)
    bag = part(mesh, Material.BAG)
    centre = joint + np.array([0, 0.05, -0.20])
    bag.vertices = ((bag.vertices + centre.astype(np.float32)) @ bone[:3, :3].T + bone[:3, 3]).astype(np.float32)
    return bag
