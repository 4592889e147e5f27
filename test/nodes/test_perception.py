"""The node's contract, over real middleware, with the node in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

EVERYTHING = {"detector.score_threshold": 0.0, "detector.max_detections": 5, "face.score_threshold": 0.0,
              "face.max_faces": 3, "face.min_size_px": 1.0, "face.min_landmark_confidence": 0.0}
"""Never trained networks are sure of nothing: with these values they find something in every image."""


@pytest.fixture(scope="module")
def node(start: Callable[[dict[str, Any]], Any], models: dict[str, str], scene: Callable[..., np.ndarray]) -> Any:
    # Whole numbers for real ones and an empty list, as people write them.
    node = start({**models, **EVERYTHING, "max_age_s": 0, "diagnostics_period_s": 0.2, "detector.class_thresholds": []})
    node.wait_answering(node.image(scene()))
    return node


@pytest.fixture
def sure_of_nothing(node: Any) -> Iterator[None]:
    """No detections while the test runs."""
    node.set_ok(detector__score_threshold=1.0, face__score_threshold=1.0)
    yield
    node.set_ok(detector__score_threshold=0.0, face__score_threshold=0.0)


def test_detections_follow_the_contract(node: Any, scene: Callable[..., np.ndarray]) -> None:
    message = node.image(scene())
    detections, landmarks = node.ask(message)
    assert detections.header == landmarks.header == message.header
    classes = [d.results[0].hypothesis.class_id for d in detections.detections]
    objects = [c for c in classes if c != "face"]
    assert 1 <= len(objects) <= 5 and set(objects) <= {"person", "car", "bicycle"}
    assert classes == objects + ["face"] * landmarks.height
    for detection in detections.detections:
        assert detection.header == message.header
        assert len(detection.results) == 1 and 0.0 <= detection.results[0].hypothesis.score <= 1.0
        box = detection.bbox
        assert 0 <= box.center.position.x - box.size_x / 2 and box.center.position.x + box.size_x / 2 <= 320
        assert 0 <= box.center.position.y - box.size_y / 2 and box.center.position.y + box.size_y / 2 <= 256
        face = detection.results[0].hypothesis.class_id == "face"
        assert detection.id.removeprefix("face_" if face else "").isdigit()


def test_landmarks_are_an_organised_cloud(node: Any, scene: Callable[..., np.ndarray]) -> None:
    from thermal_kd_ros.reading import LANDMARK_DTYPE, landmark_points

    detections, cloud = node.ask(node.image(scene()))
    assert [f.name for f in cloud.fields] == ["x", "y", "z", "u", "v", "confidence", "temperature", "face_id",
                                              "canthus_temperature"]
    assert 1 <= cloud.height <= 3 and cloud.width == 54
    assert cloud.point_step == 36 == LANDMARK_DTYPE.itemsize and cloud.row_step == 54 * 36
    assert len(cloud.data) == cloud.height * cloud.row_step
    points = landmark_points(cloud)
    assert ((0 <= points["confidence"]) & (points["confidence"] <= 1)).all()
    np.testing.assert_array_equal(points["x"], points["u"])  # no camera_info: pixels, z = 0
    np.testing.assert_array_equal(points["z"], 0)
    inside = (points["u"] > 1) & (points["u"] < 319) & (points["v"] > 1) & (points["v"] < 255)
    assert np.isfinite(points["temperature"][inside]).all()
    assert (points["canthus_temperature"] > 15).any() and (points["canthus_temperature"].T == points[
        "canthus_temperature"][:, 0]).all()
    faces = [d for d in detections.detections if d.results[0].hypothesis.class_id == "face"]
    assert [f"face_{row['face_id'][0]:.0f}" for row in points] == [d.id for d in faces]


def test_the_cloud_is_readable_by_the_distributions_own_reader(node: Any, scene: Callable[..., np.ndarray]) -> None:
    reader = pytest.importorskip("sensor_msgs_py.point_cloud2")
    from thermal_kd_ros.reading import LANDMARK_DTYPE, landmark_points

    _, cloud = node.ask(node.image(scene()))
    read = reader.read_points(cloud).reshape(cloud.height, cloud.width)
    plain = reader.read_points_numpy(cloud).reshape(cloud.height, cloud.width, -1)
    for column, name in enumerate(LANDMARK_DTYPE.names):
        np.testing.assert_array_equal(read[name], landmark_points(cloud)[name])
        np.testing.assert_array_equal(plain[..., column], landmark_points(cloud)[name])


@pytest.mark.usefixtures("sure_of_nothing")
def test_an_empty_frame_gives_empty_messages(node: Any, scene: Callable[..., np.ndarray]) -> None:
    message = node.image(scene())
    detections, landmarks = node.ask(message)
    assert detections.header == landmarks.header == message.header
    assert len(detections.detections) == 0
    assert (landmarks.height, landmarks.width, len(landmarks.data)) == (0, 54, 0)


def test_a_constant_image_is_answered(node: Any) -> None:
    node.set_ok(detector__score_threshold=0.5, face__score_threshold=0.5)
    detections, landmarks = node.ask(node.image(np.full((256, 320), 29800, np.uint16)))
    assert len(detections.detections) == landmarks.height == 0
    node.set_ok(detector__score_threshold=0.0, face__score_threshold=0.0)


@pytest.mark.parametrize(("pixels", "encoding"), [
    (np.zeros((48, 64), np.uint8) + np.arange(64, dtype=np.uint8), "mono8"),
    (np.linspace(10, 40, 100 * 333).reshape(100, 333).astype(np.float32), "32FC1"),
    (np.arange(512 * 640, dtype=np.uint32).reshape(512, 640).astype(np.uint16), "16UC1"),
    (np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8), "bgr8"),
])
def test_size_and_encoding_may_change_from_frame_to_frame(node: Any, scene: Callable[..., np.ndarray],
                                                          pixels: np.ndarray, encoding: str) -> None:
    node.ask(node.image(scene()))
    detections, _ = node.ask(node.image(pixels, encoding))
    for detection in detections.detections:
        box = detection.bbox
        assert box.center.position.x + box.size_x / 2 <= pixels.shape[1] + 1e-3
        assert box.center.position.y + box.size_y / 2 <= pixels.shape[0] + 1e-3
    assert f"{pixels.shape[1]} x {pixels.shape[0]} {encoding}" in node.log()


# Sentences that differ in numbers only are logged once in a while, not for every frame.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown encoding": (dict(encoding="yuv422"), "encoding 'yuv422'"),
    "no rows": (dict(height=0), "320 x 0 pixels"),
    "no columns": (dict(width=0), "the driver sends an empty image"),
    "cut data": (dict(data=1000), "data has 1000 bytes"),
    "no data": (dict(data=0), "the message was cut"),
    "small step": (dict(step=639), "step is 639 bytes"),
    "all NaN": (dict(encoding="32FC1", step=1280, nan=True), "no finite value"),
    "negative stamp": (dict(sec=-5), "no clock of ROS goes below 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_are_dropped_counted_and_named(node: Any, scene: Callable[..., np.ndarray], case: str) -> None:
    import array

    change, said = dict(BAD[case][0]), BAD[case][1]
    before = int(node.report()["dropped bad"])
    message = node.image(scene())
    if change.pop("nan", False):
        message.data = array.array("B", np.full((256, 320), np.nan, np.float32).tobytes())
    if "sec" in change:
        message.header.stamp.sec = change.pop("sec")
    if "data" in change:
        message.data = message.data[: change.pop("data")]
    for name, value in change.items():
        setattr(message, name, value)
    node.publish(message)
    values = node.report(lambda d: int(d["dropped bad"]) == before + 1)
    assert values["state"] == "active" and values["level"] == "1" and said in values["message"]
    assert said in node.log() and f"/{node.namespace}/image: a frame is dropped" in node.log()
    assert "Traceback" not in node.log()
    node.ask(node.image(scene()))
    assert not node.answered(message)
    node.report(lambda d: said not in d["message"])


def test_a_burst_is_answered_by_its_newest_frame(node: Any, scene: Callable[..., np.ndarray]) -> None:
    before = node.report()
    messages = [node.image(scene(seed=0)) for _ in range(100)]
    for message in messages:
        node.publish(message)
    node.ask(node.image(scene(seed=1)))

    def total(values: dict[str, str]) -> tuple[int, int]:
        gone = int(values["results published"]) + sum(int(v) for k, v in values.items() if k.startswith("dropped "))
        return int(values["frames received"]), gone

    after = node.report(lambda d: total(d)[0] == total(d)[1])
    came = int(after["frames received"]) - int(before["frames received"])
    superseded = int(after["dropped superseded"]) - int(before["dropped superseded"])
    answered = int(after["results published"]) - int(before["results published"])
    assert came == superseded + answered and superseded > 0
    assert node.popen.poll() is None


def test_old_frames_are_dropped_and_the_remedy_is_said_once(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.set_ok(max_age_s=0.5)
    before = int(node.report()["dropped stale"])
    for i in range(16):
        node.publish(node.image(scene(), age_s=60.0))
        node.report(lambda d, n=before + i + 1: int(d["dropped stale"]) >= n) if i % 4 == 3 else time.sleep(0.05)
    values = node.report(lambda d: d["level"] == "1")
    assert int(values["dropped stale"]) == before + 16
    assert "max_age_s" in values["message"] and "use_sim_time" in values["message"]
    node.set_ok(max_age_s=30)
    node.ask(node.image(scene(), age_s=5.0))
    node.set_ok(max_age_s=0.0)
    assert node.log().count("frames in a row are older") == 1


def test_rate_is_limited(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.ask(node.image(scene()))
    node.set_ok(max_rate_hz=0.5)
    before = int(node.report()["dropped rate"])
    node.ask(node.image(scene()))
    node.publish(node.image(scene()))
    node.report(lambda d: int(d["dropped rate"]) == before + 1)
    node.set_ok(max_rate_hz=0.0)
    node.ask(node.image(scene()))


def test_parameters_change_while_running(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.set_ok(detector__max_detections=2, face__enabled=False)
    detections, landmarks = node.ask(node.image(scene()))
    assert len(detections.detections) == 2 and landmarks.height == 0
    node.set_ok(detector__class_thresholds=["person=1.0", "car=1.0", "bicycle=1.0"])
    assert len(node.ask(node.image(scene()))[0].detections) == 0
    node.set_ok(detector__class_thresholds=[], detector__max_detections=5, face__enabled=True)
    assert len(node.ask(node.image(scene()))[0].detections) > 2


@pytest.mark.parametrize(("values", "reason"), [
    (dict(detector__score_threshold=1.5), "range"),
    (dict(detector__score_threshold="high"), "detector.score_threshold|Wrong parameter type"),
    (dict(detector__class_thresholds=["person"]), "person=0.25"),
    (dict(detector__class_thresholds=["tree=0.5"]), "tree.*person, car, bicycle"),
    (dict(thermal__input_mode="celsius"), "thermal.input_mode.*unconfigured"),
    (dict(detector__model="other"), "detector.model.*unconfigured"),
    (dict(auto_start=False), "read-only|read only"),
    (dict(face__max_faces=-1), "range"),
])
def test_impossible_parameters_are_refused_with_a_reason(node: Any, values: dict[str, Any], reason: str) -> None:
    import re

    results = node.set(**values)
    assert not results[0].successful
    assert re.search(reason, results[0].reason), results[0].reason


def test_a_switch_in_words_can_be_set_and_unset(node: Any) -> None:
    node.set_ok(correction__stripes="both")
    node.set_ok(correction__stripes=False)  # as ros2 param set sends the word off
    (result,) = node.set(correction__stripes=True)
    assert not result.successful and "off, columns, rows, both" in result.reason


def test_parameters_describe_themselves(node: Any) -> None:
    from rcl_interfaces.srv import DescribeParameters

    names = ["nms_iou", "model", "class_thresholds"]
    request = DescribeParameters.Request(names=[f"detector.{name}" for name in names])
    described = node.call(DescribeParameters, "describe_parameters", request).descriptors
    assert all(d.description and "change" in d.additional_constraints for d in described)
    assert [d.type for d in described] == [3, 4, 9]
    assert (described[0].floating_point_range[0].from_value, described[0].floating_point_range[0].to_value) == (0.05, 1)


def test_transforms_that_cannot_come_are_told_once_with_the_parameter(node: Any) -> None:
    node.set_ok(publish_tf=True)
    assert "publish_tf publishes nothing" not in node.log()
    node.set_ok(tracking__enabled=False)
    node.set_ok(max_age_s=0.0, face__nms_iou=0.31)
    assert node.wait_log("publish_tf publishes nothing").count("nothing while tracking.enabled is false") == 1
    node.set_ok(publish_tf=False, tracking__enabled=True, face__nms_iou=0.3)


def test_labels_are_latched_for_who_comes_late(node: Any, client: Any) -> None:
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from vision_msgs.msg import LabelInfo

    node.set_ok(detector__score_threshold=0.25, face__score_threshold=0.4)
    got: list[Any] = []
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = client.create_subscription(LabelInfo, f"/{node.namespace}/label_info", got.append, qos)
    try:
        deadline = time.monotonic() + 20
        while not got and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [(c.class_id, c.class_name) for c in got[-1].class_map] == [
            (0, "person"), (1, "car"), (2, "bicycle"), (3, "face")]
        assert got[-1].threshold == 0.25
        # The least that anything is reported with, which one class alone can have.
        for values, least in ((dict(detector__class_thresholds=["car=0.125"]), 0.125),
                              (dict(face__score_threshold=0.0625), 0.0625)):
            node.set_ok(**values)
            deadline = time.monotonic() + 20
            while got[-1].threshold != least and time.monotonic() < deadline:
                time.sleep(0.01)
            assert got[-1].threshold == least
    finally:
        client.destroy_subscription(subscription)
        node.set_ok(detector__score_threshold=0.0, detector__class_thresholds=[""], face__score_threshold=0.0)


@pytest.mark.parametrize("reliable", [True, False])
def test_pictures_are_there_for_who_subscribes(node: Any, client: Any, scene: Callable[..., np.ndarray], reliable: bool
                                               ) -> None:
    """With the QoS that subscribers have unless told otherwise, which is RViz's too, and with that of sensor data."""
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image
    from visualization_msgs.msg import Marker, MarkerArray

    pictures: dict[int, Any] = {}
    markers: dict[int, Any] = {}
    subscriptions = [
        client.create_subscription(Image, f"/{node.namespace}/image_annotated",
                                   lambda m: pictures.update({m.header.stamp.nanosec: m}),
                                   10 if reliable else qos_profile_sensor_data),
        client.create_subscription(MarkerArray, f"/{node.namespace}/markers",
                                   lambda m: markers.update({m.markers[0].header.stamp.nanosec: m}), 10)]
    try:
        deadline = time.monotonic() + 20
        while not (pictures and markers) and time.monotonic() < deadline:
            detections, landmarks = node.ask(node.image(scene()))
            time.sleep(0.05)
        picture, array = list(pictures.values())[-1], list(markers.values())[-1]
        assert (picture.encoding, picture.height, picture.width, len(picture.data)) == ("bgr8", 256, 320, 256 * 320 * 3)
        assert array.markers[0].action == Marker.DELETEALL
        kinds = [m.type for m in array.markers[1:]]
        assert kinds.count(Marker.LINE_STRIP) == kinds.count(Marker.TEXT_VIEW_FACING) == len(detections.detections)
        texts = [m.text for m in array.markers if m.type == Marker.TEXT_VIEW_FACING]
        assert all(text.endswith(" C") and text.isascii() for text in texts), texts
        assert [len(m.points) for m in array.markers if m.type == Marker.POINTS] == [54 * landmarks.height]
        assert array.markers[-1].header.frame_id == "thermal_optical"
    finally:
        for subscription in subscriptions:
            client.destroy_subscription(subscription)


@pytest.mark.parametrize("method", ["percentile", "fixed"])
def test_a_picture_is_drawn_without_the_sensor_s_faults_and_in_the_contrast_of_now(
        node: Any, client: Any, scene: Callable[..., np.ndarray], sure_of_nothing: None, method: str) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from thermal_kd_ros.config import ContrastConfig, CorrectionConfig, ThermalConfig
    from thermal_kd_ros.correction import Corrector
    from thermal_kd_ros.drawing import palette
    from thermal_kd_ros.frames import ThermalFrame
    from thermal_kd_ros.tone import TemporalTone

    striped = scene() + np.where(np.arange(320) % 3, 0, 400).astype(np.uint16)
    frame = Corrector(CorrectionConfig(stripes="columns"), None).apply(
        ThermalFrame.from_array(striped, ThermalConfig(input_mode="centikelvin")))
    expected = palette(TemporalTone(ContrastConfig(method=method)).update(frame).apply(frame.values))
    pictures: list[Any] = []
    subscription = client.create_subscription(Image, f"/{node.namespace}/image_annotated", pictures.append,
                                              qos_profile_sensor_data)
    node.set_ok(correction__stripes="columns", contrast__method=method)
    try:
        deadline = time.monotonic() + 20
        while not pictures and time.monotonic() < deadline:
            node.ask(node.image(striped))
            time.sleep(0.05)
        picture = np.frombuffer(pictures[-1].data, np.uint8).reshape(256, 320, 3)
        # Nothing is found, so that nothing is drawn over it.
        assert (np.abs(picture.astype(int) - expected) <= 2).mean() > 0.99
    finally:
        client.destroy_subscription(subscription)
        node.set_ok(correction__stripes="off", contrast__method="model")


def test_camera_info_gives_rays(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo

    from thermal_kd_ros.reading import landmark_points

    publisher = client.create_publisher(CameraInfo, f"/{node.namespace}/camera_info", qos_profile_sensor_data)
    info = CameraInfo(width=320, height=256, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([300.0, 0, 159.5, 0, 310.0, 127.5, 0, 0, 1])
    try:
        deadline, points = time.monotonic() + 20, np.zeros(0)
        while time.monotonic() < deadline and not (points.size and (points["z"] == 1).all()):
            publisher.publish(info)
            points = landmark_points(node.ask(node.image(scene()))[1])
        np.testing.assert_array_equal(points["z"], 1)
        # The middle of the image in continuous pixels, (160, 128), is the principal point in ROS's: (159.5, 127.5).
        np.testing.assert_allclose(points["x"], (points["u"] - 160) / 300, atol=1e-5)
        np.testing.assert_allclose(points["y"], (points["v"] - 128) / 310, atol=1e-5)
    finally:
        client.destroy_publisher(publisher)


def test_a_camera_without_calibration_is_told_once(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo

    from thermal_kd_ros.reading import landmark_points

    publisher = client.create_publisher(CameraInfo, f"/{node.namespace}/camera_info", qos_profile_sensor_data)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and "not calibrated" not in node.log():
            publisher.publish(CameraInfo(width=320, height=256))
            node.ask(node.image(scene()))
        for i in range(4):
            # Drivers send it with every image, and the size of the images may change.
            publisher.publish(CameraInfo(width=320, height=256))
            landmarks = node.ask(node.image(scene((256, 320) if i % 2 else (128, 160))))[1]
        np.testing.assert_array_equal(landmark_points(landmarks)["z"], 0)
        assert node.log().count("camera_info has no focal length: the camera is not calibrated") == 1
    finally:
        client.destroy_publisher(publisher)


def test_repeated_frames_can_be_skipped(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.ask(node.image(scene(seed=7)))
    before = int(node.report()["dropped frozen"])
    node.set_ok(thermal__frozen_policy="skip")
    message = node.image(scene(seed=7))
    node.publish(message)
    node.report(lambda d: int(d["dropped frozen"]) == before + 1)
    node.ask(node.image(scene(seed=8)))
    assert not node.answered(message)
    node.set_ok(thermal__frozen_policy="mark")
    node.ask(node.image(scene(seed=8)))


def test_shutter_events_are_counted(node: Any, scene: Callable[..., np.ndarray]) -> None:
    before = int(node.report()["shutter events"])
    for _ in range(3):
        node.ask(node.image(scene(seed=9)))
    node.ask(node.image(scene(seed=9) + np.uint16(30)))
    assert int(node.report()["shutter events"]) == before + 1


def test_diagnostics_tell_what_the_node_does(node: Any, scene: Callable[..., np.ndarray]) -> None:
    image = scene()
    for _ in range(4):
        node.ask(node.image(image))
    values = node.report(lambda d: d["level"] == "1")
    assert "identical" in values["message"] and int(values["frozen frames"]) >= 3
    node.ask(node.image(scene(seed=5)))
    values = node.report(lambda d: d["level"] == "0")
    assert values["input mode"] == "centikelvin" and values["input"] == "320 x 256 mono16"
    assert "torch" in values["backend"] and "objects" in values["backend"]
    for stage in ("decode", "contrast", "detect", "faces", "landmarks", "publish", "total", "age"):
        assert 0.0 <= float(values[f"{stage} p50 (ms)"]) <= float(values[f"{stage} p95 (ms)"])
    assert float(values["rate in (Hz)"]) > 0 and values["landmark layout"] == "sf_tl54"


def test_what_was_wrong_with_frames_ends_with_deactivation(node: Any, scene: Callable[..., np.ndarray]) -> None:
    image = scene()
    for _ in range(4):
        node.ask(node.image(image))
    node.publish(node.image(image.astype(np.uint8), "bayer_rggb8"))
    node.report(lambda d: "identical" in d["message"] and "bayer_rggb8" in d["message"])
    assert node.change_state("deactivate")
    values = node.report(lambda d: d["state"] == "inactive")
    assert (values["level"], values["message"]) == ("0", "inactive")
    assert node.change_state("activate")
    values = node.report(lambda d: d["state"] == "active")
    assert values["level"] == "0", values["message"]
    # The first image after the pause is compared with none before it.
    frozen = values["frozen frames"]
    node.ask(node.image(image))
    assert node.report()["frozen frames"] == frozen


def test_an_inactive_node_is_silent_and_wakes_again(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.ask(node.image(scene()))
    assert node.change_state("deactivate") and node.state() == "inactive"
    before = int(node.report(lambda d: d["state"] == "inactive")["dropped inactive"])
    message = node.image(scene())
    node.publish(message)
    node.report(lambda d: int(d["dropped inactive"]) == before + 1)
    assert node.change_state("activate") and node.state() == "active"
    node.ask(node.image(scene()))
    assert not node.answered(message)


def test_it_can_be_cleaned_up_and_configured_with_another_input_mode(node: Any, scene: Callable[..., np.ndarray]
                                                                      ) -> None:
    assert node.change_state("deactivate") and node.change_state("cleanup") and node.state() == "unconfigured"
    node.set_ok(thermal__input_mode="optris")
    assert node.change_state("configure") and node.change_state("activate")
    node.wait_answering(node.image(scene()))
    values = node.report(lambda d: d["input mode"] == "optris")
    assert values["dropped bad"] == "0"
    said = "degrees Celsius, which hardly any scene has; check thermal.input_mode"
    assert values["level"] == "1" and said in values["message"] and node.log().count(said) == 1


def test_a_node_that_is_destroyed_leaves_no_thread(client: Any) -> None:
    import threading

    from thermal_kd_ros.nodes.perception import PerceptionNode

    made = PerceptionNode("destroyed")
    made.trigger_configure()
    made.trigger_activate()
    assert "perception" in [thread.name for thread in threading.enumerate()]
    made.destroy_node()
    assert "perception" not in [thread.name for thread in threading.enumerate()]


def test_it_ends_quietly_on_interrupt(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.publish(node.image(scene()))
    assert node.stop() == 0
    assert "Traceback" not in node.log() and "rror" not in node.log().split("active")[-1]
