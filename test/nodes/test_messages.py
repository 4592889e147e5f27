"""Results to messages and back."""

from __future__ import annotations

import dataclasses
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

from sensor_msgs.msg import CameraInfo, PointField  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import Marker  # noqa: E402

from thermal_kd_ros.config import ThermalConfig  # noqa: E402
from thermal_kd_ros.frames import ThermalFrame  # noqa: E402
from thermal_kd_ros.nodes import messages  # noqa: E402
from thermal_kd_ros.nodes.camera_input import is_rectified  # noqa: E402
from thermal_kd_ros.nodes.markers import markers_message  # noqa: E402
from thermal_kd_ros.nodes.messages import (  # noqa: E402
    detections_message,
    image_message,
    label_info_message,
    landmarks_message,
    picture_message,
    seconds,
)
from thermal_kd_ros.nodes.rays import NominalRays, Rays  # noqa: E402
from thermal_kd_ros.reading import (  # noqa: E402
    LANDMARK_DTYPE,
    NO_TRACK,
    detections_from_message,
    landmark_points,
    landmarks_from_message,
)
from thermal_kd_ros.results import Detections, FaceLandmarks, PerceptionResult  # noqa: E402


@pytest.fixture
def header() -> Header:
    made = Header(frame_id="thermal_optical")
    made.stamp.sec, made.stamp.nanosec = 12, 345_000_000
    return made


def objects(tracks: tuple[int, ...] = (4, -1)) -> Detections:
    boxes = np.array([[10.5, 20.25, 30.5, 80.75], [0, 0, 640, 512]], np.float32)
    return Detections(boxes, np.array([0.9, 0.4], np.float32), np.array([1, 0]), ("person", "car"), np.array(tracks))


def two_faces(points: int = 54) -> FaceLandmarks:
    rng = np.random.default_rng(0)
    boxes = np.array([[100, 100, 160, 180], [300, 50, 340, 90]], np.float32)
    temperature = rng.uniform(30, 37, (2, points)).astype(np.float32)
    temperature[1, 3] = np.nan
    where = rng.uniform(0, 500, (2, points, 2)).astype(np.float32)
    sure = rng.uniform(0, 1, (2, points)).astype(np.float32)
    scores, tracks = np.array([0.8, 0.7], np.float32), np.array([7, -1])
    canthus = np.array([35.5, np.nan], np.float32)
    return FaceLandmarks(boxes, scores, where, sure, temperature, "sf_tl54", tracks, canthus)


def test_detections_have_centre_size_name_and_id(header: Header) -> None:
    message = detections_message(header, objects(), two_faces())
    assert message.header == header and all(d.header == header for d in message.detections)
    car = message.detections[0]
    assert (car.bbox.center.position.x, car.bbox.center.position.y) == (20.5, 50.5)
    assert (car.bbox.size_x, car.bbox.size_y, car.bbox.center.theta) == (20.0, 60.5, 0.0)
    assert car.results[0].hypothesis.class_id == "car"
    assert car.results[0].hypothesis.score == pytest.approx(0.9)
    assert [d.id for d in message.detections] == ["4", "", "face_7", ""]
    assert [d.results[0].hypothesis.class_id for d in message.detections[2:]] == ["face", "face"]


def test_detections_come_back(header: Header) -> None:
    found = detections_from_message(detections_message(header, objects(), two_faces()), ("person", "car"))
    assert found.class_names == ("person", "car", "face")
    np.testing.assert_allclose(found.boxes, np.concatenate([objects().boxes, two_faces().boxes]), atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.4, 0.8, 0.7], rtol=1e-6)
    assert found.labels.tolist() == [1, 0, 2, 2] and found.track_ids.tolist() == [4, -1, 7, -1]


def test_no_detections_come_back(header: Header) -> None:
    empty = FaceLandmarks.empty("sf_tl54", 54)
    message = detections_message(header, Detections.empty(("person",)), empty)
    assert len(message.detections) == 0
    found = detections_from_message(message, ("person",))
    assert found.boxes.shape == (0, 4) and found.class_names == ("person",)


def test_landmarks_are_a_numpy_view_of_the_cloud(header: Header) -> None:
    faces = two_faces()
    message = landmarks_message(header, faces, None)
    assert (message.height, message.width, message.point_step, message.row_step) == (2, 54, 36, 54 * 36)
    assert message.header == header and not message.is_dense and not message.is_bigendian
    offsets = {f.name: (f.offset, f.datatype, f.count) for f in message.fields}
    assert offsets["x"] == (0, PointField.FLOAT32, 1) and offsets["face_id"] == (28, PointField.FLOAT32, 1)
    assert offsets["canthus_temperature"] == (32, PointField.FLOAT32, 1)
    view = np.frombuffer(message.data, LANDMARK_DTYPE).reshape(2, 54)
    np.testing.assert_array_equal(view["u"], faces.points[..., 0])
    np.testing.assert_array_equal(view["x"], view["u"])
    np.testing.assert_array_equal(view["y"], faces.points[..., 1])
    np.testing.assert_array_equal(view["z"], 0)
    np.testing.assert_array_equal(view["temperature"], faces.temperature)
    assert (view["canthus_temperature"][0] == 35.5).all() and np.isnan(view["canthus_temperature"][1]).all()
    assert (view["face_id"][0] == 7).all() and (view["face_id"][1] == NO_TRACK).all()


def test_landmarks_come_back(header: Header) -> None:
    faces = two_faces()
    cloud = landmarks_message(header, faces, None)
    back = landmarks_from_message(cloud, detections_message(header, objects(), faces))
    for name in ("boxes", "scores", "points", "confidence", "temperature", "track_ids", "canthus_temperature"):
        np.testing.assert_allclose(getattr(back, name), getattr(faces, name), rtol=1e-6, err_msg=name)
    assert back.layout == "sf_tl54"
    assert np.isnan(landmarks_from_message(cloud).boxes).all()
    with pytest.raises(ValueError, match="not of the same frame"):
        landmarks_from_message(cloud, detections_message(header, objects(), FaceLandmarks.empty("", 54)))


@pytest.mark.parametrize("points", [0, 54])
def test_no_landmarks_come_back(header: Header, points: int) -> None:
    message = landmarks_message(header, FaceLandmarks.empty("", points), None)
    assert (message.height, message.width, len(message.data)) == (0, points, 0)
    assert landmark_points(message).shape == (0, points)
    assert len(landmarks_from_message(message)) == len(landmarks_from_message(message).canthus_temperature) == 0


def test_markers_tell_the_temperatures_of_boxes_and_eye_corners(header: Header) -> None:
    celsius = np.full((512, 640), 20.0, np.float32)
    celsius[100:180, 100:160] = np.linspace(30.0, 34.0, 60)
    faces = two_faces()

    def texts(frame: ThermalFrame, shown: FaceLandmarks) -> list[str]:
        result = PerceptionResult(objects(), shown, {}, frame)
        message = markers_message(header, result)
        return [marker.text for marker in message.markers if marker.type == Marker.TEXT_VIEW_FACING]

    found = texts(ThermalFrame.from_array(celsius, ThermalConfig()), faces)
    assert found[0] == "car #4 0.90 20.0 C mean 20.0 C"  # RViz has no degree sign
    assert found[2] == "face #7 0.80 33.9 C mean 32.0 C canthus 35.5 C"
    assert found[3] == "face 0.70 20.0 C mean 20.0 C"
    blind = dataclasses.replace(faces, canthus_temperature=np.full(2, np.nan, np.float32))
    display = ThermalFrame.from_array(celsius.astype(np.uint8), ThermalConfig())
    assert texts(display, blind) == ["car #4 0.90", "person 0.40", "face #7 0.80", "face 0.70"]


def test_markers_of_a_camera_that_has_gone_vanish(header: Header) -> None:
    result = PerceptionResult(objects(), two_faces(), {}, ThermalFrame.from_array(np.zeros((512, 640), np.uint8),
                                                                                  ThermalConfig()))
    drawn = [marker for marker in markers_message(header, result).markers if marker.action == Marker.ADD]
    assert drawn and all(marker.lifetime.sec > 0 for marker in drawn)


def test_labels_are_numbered(header: Header) -> None:
    message = label_info_message(header, ("person", "face"), 0.5)
    assert [(c.class_id, c.class_name) for c in message.class_map] == [(0, "person"), (1, "face")]
    assert message.threshold == 0.5


@pytest.mark.parametrize(("dtype", "shape", "step"), [(np.uint16, (3, 5), 10), (np.uint8, (3, 5, 3), 15)])
def test_images_keep_their_pixels(header: Header, dtype: type, shape: tuple[int, ...], step: int) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    message = image_message(header, pixels[:, ::-1], "mono16")
    assert (message.height, message.width, message.step) == (3, 5, step)
    np.testing.assert_array_equal(np.frombuffer(message.data, dtype).reshape(shape), pixels[:, ::-1])


def test_pictures_are_the_same_with_and_without_cv_bridge(header: Header, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)[:, 1:]
    bridge = pytest.importorskip("cv_bridge").CvBridge()
    try:
        bridge.cv2_to_imgmsg(pixels, "bgr8")
    except AttributeError as error:
        pytest.skip(f"this cv_bridge does not go with this NumPy: {error}")
    messages._bridge.cache_clear()
    assert messages._bridge() is not None
    with_bridge = picture_message(header, pixels)
    monkeypatch.setattr(messages, "_bridge", lambda: None)
    without = picture_message(header, pixels)
    assert with_bridge == without and without.header == header
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(without, "bgr8"), pixels)


@pytest.mark.parametrize("error", [ImportError("numpy.core.multiarray failed to import"), AttributeError("tostring")])
def test_a_cv_bridge_that_does_not_go_with_numpy_is_left_aside(header: Header, error: Exception, monkeypatch) -> None:
    class Broken:
        def __init__(self) -> None:
            raise error

    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(CvBridge=Broken))
    messages._bridge.cache_clear()
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert picture_message(header, pixels) == image_message(header, pixels, "bgr8")
    messages._bridge.cache_clear()


def test_seconds(header: Header) -> None:
    assert seconds(header) == 12.345


def info(**values: object) -> CameraInfo:
    made = CameraInfo(width=640, height=512, distortion_model="plumb_bob", d=[0.0] * 5)
    made.k = np.array([500.0, 0, 320, 0, 510, 250, 0, 0, 1])
    made.p = np.array([400.0, 0, 300, 0, 0, 400, 200, 0, 0, 0, 1, 0])
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_rays_of_a_pinhole() -> None:
    rays = Rays(info(), 512, 640)(np.array([[320.5, 250.5], [820.5, 760.5]]))
    np.testing.assert_allclose(rays, [[0, 0, 1], [1, 1, 1]])
    assert Rays(info(), 512, 640)(np.zeros((2, 54, 2))).shape == (2, 54, 3)


def test_rays_of_a_rectified_image_use_the_projection() -> None:
    rays = Rays(info(d=[0.5, 0.0, 0.0, 0.0, 0.0]), 512, 640, rectified=True)(np.array([[700.5, 200.5]]))
    np.testing.assert_allclose(rays, [[1, 0, 1]])


@pytest.mark.parametrize(("topic", "rectified"), [
    ("/thermal/image_rect", True), ("/thermal/image_rect_color", True), ("/rectified", True), ("/a/image", False),
    ("/thermal/image_corrected", False), ("/rect/image_raw", False), ("/thermal/direct", False),
    ("/cam/rectified/image", True), ("/cam/image_rect/compressed", True), ("/cam/image_raw/compressed", False)])
def test_rectified_images_are_known_by_their_name(topic: str, rectified: bool) -> None:
    assert is_rectified(topic) == rectified


@pytest.mark.parametrize(("model", "d"), [("plumb_bob", [-0.3, 0.1, 0.001, 0.002, 0.0]),
                                          ("rational_polynomial", [0.1, 0.02, 0, 0, 0.01, 0.2, 0.01, 0.0]),
                                          ("equidistant", [0.05, 0.01, 0.0, 0.0])])
def test_rays_undo_the_distortion(model: str, d: list[float]) -> None:
    import cv2

    truth = np.array([[0.2, -0.1, 1.0], [-0.3, 0.25, 1.0], [0.0, 0.0, 1.0]])
    k = np.array(info().k).reshape(3, 3)
    if model == "equidistant":
        pixels, _ = cv2.fisheye.projectPoints(truth[:, None], np.zeros(3), np.zeros(3), k, np.array(d))
    else:
        pixels, _ = cv2.projectPoints(truth[:, None], np.zeros(3), np.zeros(3), k, np.array(d))
    rays = Rays(info(distortion_model=model, d=d), 512, 640)
    np.testing.assert_allclose(rays(pixels[:, 0] + 0.5), truth, atol=1e-3)
    assert rays(np.zeros((0, 54, 2))).shape == (0, 54, 3)


@settings(max_examples=60)
@given(st.sampled_from(["plumb_bob", "equidistant"]), st.floats(-0.3, 0.3), st.floats(-0.05, 0.05),
       st.floats(-0.005, 0.005), st.floats(-0.005, 0.005), st.integers(0, 2**16))
def test_rays_project_back_to_their_pixels(model: str, k1: float, k2: float, p1: float, p2: float, seed: int) -> None:
    import cv2

    truth = np.column_stack([np.random.default_rng(seed).uniform(-0.6, 0.6, (20, 2)), np.ones(20)])
    d, k = [k1, k2, p1, p2], np.array(info().k).reshape(3, 3)
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixels, _ = project(truth[:, None], np.zeros(3), np.zeros(3), k, np.array(d))
    # Trailing zeros, as some drivers write them, belong to no coefficient.
    rays = Rays(info(distortion_model=model, d=[*d, 0.0, 0.0, 0.0]), 512, 640)(pixels[:, 0] + 0.5)
    again, _ = project(rays[:, None].astype(np.float64), np.zeros(3), np.zeros(3), k, np.array(d))
    np.testing.assert_allclose(again, pixels, atol=0.01)
    np.testing.assert_allclose(rays, truth, atol=1e-3)


def test_rays_of_a_binned_window_of_the_sensor() -> None:
    made = info(binning_x=2, binning_y=2)
    made.roi.x_offset, made.roi.y_offset, made.roi.width, made.roi.height = 100, 50, 320, 256
    rays = Rays(made, 128, 160)(np.array([[(320.5 - 100) / 2, (250.5 - 50) / 2]]))
    np.testing.assert_allclose(rays, [[0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize(("values", "size", "said"), [
    (dict(k=np.zeros(9)), (512, 640), "not calibrated"),
    (dict(), (256, 320), "640 x 512 pixels, but the image has 320 x 256"),
    (dict(distortion_model="magic", d=[1.0]), (512, 640), "'magic'"),
    (dict(distortion_model="plumb_bob", d=[0.1, 0.2, 0.3]), (512, 640), "plumb_bob has 4 or 5"),
    (dict(distortion_model="equidistant", d=[0.1, 0.2, 0.3, 0.1, 0.2]), (512, 640), "equidistant has 4"),
    (dict(distortion_model="plumb_bob", d=[0.1, 0.2, 0.3, float("nan"), 0.0]), (512, 640), "finite"),
    (dict(k=np.array([500.0, 0, float("nan"), 0, 500, 250, 0, 0, 1])), (512, 640), "not calibrated"),
])
def test_a_misfitting_calibration_is_refused(values: dict[str, object], size: tuple[int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Rays(info(**values), *size)


def test_nominal_rays_are_centred() -> None:
    rays = NominalRays(512, 640)(np.array([[320.0, 256.0], [640.0, 256.0]]))
    np.testing.assert_allclose(rays, [[0, 0, 1], [0.5, 0, 1]])
