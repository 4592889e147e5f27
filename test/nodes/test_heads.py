"""Head poses as markers and transforms."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy")

from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import Marker  # noqa: E402

from thermal_kd_ros.config import PerceptionConfig, with_values  # noqa: E402
from thermal_kd_ros.frames import ThermalFrame  # noqa: E402
from thermal_kd_ros.head_pose import rotation_of  # noqa: E402
from thermal_kd_ros.layouts import get_layout  # noqa: E402
from thermal_kd_ros.nodes import transforms  # noqa: E402
from thermal_kd_ros.nodes.markers import markers_message  # noqa: E402
from thermal_kd_ros.nodes.transforms import (  # noqa: E402
    HeadTransforms,
    head_transforms,
    quaternion,
    without_transforms,
)
from thermal_kd_ros.results import Detections, FaceLandmarks, HeadPoses, PerceptionResult  # noqa: E402

HEADER = Header(frame_id="thermal_optical")


def faces(tracks) -> FaceLandmarks:
    count = len(tracks)
    points = np.full((count, 54, 2), 30.0, np.float32)
    ones = np.ones((count, 54), np.float32)
    boxes = np.tile(np.array([10, 10, 40, 50], np.float32), (count, 1))
    return FaceLandmarks(boxes, ones[:, 0], points, ones, ones, "sf_tl54", np.array(tracks))


def poses(*turns) -> HeadPoses:
    rotation = np.array([np.full((3, 3), np.nan) if turn is None else rotation_of(*turn) for turn in turns])
    place = np.array([(np.nan,) * 3 if turn is None else (0.1 * i, -0.2, 1.5) for i, turn in enumerate(turns)])
    return HeadPoses(rotation, place, np.where(np.isnan(place[:, 0]), np.nan, 0.01))


@pytest.mark.parametrize("turn", [(0, 0, 0), (40, -20, 10), (179, 0, 0), (0, 0, 180), (-90, 5, 90)])
def test_a_quaternion_turns_vectors_as_its_matrix_does(turn):
    rotation = rotation_of(*turn)
    q = quaternion(rotation)
    axis, w = np.array([q.x, q.y, q.z]), q.w
    assert axis @ axis + w * w == pytest.approx(1.0)
    for vector in np.eye(3):
        turned = vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)
        np.testing.assert_allclose(turned, rotation @ vector, atol=1e-9)


def test_only_tracked_heads_with_a_pose_become_transforms():
    found = head_transforms(HEADER, faces([7, -1, 9]), poses((10, 0, 0), (0, 0, 0), None), "head_{}".format,
                            "face_f{:05d}".format)
    assert [t.child_frame_id for t in found] == ["head_7", "face_f00007"]
    assert found[0].transform == found[1].transform
    assert found[0].header.frame_id == "thermal_optical"
    shift = found[0].transform.translation
    assert (shift.x, shift.y, shift.z) == (0.0, -0.2, 1.5)


def test_heads_are_drawn_as_axes_at_unit_depth():
    frame = ThermalFrame(np.zeros((64, 80), np.uint8), "display8")
    result = PerceptionResult(Detections.empty(("person",)), faces([1, 2]), {}, frame, poses((0, 0, 0), None))
    message = markers_message(HEADER, result)
    (heads,) = [marker for marker in message.markers if marker.ns == "heads"]
    assert heads.type == Marker.LINE_LIST and len(heads.points) == len(heads.colors) == 6
    start, forward = heads.points[0], heads.points[1]
    assert (start.x, start.y, start.z) == pytest.approx((0.0, -0.2 / 1.5, 1.0))
    # The head faces the camera: its forward axis comes nearer.
    assert forward.z < start.z and forward.x == pytest.approx(start.x)
    nobody = PerceptionResult(result.detections, result.faces, {}, frame, poses(None, None))
    assert not [m for m in markers_message(HEADER, nobody).markers if m.ns == "heads"]


def test_what_keeps_heads_from_having_transforms_is_named():
    def reason(layout="sf_tl54", **values):
        config = with_values(PerceptionConfig(), {k.replace("__", "."): v for k, v in values.items()})
        return without_transforms(config, get_layout(layout))

    assert reason() == ""
    assert reason(tracking__enabled=False) == "tracking.enabled is false"
    assert reason(face__head_pose=False, thermal__flip=True) == "face.head_pose is false and thermal.flip is true"
    assert reason(face__enabled=False) == "face.enabled is false"
    assert reason(face__max_faces=0) == "face.max_faces is 0"
    assert "layout ibug68, not sf_tl54" in reason("ibug68")


@pytest.mark.parametrize(("arguments", "camera", "frame"), [
    ((), "", "head_7"), ((), "front/", "front/head_7"), (("-r", "__ns:=/left"), "", "left/head_7"),
    (("-r", "__ns:=/robot/left"), "front/", "robot/left/front/head_7")])
def test_nodes_that_share_tf_name_their_heads_apart(own_node, monkeypatch, arguments, camera, frame):
    sent = []
    monkeypatch.setattr(transforms, "head_transforms", lambda *given: sent.append(head_transforms(*given)) or [])
    transforms.HeadTransforms(own_node("heads", *arguments), camera).publish(HEADER, faces([7]), poses((0, 0, 0)))
    assert [made.child_frame_id for made in sent[0]] == [frame]


def test_what_keeps_transforms_from_being_sent_is_said_once(monkeypatch, own_node):
    node = own_node("heads")
    sender = HeadTransforms(node)
    warned, logger = [], node.get_logger()
    monkeypatch.setattr(logger, "warning", warned.append)
    monkeypatch.setattr(node, "get_logger", lambda: logger)
    sender.publish(HEADER, faces([-1]), poses((0, 0, 0)))
    for _ in range(2):
        sender.publish(Header(), faces([7]), poses((0, 0, 0)))
    assert len(warned) == 1 and "frame_id" in warned[0]
    assert "/tf" not in dict(node.get_topic_names_and_types())
    told: list[str] = []
    monkeypatch.setattr(logger, "error", told.append)
    monkeypatch.setitem(sys.modules, "tf2_msgs", None)
    monkeypatch.delitem(sys.modules, "tf2_msgs.msg", raising=False)
    for _ in range(2):
        sender.publish(HEADER, faces([7]), poses((0, 0, 0)))
    assert len(told) == 1 and "tf2_msgs" in told[0]
    assert "/tf" not in dict(node.get_topic_names_and_types())
    sender.destroy()


def test_transforms_arrive(own_node, client, eventually):
    """Over real middleware, as tf2 listens."""
    messages = pytest.importorskip("tf2_msgs.msg")
    node, got = own_node("heads", "-r", "__ns:=/robot"), []
    sender = HeadTransforms(node, "rear/")
    subscription = client.create_subscription(messages.TFMessage, "/tf", got.append, 10)

    def answered() -> bool:
        sender.publish(HEADER, faces([7, 8]), poses((0, 0, 0), (20, 5, 0)), "face_robot_rear_f{:05d}".format)
        return bool(got)

    try:
        eventually(answered, "transforms on /tf")
    finally:
        client.destroy_subscription(subscription)
        sender.destroy()
    assert [made.child_frame_id for made in got[0].transforms] == [
        "robot/rear/head_7", "face_robot_rear_f00007", "robot/rear/head_8", "face_robot_rear_f00008"]
    assert {made.header.frame_id for made in got[0].transforms} == {"thermal_optical"}
    assert got[0].transforms[2].transform.translation.x == pytest.approx(0.1)
