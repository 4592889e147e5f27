"""Smoothing and head poses through the whole pipeline, with the shipped networks and simulated people."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.config import PerceptionConfig, with_values
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.head_pose import angles, head_poses
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.simulation.actors import Behaviour, Path, PersonActor
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.portrait import Traits
from thermal_kd_ros.simulation.render import Canvas, View, intrinsics, looking
from thermal_kd_ros.simulation.scene import Scene, SceneSpec

W, H = 320, 256
K = intrinsics(W, H, 45.0)


def rays(points):
    # The simulation's camera matrix is for whole-number pixel centres.
    flat = (np.asarray(points, np.float64) - 0.5 - K[:2, 2]) / K[[0, 1], [0, 1]]
    return np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)


def portrait(heading=0.0, seed=0):
    """A noisy frame of somebody a metre away, and the true landmarks as if they had been found."""
    view = View(K, looking(0, 0), np.array([0.0, -1.55, 0.0]), W, H)
    canvas = Canvas(np.full((H, W), 20.0, np.float32), np.full((H, W), np.inf, np.float32))
    person = Person(np.random.default_rng(0), 20.0, Traits())
    person.height = 1.7
    actor = PersonActor(person, Path(0.0, 1.0, heading), Behaviour(wander=0.0))
    image = Scene(SceneSpec(view, 0.0, 0.0, canvas, (), (actor,), 18.0), W, H).render(0.0)
    celsius = image.celsius + np.random.default_rng(seed).normal(0, 0.15, (H, W))
    (face,) = image.faces
    ones = np.ones((1, 54), np.float32)
    truth = FaceLandmarks(face.box[None], ones[:, 0], face.landmarks[None], ones, ones, "sf_tl54")
    return ThermalFrame(celsius.astype(np.float32), "celsius"), truth


@pytest.fixture(scope="module")
def perception():
    # Only faces matter here: the small face detector stands in for the object detector.
    return ThermalPerception(with_values(PerceptionConfig(), {"detector.model": "face_detector"}))


@pytest.fixture
def configured(perception):
    yield lambda values: perception.reconfigure(with_values(perception.config, values))
    perception.reconfigure(with_values(PerceptionConfig(), {"detector.model": "face_detector"}))


def test_heads_have_a_pose_where_the_camera_is_known(perception, configured):
    turned = []
    for heading in np.radians([-25, 0, 25]):
        frame, truth = portrait(heading)
        (true,) = angles(head_poses(truth, rays).rotation)
        result = perception.process([dataclasses.replace(frame, rays=rays)])[0]
        assert result.poses is not None and len(result.poses) == len(result.faces) == 1
        (found,) = angles(result.poses.rotation)
        assert abs(found[0] - true[0]) < 15 and abs(found[2]) < 15
        assert 0.75 < result.poses.translation[0, 2] < 1.25
        turned.append((found[0], true[0]))
    found_yaw, true_yaw = np.array(turned).T
    assert (np.diff(found_yaw) * np.sign(np.diff(true_yaw)) > 10).all()
    assert perception.process([frame])[0].poses is None
    known = dataclasses.replace(frame, rays=rays)
    configured({"face.head_pose": False})
    assert perception.process([known])[0].poses is None
    configured({"face.head_pose": True, "thermal.flip": True})
    assert perception.process([known])[0].poses is None


def test_points_tremble_less_when_smoothed(perception, configured):
    spread = {}
    for smooth in (False, True):
        configured({"smoothing.enabled": smooth})
        points = []
        for i in range(12):
            frame, _ = portrait(seed=i)
            frame = dataclasses.replace(frame, stamp=i / 30, camera=f"smooth {smooth}")
            (face,) = perception.process([frame])[0].faces.points
            points.append(face)
        spread[smooth] = np.diff(points, axis=0).std()
    assert spread[True] < 0.7 * spread[False]


def test_cameras_and_lost_faces_do_not_share_a_past(perception):
    frame, _ = portrait()
    there, _ = portrait(seed=1)
    moved = np.roll(there.values, 12, axis=1)
    raw = perception.process([dataclasses.replace(there, values=moved)])[0].faces.points

    def after(stamp, camera):
        perception.process([dataclasses.replace(frame, stamp=1.0, camera=f"past {stamp}")])
        late = dataclasses.replace(there, values=moved, stamp=1.0 + stamp, camera=camera or f"past {stamp}")
        return np.abs(perception.process([late])[0].faces.points - raw).max()

    # The gain of the image is smoothed in time too, which moves points by fractions of a pixel.
    assert after(0.05, None) > 2.0
    assert after(0.06, "another") < 1.0
    assert after(1.5, None) < 1.0


def test_faces_without_sure_landmarks_are_left_out() -> None:
    """One row after the other, every array of a face with it."""
    rng = np.random.default_rng(4)
    faces = FaceLandmarks(rng.random((6, 4), np.float32), rng.random(6, np.float32), rng.random((6, 5, 2), np.float32),
                          rng.random((6, 5), np.float32), rng.random((6, 5), np.float32), "five", np.arange(6),
                          rng.random(6, np.float32))
    least = float(np.median(faces.confidence.mean(1)))
    kept = [i for i in range(6) if sum(faces.confidence[i].tolist()) / 5 >= least]
    assert 0 < len(kept) < 6
    sure = faces.sure(least)
    assert sure.layout == "five" and sure.track_ids.tolist() == kept
    for name in ("boxes", "scores", "points", "confidence", "temperature", "canthus_temperature"):
        np.testing.assert_array_equal(getattr(sure, name), getattr(faces, name)[kept])
    assert faces.sure(0.0) is faces and len(faces.sure(1.0)) == 0
    assert len(FaceLandmarks.empty("", 0).sure(0.5)) == 0
