"""Faces that no network was made for: results stay finite, and what is unsure says so."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.config import PerceptionConfig, with_values
from thermal_kd_ros.evaluation.landmarks import nme
from thermal_kd_ros.faces import face_box
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.nms import iou_matrix
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections, FaceLandmarks
from thermal_kd_ros.simulation.actors import Behaviour, Path, PersonActor
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.portrait import Traits
from thermal_kd_ros.simulation.render import Canvas, View, intrinsics, looking
from thermal_kd_ros.simulation.scene import Scene, SceneSpec

W, H = 320, 256


@pytest.fixture(scope="module")
def perception():
    # Only faces matter here: the small face detector stands in for the object detector.
    return ThermalPerception(with_values(PerceptionConfig(), {"detector.model": "face_detector"}))


def room(*people):
    """Noisy °C (H, W) of people (x, distance, traits) who face the camera, and their true landmarks (F, 54, 2)."""
    view = View(intrinsics(W, H, 45.0), looking(0, 0), np.array([0.0, -1.55, 0.0]), W, H)
    canvas = Canvas(np.full((H, W), 20.0, np.float32), np.full((H, W), np.inf, np.float32))
    actors = []
    for x, distance, traits in people:
        person = Person(np.random.default_rng(0), 20.0, traits)
        person.height = 1.7
        actors.append(PersonActor(person, Path(x, distance), Behaviour(wander=0.0)))
    image = Scene(SceneSpec(view, 0.0, 0.0, canvas, (), tuple(actors), 18.0), W, H).render(0.0)
    noise = np.random.default_rng(1).normal(0, 0.05, (H, W))
    return (image.celsius + noise).astype(np.float32), np.array([face.landmarks for face in image.faces])


def frame_of(celsius):
    with np.errstate(invalid="ignore"):
        return ThermalFrame(celsius, "celsius")


def landmarks(perception, celsius, boxes):
    """What the landmark stage makes of boxes that a detector might give."""
    boxes = np.asarray(boxes, np.float32)
    found = Detections(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int64), ("face",))
    return checked(perception.host.landmarks([frame_of(celsius)], [found])[0])


def checked(faces: FaceLandmarks) -> FaceLandmarks:
    assert np.isfinite(faces.points).all() and np.isfinite(faces.boxes).all() and np.isfinite(faces.scores).all()
    assert (faces.confidence >= 0).all() and (faces.confidence <= 1).all()
    return faces


def honest(faces, truth, i=0):
    """Whether a face is right, or says that it is not."""
    sure = float(faces.confidence[i].mean())
    return sure < 0.5 or float(nme(faces.points[i : i + 1], truth[None], "sf_tl54")[0]) < 15.0


def test_a_plain_face_is_found_and_sure(perception):
    celsius, points = room((0.0, 1.0, Traits()))
    found = checked(perception.process([frame_of(celsius)])[0].faces)
    assert len(found) == 1
    given = landmarks(perception, celsius, [face_box(points[0])])
    assert given.confidence.mean() > 0.7 and honest(given, points[0])


def test_half_a_face_outside_the_frame(perception):
    celsius, points = room((0.4, 1.0, Traits()))
    box = face_box(points[0])
    assert box[2] > W > box[0]
    checked(perception.process([frame_of(celsius)])[0].faces)
    assert honest(landmarks(perception, celsius, [box]), points[0])


def test_upside_down(perception):
    celsius, points = room((0.0, 1.0, Traits()))
    turned = np.ascontiguousarray(celsius[::-1, ::-1])
    truth = (W, H) - points[0]
    checked(perception.process([frame_of(turned)])[0].faces)
    assert honest(landmarks(perception, turned, [face_box(truth)]), truth)


@pytest.mark.parametrize("distance", [5.2, 8.0])
def test_faces_of_a_dozen_pixels(perception, distance):
    celsius, points = room((0.0, distance, Traits()))
    assert 8 < np.ptp(face_box(points[0])[1::2]) < 17
    for found in perception.process([frame_of(celsius)])[0].faces.boxes:
        assert (found[2:] - found[:2]).max() >= perception.config.face.min_size_px
    checked(perception.process([frame_of(celsius)])[0].faces)
    far = landmarks(perception, celsius, [face_box(points[0])])
    assert honest(far, points[0])
    # The same person close by: the network must see the difference.
    celsius, points = room((0.0, 1.0, Traits()))
    near = landmarks(perception, celsius, [face_box(points[0])])
    assert far.confidence.mean() < near.confidence.mean() - 0.05


def test_two_faces_that_overlap(perception):
    celsius, points = room((0.0, 1.0, Traits()), (0.12, 1.3, Traits()))
    boxes = np.array([face_box(p) for p in points])
    found = checked(perception.process([frame_of(celsius)])[0].faces)
    assert len(found) == 2 and (iou_matrix(boxes, found.boxes).max(axis=1) > 0.5).all()
    together = landmarks(perception, celsius, boxes)
    alone = [landmarks(perception, celsius, [box]) for box in boxes]
    for i in range(2):
        assert honest(together, points[i], i)
    # The one behind is covered in part, and says so.
    assert together.confidence[1].mean() < together.confidence[0].mean() - 0.05
    # One face's answer does not depend on what else is in the batch.
    for i, single in enumerate(alone):
        np.testing.assert_allclose(together.points[i], single.points[0], atol=0.05)


@pytest.mark.parametrize("worn", [{"mask": True}, {"glasses": True}, {"mask": True, "glasses": True, "hat": "beanie"}])
def test_masks_glasses_and_hats(perception, worn):
    celsius, points = room((0.0, 1.0, dataclasses.replace(Traits(), **worn)))
    checked(perception.process([frame_of(celsius)])[0].faces)
    assert honest(landmarks(perception, celsius, [face_box(points[0])]), points[0])


def test_crops_that_show_nothing_are_unsure(perception):
    wall = np.full((H, W), 20.0, np.float32)
    noise = wall + np.random.default_rng(0).normal(0, 0.05, wall.shape).astype(np.float32)
    box = [100, 100, 180, 190]
    for celsius in (wall, noise):
        assert landmarks(perception, celsius, [box]).confidence.mean() < 0.35
        assert len(checked(perception.process([frame_of(celsius)])[0].faces)) == 0


def test_boxes_outside_of_no_size_and_larger_than_the_frame(perception):
    celsius, _ = room((0.0, 1.0, Traits()))
    boxes = [[-300, -300, -200, -200], [0, 0, 1, 1], [100, 100, 100, 100], [-500, -500, 900, 900], [319, 255, 320, 256]]
    found = landmarks(perception, celsius, boxes)
    assert found.confidence[:3].mean() < 0.35
    # Outside of the image there is nothing to measure.
    assert np.isnan(found.temperature[0]).all()


def test_holes_in_a_radiometric_image(perception):
    celsius, points = room((0.0, 1.0, Traits()))
    celsius[100:140, 120:200] = np.nan
    celsius[90, 130] = np.inf
    checked(perception.process([frame_of(celsius)])[0].faces)
    assert honest(landmarks(perception, celsius, [face_box(points[0])]), points[0])
    celsius[:] = np.nan
    celsius[0, 0] = 20.0
    assert len(checked(perception.process([frame_of(celsius)])[0].faces)) == 0
    assert landmarks(perception, celsius, [face_box(points[0])]).confidence.mean() < 0.35
