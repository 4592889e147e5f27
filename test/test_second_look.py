"""Landmarks found once more, in the box around the first ones."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.faces import (
    CROP_MARGIN,
    MOST_GROWTH,
    MOST_SHIFT,
    face_box,
    mean_of_looks,
    normalise_crop,
    second_box,
)
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.host_path import HostPath, find_landmarks
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.networks import contrasts_of, load_networks, thresholds_of
from thermal_kd_ros.results import Detections
from thermal_kd_ros.simulation.random_frames import random_scene_frame


def a_face(rng: np.random.Generator) -> np.ndarray:
    """(54, 2) points in no order of a face, but with a chin and a bridge."""
    points = rng.uniform(40, 90, (54, 2))
    points[8], points[27] = (65, 95), (65, 60)
    return points


def moved(box: np.ndarray, shift: float, factor: float) -> np.ndarray:
    side, middle = (box[2:] - box[:2]) * factor / 2, (box[:2] + box[2:]) / 2 + shift * (box[2:] - box[:2]).max()
    return np.concatenate([middle - side, middle + side]).astype(np.float32)


def test_the_second_box_is_that_of_the_landmarks_where_they_are_near():
    points = a_face(np.random.default_rng(0))
    theirs = face_box(points)
    for near in (moved(theirs, 0.0, 1.0), moved(theirs, 0.3, 1.0), moved(theirs, 0.0, 1.9), moved(theirs, 0.0, 0.55)):
        assert (second_box(points, near, 200, 200) == theirs).all()
    for far in (moved(theirs, MOST_SHIFT + 0.1, 1.0), moved(theirs, 0.0, MOST_GROWTH * 1.05),
                moved(theirs, 0.0, 0.95 / MOST_GROWTH)):
        assert (second_box(points, far, 200, 200) == far).all()
    for wrong in (np.full((54, 2), np.nan), np.full((54, 2), 64.0), points * 1e6):
        assert (second_box(wrong, theirs, 200, 200) == theirs).all()


@pytest.mark.parametrize("side", range(4), ids=["left", "top", "right", "bottom"])
def test_a_box_that_leaves_the_picture_is_not_looked_at_again(side: int):
    points = a_face(np.random.default_rng(4))
    theirs = face_box(points)
    for part, taken in ((0.01, True), (0.1, False)):
        cut = part * float((theirs[2:] - theirs[:2]).max())
        if side < 2:
            moved_in = np.zeros(2)
            moved_in[side] = theirs[side] + cut
            given, size = points - moved_in, (500, 500)
        else:
            given, size = points, (theirs[3] - cut, 500) if side == 3 else (500, theirs[2] - cut)
        detected = moved(face_box(given), 0.05, 1.0)
        found = second_box(given, detected, *size)
        assert (found == (face_box(given) if taken else detected)).all()


def test_the_device_takes_the_same_boxes():
    torch = pytest.importorskip("torch")
    from thermal_kd_ros.engines.device.steps import second_boxes

    rng = np.random.default_rng(1)
    points = np.stack([a_face(rng) for _ in range(200)])
    boxes = np.stack([moved(face_box(p), rng.uniform(-0.7, 0.7), rng.uniform(0.3, 3.0)) for p in points])
    points[0, 3] = np.nan
    size = 100, 95
    wanted = np.stack([second_box(p, box, *size) for p, box in zip(points, boxes, strict=True)])
    kept = (wanted == boxes).all(axis=1)
    assert kept[0] and 20 < kept.sum() < 180
    found = second_boxes(torch.from_numpy(points), torch.from_numpy(boxes).double(), *size).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_two_looks_count_alike_in_the_pixels_of_the_first():
    rng = np.random.default_rng(3)
    crops, again = [FaceCrop(10, 20, 56, 112), FaceCrop(0, 0, 112, 112)], [FaceCrop(6, 20, 84, 112)] * 2
    looks = rng.uniform(0, 112, (2, 2, 5, 2)), rng.uniform(1, 3, (2, 2, 5))
    points, sigma = mean_of_looks(crops, looks[0][0], looks[1][0], again, looks[0][1], looks[1][1])
    for i in range(2):
        np.testing.assert_allclose(crops[i].inverse(points[i]), (
            crops[i].inverse(looks[0][0][i]) + again[i].inverse(looks[0][1][i])) / 2)
        scales = crops[i].side / 112, again[i].side / 112
        np.testing.assert_allclose(sigma[i] * scales[0], (looks[1][0][i] * scales[0] + looks[1][1][i] * scales[1]) / 2)


@pytest.mark.parametrize("mirror", [False, True])
def test_with_mirror_the_second_look_sees_mirror_images(mirror: bool):
    layout = get_layout("sf_tl54")
    rng = np.random.default_rng(5)
    face = np.array([48.0, 60.0]) + 20 * rng.uniform(-1, 1, (54, 2))
    face[8], face[27] = (48, 85), (48, 55)
    image = rng.normal(20, 3, (120, 160)).astype(np.float32)
    unsure = rng.uniform(1, 2, 54).astype(np.float32)
    seen: list[np.ndarray] = []

    def run(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Knows where the face is, and the mirror image of that."""
        seen.append(batch)
        again = len(seen) > 1
        crop = FaceCrop.around(face_box(face) if again else box, 112, CROP_MARGIN)
        points, sigma = crop.forward(face)[None].astype(np.float32), unsure[None]
        return (layout.mirrored(points, 112), sigma[:, list(layout.mirror)]) if again and mirror else (points, sigma)

    box = moved(face_box(face), 0.1, 1.1)
    (crop,), points, sigma = find_landmarks(run, [image], [box], 112, layout, FaceConfig(mirror=mirror))
    np.testing.assert_allclose(crop.inverse(points[0]), face, atol=1e-3)
    assert sigma.shape == (1, 54) and len(seen) == 2
    right = normalise_crop(FaceCrop.around(face_box(face), 112, CROP_MARGIN).apply(image))
    np.testing.assert_allclose(seen[1][0, 0], right[:, ::-1] if mirror else right)


def test_landmarks_follow_the_detectors_box_less():
    config = with_values(PerceptionConfig(), {"engine.device": "cpu", "engine.threads": 1, "engine.precision": "fp32"})
    networks = load_networks(config)
    rng = np.random.default_rng(2)
    seen = [(ThermalFrame.from_array(frame.image, config.thermal), face.box)
            for frame in (random_scene_frame(seed, kind="indoor") for seed in range(12))
            for face in frame.faces if not face.ignore and np.ptp(face.landmarks[:, 0]) > 30]
    assert len(seen) >= 10
    boxes = [[moved(box, rng.uniform(-0.12, 0.12), rng.uniform(0.85, 1.2)) for _, box in seen] for _ in range(2)]
    apart: dict[bool, float] = {}
    for second_look in (False, True):
        config = with_values(config, {"face.second_look": second_look})
        path = HostPath(networks, config, contrasts_of(config, networks), thresholds_of(config, networks))
        first, other = (np.concatenate([found.points for found in path.landmarks(
            [frame for frame, _ in seen],
            [Detections(box[None], np.ones(1, np.float32), np.zeros(1, np.int64), ("face",)) for box in given])])
            for given in boxes)
        sides = np.array([(box[2:] - box[:2]).max() for _, box in seen])
        apart[second_look] = float(np.median(np.linalg.norm(first - other, axis=2).mean(axis=1) / sides))
    assert apart[True] < 0.8 * apart[False], apart
