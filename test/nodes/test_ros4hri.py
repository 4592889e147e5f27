"""Faces under /humans/faces, as ROS4HRI has them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
hri = pytest.importorskip("hri_msgs.msg")

from std_msgs.msg import Header  # noqa: E402

from thermal_kd_ros.config import PerceptionConfig, with_values  # noqa: E402
from thermal_kd_ros.frames import ThermalFrame  # noqa: E402
from thermal_kd_ros.nodes import ros4hri  # noqa: E402
from thermal_kd_ros.nodes.ros4hri import (  # noqa: E402
    HumanFaces,
    crop_message,
    face_name,
    landmarks70_message,
    region_message,
    without_ros4hri,
)
from thermal_kd_ros.results import FaceLandmarks  # noqa: E402

HEADER = Header(frame_id="thermal_optical")
SURE_OF_ALL = {"detector.score_threshold": 1.0, "face.score_threshold": 0.0, "face.max_faces": 2,
               "face.min_size_px": 1.0, "face.min_landmark_confidence": 0.0, "max_age_s": 0.0,
               "contrast.time_constant_s": 0.0, "tracking.max_missed_s": 60.0}
"""Never trained networks find faces in every image, and without smoothing the same ones in the same image."""


def faces(*tracks: int) -> FaceLandmarks:
    count = len(tracks)
    points = np.random.default_rng(0).uniform(5, 55, (count, 54, 2)).astype(np.float32)
    sure = np.random.default_rng(1).uniform(0, 1, (count, 54)).astype(np.float32)
    boxes = np.tile(np.array([10, 10, 40, 50], np.float32), (count, 1))
    return FaceLandmarks(boxes, np.full(count, 0.75, np.float32), points, sure, sure, "sf_tl54", np.array(tracks))


def frame() -> ThermalFrame:
    return ThermalFrame(np.random.default_rng(2).uniform(20, 35, (64, 80)).astype(np.float32), "celsius")


def test_names_are_parts_of_topics_and_tell_nodes_and_cameras_apart():
    assert face_name("/", "", 7) == "f00007"
    names = {face_name(space, camera, 7) for space in ("/", "/robot") for camera in ("", "arm/left", "rear")}
    assert len(names) == 6 and all(name.isidentifier() and name.isascii() for name in names)


def test_regions_are_parts_of_the_image_and_inside_of_it():
    message = region_message(hri, HEADER, np.array([-8.0, 16.0, 40.0, 80.0]), 0.75, (64, 80))
    assert (message.xmin, message.ymin, message.xmax, message.ymax, message.c) == (0.0, 0.25, 0.5, 1.0, 0.75)
    assert message.header == HEADER


def test_landmarks_stand_where_the_message_names_them():
    """Against the places that the constants of hri_msgs name, which follow iBUG."""
    found = faces(3)
    message = landmarks70_message(hri, HEADER, found.points[0], found.confidence[0], found.layout, (64, 80))
    assert (message.height, message.width, len(message.landmarks)) == (64, 80, 70)
    named = {"MENTON": (8, 8), "RIGHT_EYE_OUTSIDE": (36, 36), "LEFT_EYE_OUTSIDE": (45, 45), "NOSE": (30, 30),
             "MOUTH_OUTER_RIGHT": (48, 48), "MOUTH_OUTER_TOP_3": (51, 49), "MOUTH_OUTER_LEFT": (54, 50),
             "MOUTH_OUTER_BOTTOM_3": (57, 51), "MOUTH_INNER_TOP_2": (62, 52), "MOUTH_INNER_BOTTOM_2": (66, 53)}
    for target, source in named.values():
        point = message.landmarks[target]
        assert (point.x * 80, point.y * 64) == pytest.approx(tuple(found.points[0, source]), rel=1e-5)
        assert point.c == pytest.approx(found.confidence[0, source])
    absent = [i for i in range(70) if i in (49, 50, 52, 53, 55, 56, 58, 59, 60, 61, 63, 64, 65, 67, 68, 69)]
    assert [i for i, point in enumerate(message.landmarks) if point.c == 0.0] == absent
    assert all(message.landmarks[i].x == message.landmarks[i].y == 0.0 for i in absent)


def test_points_beyond_the_image_are_not_told():
    found = faces(3)
    points, sure = found.points[0].copy(), np.full(54, 0.5, np.float32)
    points[0], points[1], points[2], points[3] = (-1, 5), (5, 64.5), (80, 64), (np.nan, 3)
    message = landmarks70_message(hri, HEADER, points, sure, found.layout, (64, 80))
    assert [point.c for point in message.landmarks[:5]] == [0.0, 0.0, 0.5, 0.0, 0.5]


def test_crops_are_grey_with_the_contrast_of_the_face():
    values = np.full((64, 80), 20.0, np.float32)
    values[20:40, 15:35] = 30.0
    message = crop_message(HEADER, ThermalFrame(values, "celsius"), np.array([10, 10, 40, 50], np.float32))
    pixels = np.frombuffer(message.data, np.uint8).reshape(128, 128)
    assert (message.encoding, message.height, message.width) == ("mono8", 128, 128)
    # The square of 52 pixels around the box begins at (-1, 4).
    assert pixels[64, 64] > 200 and pixels[5, 5] < 50
    assert (pixels[:, 64] > 128).mean() == pytest.approx(20 / 52, abs=0.04)


def test_what_keeps_faces_away_is_named():
    config = PerceptionConfig()
    assert without_ros4hri(config) == ""
    both = with_values(config, {"face.enabled": False, "tracking.enabled": False})
    assert without_ros4hri(both) == "face.enabled is false and tracking.enabled is false"


class Sent(list):
    """Stands where a node's publishers are made, and keeps what goes out."""

    def watch(self, node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        make = node.create_publisher

        def create(kind: type, topic: str, qos: int, **options: Any) -> Any:
            publisher = make(kind, topic, qos, **options)
            monkeypatch.setattr(publisher, "publish", lambda message: self.append((topic, message)))
            return publisher

        monkeypatch.setattr(node, "create_publisher", create)

    def tracked(self) -> list[list[str]]:
        return [list(message.ids) for topic, message in self if topic == "/humans/faces/tracked"]

    def of(self, name: str) -> list[str]:
        return [topic.rpartition("/")[2] for topic, _ in self if topic.startswith(f"/humans/faces/{name}/")]


def test_a_face_is_told_once_it_is_steady_and_until_it_is_gone(own_node, monkeypatch):
    node, sent = own_node("humans"), Sent()
    sent.watch(node, monkeypatch)
    humans, now = HumanFaces(node), [0.0]
    monkeypatch.setattr(ros4hri.time, "monotonic", lambda: now[0])

    def see(*tracks: int) -> None:
        now[0] += 0.1
        humans.publish("", HEADER, faces(*tracks), frame())

    for _ in range(3):
        see(4, -1)
    assert sent.tracked() == [[], [], ["f00004"]]  # an untracked one never
    assert sent.of("f00004") == ["roi", "landmarks"]  # nobody looks at crops
    see()
    assert sent.tracked()[-1] == ["f00004"] and len(sent.of("f00004")) == 2
    now[0] += ros4hri.KEPT_S
    see()
    assert sent.tracked()[-1] == []
    see(5)
    see(5)
    see(5)
    assert sent.tracked()[-1] == ["f00005"]
    humans.forget()
    assert sent.tracked()[-1] == []
    before = len(sent)
    humans.forget()
    assert len(sent) == before


def test_cameras_share_the_list_and_do_not_forget_each_others_faces(own_node, monkeypatch):
    node, sent = own_node("humans"), Sent()
    sent.watch(node, monkeypatch)
    humans = HumanFaces(node)
    for _ in range(3):
        humans.publish("front", HEADER, faces(1), frame())
        humans.publish("rear", HEADER, faces(1), frame())
    assert sent.tracked()[-1] == ["front_f00001", "rear_f00001"]
    began = time.monotonic()
    now = [began]
    monkeypatch.setattr(ros4hri.time, "monotonic", lambda: now[0])
    now[0] = began + 2 * ros4hri.KEPT_S
    humans.publish("rear", HEADER, faces(), frame())
    assert sent.tracked()[-1] == ["front_f00001"]
    now[0] = began + ros4hri.LOST_S + 1  # the front camera is silent
    humans.publish("rear", HEADER, faces(), frame())
    assert sent.tracked()[-1] == []


def test_the_faces_of_the_only_camera_go_when_it_falls_silent(own_node, monkeypatch):
    node, sent = own_node("humans"), Sent()
    sent.watch(node, monkeypatch)
    humans = HumanFaces(node)
    for _ in range(3):
        humans.publish("", HEADER, faces(1), frame())
    began = time.monotonic()
    for later, tracked in ((0.5 * ros4hri.LOST_S, ["f00001"]), (ros4hri.LOST_S + 1, [])):
        monkeypatch.setattr(ros4hri.time, "monotonic", lambda later=later: began + later)
        humans.expire()
        assert sent.tracked()[-1] == tracked
    assert len(sent.tracked()) == 4
    assert not node.get_publishers_info_by_topic("/humans/faces/f00001/roi")


def test_topics_come_and_go_while_the_node_spins(own_node, monkeypatch):
    """rclpy waits on the event handlers of publishers, and raises where one is gone that it is about to wait on."""
    from rclpy.executors import SingleThreadedExecutor

    node = own_node("humans")
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    humans, failed = HumanFaces(node), []

    def spin() -> None:
        while not done.is_set():
            try:
                executor.spin_once(timeout_sec=0.01)
            except Exception as error:
                failed.append(error)

    done, interval = threading.Event(), sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    spinning = threading.Thread(target=spin)
    spinning.start()
    try:
        for track in range(60):
            for _ in range(ros4hri.STEADY_FRAMES):
                humans.publish("", HEADER, faces(track), frame())
            humans.forget()
    finally:
        sys.setswitchinterval(interval)
        done.set()
        spinning.join()
        executor.shutdown()
    assert not failed


def test_without_the_package_it_is_said_once(own_node, monkeypatch):
    node, said = own_node("humans"), []
    logger = node.get_logger()
    monkeypatch.setattr(logger, "error", said.append)
    monkeypatch.setattr(node, "get_logger", lambda: logger)
    monkeypatch.setitem(sys.modules, "hri_msgs", None)
    monkeypatch.delitem(sys.modules, "hri_msgs.msg", raising=False)
    humans = HumanFaces(node)
    for _ in range(3):
        humans.publish("", HEADER, faces(1), frame())
    assert len(said) == 1 and "hri_msgs" in said[0] and "publish_ros4hri" in said[0]


def test_a_node_tells_its_faces(start: Callable[[dict[str, Any]], Any], client: Any, models: dict[str, str],
                                scene: Callable[..., np.ndarray], eventually: Callable[..., Any]) -> None:
    """Over real middleware: who is tracked, each face's topics beside the node's own, and nobody once it rests."""
    from sensor_msgs.msg import Image

    from thermal_kd_ros.reading import landmark_points

    node = start({**models, **SURE_OF_ALL, "publish_ros4hri": True})
    got: dict[str, list[Any]] = {}
    subscriptions: list[Any] = []

    def listen(kind: type, topic: str) -> list[Any]:
        got[topic] = []
        subscriptions.append(client.create_subscription(kind, f"/humans/faces/{topic}", got[topic].append, 100))
        return got[topic]

    tracked = listen(hri.IdsList, "tracked")
    try:
        node.wait_answering(node.image(scene()))

        def names() -> list[str]:
            node.ask(node.image(scene()))
            return list(tracked[-1].ids) if tracked else []

        found = eventually(names, "faces on /humans/faces/tracked")
        assert found[0].startswith(f"{node.namespace}_f") and found[0].isidentifier()
        region, landmarks, crops = (listen(kind, f"{found[0]}/{topic}") for kind, topic in (
            (hri.NormalizedRegionOfInterest2D, "roi"), (hri.FacialLandmarks, "landmarks"), (Image, "cropped")))
        eventually(lambda: names() and region and landmarks and crops, "the topics of a face")
        mine = landmarks[-1]
        stamp = mine.header.stamp.sec, mine.header.stamp.nanosec
        assert mine.header.frame_id == "thermal_optical" and (mine.height, mine.width) == (256, 320)
        cloud = landmark_points(node.landmarks[stamp])
        row = cloud[cloud["face_id"][:, 0] == int(found[0][-5:])][0]
        if 0 <= row["u"][8] <= 320 and 0 <= row["v"][8] <= 256:
            assert mine.landmarks[8].x * 320 == pytest.approx(row["u"][8], abs=1e-2)
            assert mine.landmarks[8].c == pytest.approx(row["confidence"][8])
        assert (crops[-1].encoding, crops[-1].height) == ("mono8", 128)
        assert node.change_state("deactivate")
        eventually(lambda: not tracked[-1].ids, "an empty list")
        topics = {name for name, _ in client.get_topic_names_and_types()}
        eventually(lambda: not client.get_publishers_info_by_topic(f"/humans/faces/{found[0]}/roi"), "the topics to go")
        assert "/humans/faces/tracked" in topics
        assert node.change_state("activate")
        node.set_ok(publish_ros4hri=False)
        count = len(tracked)
        node.ask(node.image(scene()))
        assert len(tracked) == count
        node.set_ok(publish_ros4hri=True, tracking__enabled=False)
        node.wait_log("publish_ros4hri publishes nothing while tracking.enabled is false")
    finally:
        for subscription in subscriptions:
            client.destroy_subscription(subscription)
