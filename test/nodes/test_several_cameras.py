"""Several cameras in one node, over real middleware, with the node in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

CAMERAS = ("front", "arm/left", "rear")
EVERYTHING = {"detector.score_threshold": 0.0, "detector.max_detections": 5, "face.score_threshold": 0.0,
              "face.max_faces": 2, "face.min_size_px": 1.0, "face.min_landmark_confidence": 0.0, "max_age_s": 0.0,
              "diagnostics_period_s": 0.2,
              "contrast.time_constant_s": 0.0, "tracking.max_missed_s": 60.0}
"""Never trained networks are sure of nothing: with these values they find something in every image. Without smoothing
the same image gives the same boxes."""


class Camera:
    """One camera of the test: publishes images and keeps what is said of them."""

    def __init__(self, node: Any, name: str) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image, PointCloud2
        from vision_msgs.msg import Detection2DArray

        self.node, self.name, self.frame_id = node, name, f"{name}_optical"
        self.answers: dict[tuple[int, int], Any] = {}
        self.clouds: dict[tuple[int, int], Any] = {}
        self.diagnostics: list[dict[str, str]] = []
        topic, client = f"/{node.namespace}/{name}", node.client
        self.publisher = client.create_publisher(Image, f"{topic}/image", qos_profile_sensor_data)
        self.entities = [
            client.create_subscription(Detection2DArray, f"{topic}/detections", self._keep(self.answers), 100),
            client.create_subscription(PointCloud2, f"{topic}/landmarks", self._keep(self.clouds), 100),
            client.create_subscription(DiagnosticArray, "/diagnostics", self._keep_diagnostics, 100)]

    @staticmethod
    def _keep(where: dict[tuple[int, int], Any]) -> Callable[[Any], None]:
        return lambda m: where.update({(m.header.stamp.sec, m.header.stamp.nanosec): m})

    def _keep_diagnostics(self, message: Any) -> None:
        from thermal_kd_ros.nodes.diagnostics import values_from_message

        values = values_from_message(message, f"{self.node.namespace}/perception_node: perception {self.name}")
        if values is not None:
            self.diagnostics.append(values)

    def send(self, pixels: np.ndarray) -> tuple[int, int]:
        message = self.node.image(pixels)
        message.header.frame_id = self.frame_id
        self.publisher.publish(message)
        return message.header.stamp.sec, message.header.stamp.nanosec

    def ask(self, pixels: np.ndarray) -> tuple[Any, Any]:
        """The answer to a frame, which is sent again where best effort loses it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            key, until = self.send(pixels), time.monotonic() + 2
            while time.monotonic() < until:
                if key in self.answers and key in self.clouds:
                    return self.answers[key], self.clouds[key]
                time.sleep(0.005)
        pytest.fail(f"no answer to {self.name}:\n{self.node.log()[-2000:]}")

    def report(self, condition: Callable[[dict[str, str]], bool] = lambda values: True) -> dict[str, str]:
        deadline, seen = time.monotonic() + 30, len(self.diagnostics)
        while time.monotonic() < deadline:
            found = next((values for values in self.diagnostics[seen:] if condition(values)), None)
            if found is not None:
                return found
            time.sleep(0.01)
        pytest.fail(f"no such diagnostics of {self.name}; {self.diagnostics[-1:]}")

    def close(self) -> None:
        self.node.client.destroy_publisher(self.publisher)
        for entity in self.entities:
            self.node.client.destroy_subscription(entity)


@pytest.fixture(scope="module")
def cameras(start: Callable[[dict[str, Any]], Any], models: dict[str, str]) -> Iterator[list[Camera]]:
    node = start({**models, **EVERYTHING, "cameras": list(CAMERAS), "max_batch": 3})
    made = [Camera(node, name) for name in CAMERAS]
    node.wait_log("]: active")
    yield made
    for camera in made:
        camera.close()


def test_each_camera_is_answered_on_its_own_topics(cameras: list[Camera], scene: Callable[..., np.ndarray]) -> None:
    shapes = ((256, 320), (128, 160), (200, 200))
    for camera, shape in zip(cameras, shapes, strict=True):
        detections, cloud = camera.ask(scene(shape))
        assert detections.header.frame_id == cloud.header.frame_id == camera.frame_id
        assert len(detections.detections) > 0 and cloud.height > 0
        for detection in detections.detections:
            assert detection.bbox.center.position.x + detection.bbox.size_x / 2 <= shape[1] + 1e-3
            assert detection.bbox.center.position.y + detection.bbox.size_y / 2 <= shape[0] + 1e-3
    for camera in cameras:
        assert {m.header.frame_id for m in (*camera.answers.values(), *camera.clouds.values())} == {camera.frame_id}


def test_a_camera_among_others_is_answered_as_if_alone(cameras: list[Camera], scene: Callable[..., np.ndarray],
                                                       start: Callable[[dict[str, Any]], Any], models: dict[str, str]
                                                       ) -> None:
    alone = start({**models, **EVERYTHING})
    cameras[0].node.set_ok(batch_window_ms=200.0)
    alone.wait_answering(alone.image(scene()))
    images = [scene(seed=seed) for seed in (3, 4, 5)]
    keys = [camera.send(image) for camera, image in zip(cameras, images, strict=True)]
    deadline = time.monotonic() + 30
    while any(key not in camera.answers for camera, key in zip(cameras, keys, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for camera, key, image in zip(cameras, keys, images, strict=True):
        wanted, _ = alone.ask(alone.image(image))
        got = camera.answers[key]
        assert [d.results[0].hypothesis.class_id for d in got.detections] == [
            d.results[0].hypothesis.class_id for d in wanted.detections]
        boxes = [[(d.bbox.center.position.x, d.bbox.center.position.y, d.bbox.size_x, d.bbox.size_y)
                  for d in message.detections] for message in (got, wanted)]
        np.testing.assert_allclose(*boxes, atol=0.05)
    cameras[0].node.set_ok(batch_window_ms=0.0)
    alone.close()


def test_tracks_are_kept_apart(cameras: list[Camera], scene: Callable[..., np.ndarray]) -> None:
    before = {d.id for d in cameras[0].ask(scene(seed=1))[0].detections}
    for seed in (20, 21):
        cameras[1].ask(scene(seed=seed))
    again = {d.id for d in cameras[0].ask(scene(seed=1))[0].detections}
    assert before and again == before, "another camera's frames must not disturb a camera's tracks"


def test_diagnostics_are_told_of_each_camera(cameras: list[Camera], scene: Callable[..., np.ndarray]) -> None:
    cameras[0].ask(scene((256, 320)))
    before = [int(camera.report()["frames received"]) for camera in cameras]
    cameras[0].ask(scene((256, 320), seed=8))
    cameras[0].report(lambda d: int(d["frames received"]) > before[0])
    assert [int(camera.report()["frames received"]) for camera in cameras[1:]] == before[1:]
    cameras[2].ask(scene((200, 200), seed=8))
    assert cameras[2].report()["input"] == "200 x 200 mono16"
    assert cameras[0].report()["input"] == "320 x 256 mono16"


def test_a_bad_image_of_one_camera_costs_the_others_nothing(cameras: list[Camera], scene: Callable[..., np.ndarray]
                                                            ) -> None:
    before = [int(camera.report()["dropped bad"]) for camera in cameras]
    message = cameras[0].node.image(scene())
    message.encoding = "yuv422"
    cameras[0].publisher.publish(message)
    cameras[1].ask(scene(seed=6))
    cameras[0].report(lambda d: int(d["dropped bad"]) == before[0] + 1)
    assert [int(camera.report()["dropped bad"]) for camera in cameras[1:]] == before[1:]
    assert f"/{cameras[0].node.namespace}/front/image: a frame is dropped" in cameras[0].node.log()


@pytest.mark.parametrize("most", [1, 3])
def test_no_camera_starves_while_another_floods(cameras: list[Camera], scene: Callable[..., np.ndarray], most: int
                                                ) -> None:
    cameras[0].node.set_ok(max_batch=most)
    for camera in cameras:
        camera.ask(scene(seed=2))
    flooding = threading.Event()
    image = scene()

    def flood() -> None:
        while not flooding.is_set():
            cameras[0].send(image)
            time.sleep(0.003)

    before = int(cameras[0].report()["dropped superseded"])
    thread = threading.Thread(target=flood)
    thread.start()
    turns: list[int] = []
    try:
        for i in range(6):
            for camera in cameras[1:]:
                answered = len(cameras[0].answers)
                key, until = camera.send(scene((128, 160), seed=i)), time.monotonic() + 5
                while key not in camera.answers and time.monotonic() < until:
                    time.sleep(0.001)
                # One that was lost on the way, as best effort may, says nothing about the node.
                turns += [len(cameras[0].answers) - answered] if key in camera.answers else []
    finally:
        flooding.set()
        thread.join()
    assert int(cameras[0].report()["dropped superseded"]) > before + 10, "the first camera did not flood the node"
    # At most the frame in work and the one that waited before are answered first; and one more while the answer comes.
    assert len(turns) >= 6 and max(turns) <= 3, turns


def test_one_map_of_bad_pixels_is_not_taken_for_several_cameras(program: Callable[..., Any]) -> None:
    process = program("thermal_kd_ros.nodes.perception", "--ros-args", "-p", "cameras:=[front, rear]", "-p",
                      "correction.bad_pixel_map:=bad.npy")
    said = process.wait_log("cannot be configured")
    assert "correction.bad_pixel_map is the map of one camera, and there are front, rear" in said
    assert process.stop() == 0


def test_wrong_names_are_refused(program: Callable[..., Any]) -> None:
    process = program("thermal_kd_ros.nodes.perception", "--ros-args", "-p", "cameras:=[front, front]")
    assert process.popen.wait(60) == 1
    assert "'front' more than once" in process.log() and "Traceback" not in process.log()
