"""Head poses from landmarks: exact projections, noise, and what must not become a pose."""

import numpy as np
import pytest

from thermal_kd_ros.head_pose import MODEL_INDEX, MODEL_POINTS, angles, head_poses, rotation_of
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.simulation.head import HeadShape

FOCAL, CENTRE = 500.0, np.array([320.0, 256.0])


def rays(points):
    flat = (np.asarray(points, np.float64) - CENTRE) / FOCAL
    return np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)


def project(points, rotation, translation):
    camera = points @ rotation.T + translation
    return camera[..., :2] / camera[..., 2:] * FOCAL + CENTRE


def face_of(points, sure=None):
    count = len(points)
    full = np.full((count, 54, 2), np.nan, np.float32)
    full[:, MODEL_INDEX] = points
    confidence = np.ones((count, 54), np.float32) if sure is None else sure
    return FaceLandmarks(np.zeros((count, 4), np.float32), np.ones(count, np.float32), full, confidence, confidence,
                         "sf_tl54")


@pytest.mark.parametrize("turn", [(0, 0, 0), (30, 0, 0), (-55, 10, 5), (0, 25, 0), (0, -25, -40), (15, -10, 170)])
def test_exact_projections_give_the_pose_back(turn):
    rotation, translation = rotation_of(*turn), np.array([0.15, -0.08, 1.3])
    found = head_poses(face_of(project(MODEL_POINTS, rotation, translation)[None]), rays)
    np.testing.assert_allclose(found.rotation[0], rotation, atol=2e-3)
    np.testing.assert_allclose(found.translation[0], translation, atol=2e-3)
    np.testing.assert_allclose(angles(found.rotation)[0], turn, atol=0.15)
    assert found.error[0] < 1e-3


def test_angles_and_rotations_are_inverse():
    rng = np.random.default_rng(0)
    for _ in range(50):
        turn = rng.uniform((-170, -80, -170), (170, 80, 170))
        rotation = rotation_of(*turn)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        np.testing.assert_allclose(angles(rotation), turn, atol=1e-6)


def test_the_angles_mean_what_they_say():
    """Where the nose and the brows go in the image, point by point."""
    place = dict(zip(MODEL_INDEX.tolist(), range(len(MODEL_INDEX)), strict=True))

    def seen(*turn):
        points = project(MODEL_POINTS, rotation_of(*turn), np.array([0.0, 0.0, 1.0]))
        return {i: points[k] for i, k in place.items()}

    straight = seen(0, 0, 0)
    # Facing the camera: the subject's right eye is on the left of the image, brows above the mouth.
    assert straight[36][0] < straight[45][0] and straight[19][1] < straight[49][1]
    assert seen(20, 0, 0)[30][0] > straight[30][0]  # to the subject's left: the nose goes to the right of the image
    assert seen(0, 20, 0)[30][1] > straight[30][1]  # looking down: the nose goes down
    tilted = seen(0, 0, 20)
    # Tilted towards the right shoulder: the right eye, on the left of the image, is the lower one.
    assert tilted[36][1] > tilted[45][1]


def test_noise_of_a_percent_of_the_face_costs_few_degrees():
    rng = np.random.default_rng(1)
    turns = rng.uniform((-45, -25, -25), (45, 25, 25), (60, 3))
    shift = np.array([0.0, 0.0, 1.0])
    exact = np.array([project(MODEL_POINTS, rotation_of(*turn), shift) for turn in turns])
    side = 0.15 * FOCAL
    errors = []
    for part in (0.01, 0.02):
        found = head_poses(face_of(exact + rng.normal(0, part * side, exact.shape)), rays)
        errors.append(np.abs(angles(found.rotation) - turns).mean())
        assert np.abs(found.translation[:, 2] - 1.0).mean() < 0.05
    assert errors[0] < 2.0 and errors[0] < errors[1] < 4.0


def test_another_head_gives_nearly_the_same_pose():
    """The procedural heads of the simulation have other proportions than the model."""
    worst = []
    for seed in range(4):
        shape = HeadShape(0.7 * np.random.default_rng(seed).standard_normal(HeadShape.IDENTITIES))
        # From the simulation's head frame (x left, y down, z back) to forward, left, up.
        points = shape.landmarks54(shape.neutral)
        ours = np.stack([-points[:, 2], points[:, 0], -points[:, 1]], axis=1)[MODEL_INDEX]
        for turn in ((0, 0, 0), (30, 0, 0), (-30, 10, 15)):
            seen = project(ours, rotation_of(*turn), np.array([0.0, 0.0, 1.0]))
            pose = head_poses(face_of(seen[None]), rays)
            error = angles(pose.rotation)[0] - turn
            worst.append(np.abs(error[[0, 2]]).max())
            assert 0.8 < pose.translation[0, 2] < 1.2
            # What is level for one head looks up or down a little on another.
            assert abs(error[1]) < 15
    assert max(worst) < 8


def test_unsure_points_are_left_out_and_too_few_give_no_pose():
    rotation = rotation_of(20, 5, -10)
    points = project(MODEL_POINTS, rotation, np.array([0.0, 0.0, 1.0]))
    sure = np.ones((1, 54), np.float32)
    wrong = points.copy()
    wrong[:5] += 80
    sure[0, MODEL_INDEX[:5]] = 0.01
    found = head_poses(face_of(wrong[None], sure), rays)
    np.testing.assert_allclose(found.rotation[0], rotation, atol=2e-3)
    sure[0, MODEL_INDEX[7:]] = 0.0
    assert np.isnan(head_poses(face_of(wrong[None], sure), rays).error).all()


def test_what_is_no_face_gives_nan_and_never_an_error():
    rng = np.random.default_rng(2)
    shapes = [np.zeros((len(MODEL_INDEX), 2)), np.full((len(MODEL_INDEX), 2), 7.0),
              np.full((len(MODEL_INDEX), 2), np.nan), np.stack([np.arange(len(MODEL_INDEX))] * 2, 1),
              rng.uniform(0, 500, (len(MODEL_INDEX), 2)), rng.uniform(0, 1e9, (len(MODEL_INDEX), 2))]
    found = head_poses(face_of(np.array(shapes)), rays)
    assert np.isnan(found.error).all()
    assert np.isnan(found.rotation).all() and np.isnan(found.translation).all()
    assert np.isnan(angles(found.rotation)).all()
    assert len(head_poses(FaceLandmarks.empty("sf_tl54", 54), rays)) == 0
    with pytest.raises(ValueError, match="sf_tl54"):
        head_poses(FaceLandmarks.empty("ibug68", 68), rays)


def test_the_model_is_symmetric():
    mirror = get_layout("sf_tl54").mirror
    place = dict(zip(MODEL_INDEX.tolist(), MODEL_POINTS, strict=True))
    for i, point in place.items():
        np.testing.assert_allclose(place[mirror[i]], point * (1, -1, 1))
