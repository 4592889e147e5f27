"""What the node says, and how it goes on, when models or transport are not right."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

QUIET = {"max_age_s": 0.0, "diagnostics_period_s": 0.2, "silence_warning_s": 0.6}


@pytest.fixture(scope="module")
def node(start: Callable[[dict[str, Any]], Any], models: dict[str, str]) -> Any:
    return start({**models, **QUIET, "detector.model": "/nowhere/detector.safetensors"})


def mislaid(kind: str, models: dict[str, str], folder: Path) -> tuple[str, str, str]:
    """A parameter, a value that cannot work, and what is said of it."""
    from thermal_kd_ros.models.checkpoint import read, write

    if kind == "missing":
        return "detector__model", "/nowhere/detector.safetensors", "neither a shipped model"
    if kind == "corrupt":
        path = folder / "corrupt.safetensors"
        path.write_bytes(Path(models["detector.model"]).read_bytes()[:5000])
        return "detector__model", str(path), "fetch it again"
    if kind == "no map":
        return "correction__bad_pixel_map", "/nowhere/bad.npy", "cannot be read"
    if kind == "wrong task":
        return "face__landmark_model", models["detector.model"], "is a model for detection"
    import dataclasses

    path = folder / "layout.safetensors"
    card, weights = read(Path(models["face.landmark_model"]))
    write(path, dataclasses.replace(card, layout="ibug68"), weights)
    return "face__landmark_model", str(path), "ibug68"


@pytest.mark.parametrize("kind", ["missing", "corrupt", "wrong task", "wrong layout", "no map"])
def test_a_wrong_model_is_named_and_the_node_lives(node: Any, models: dict[str, str], kind: str, tmp_path: Path
                                                   ) -> None:
    name, value, said = mislaid(kind, models, tmp_path)
    node.set_ok(**{"detector__model": models["detector.model"], name: value})
    assert not node.change_state("configure")
    assert node.state() == "unconfigured"
    log = node.log().splitlines()
    line = next(line for line in reversed(log) if "cannot be configured" in line)
    assert said in line and value in line and "ros2 lifecycle set" in line
    assert "Traceback" not in node.log()
    assert said in node.report(lambda d: d["level"] == "2" and said in d["message"])["message"]
    node.set_ok(face__landmark_model=models["face.landmark_model"], correction__bad_pixel_map="")


def test_a_map_of_another_camera_drops_its_frames_with_one_sentence(
        node: Any, models: dict[str, str], scene: Callable[..., np.ndarray], tmp_path: Path) -> None:
    bad = np.zeros((256, 320), bool)
    bad[::40, ::40] = True
    np.save(tmp_path / "bad.npy", bad)
    node.set_ok(detector__model=models["detector.model"], correction__bad_pixel_map=str(tmp_path / "bad.npy"))
    assert node.change_state("configure") and node.change_state("activate")
    node.wait_answering(node.image(scene()))
    assert node.report()["bad pixels"] == str(bad.sum())
    before = int(node.report()["dropped bad"])
    node.publish(node.image(scene((120, 160))))
    assert node.report(lambda d: int(d["dropped bad"]) > before)["dropped failed"] == "0"
    assert "correction.bad_pixel_map 320 x 256" in node.wait_log("a frame is dropped")
    assert "Traceback" not in node.log()
    assert node.change_state("deactivate") and node.change_state("cleanup")
    node.set_ok(correction__bad_pixel_map="")


def test_with_the_right_model_it_works_again(node: Any, models: dict[str, str], scene: Callable[..., np.ndarray]
                                             ) -> None:
    node.set_ok(detector__model=models["detector.model"])
    assert node.change_state("configure") and node.change_state("activate")
    node.wait_answering(node.image(scene()))
    assert node.report(lambda d: d["state"] == "active" and d["level"] == "0")


def test_a_transition_that_cannot_be_is_refused_and_the_node_lives(node: Any) -> None:
    assert node.state() == "active"
    for transition in ("configure", "activate", "cleanup"):
        assert not node.change_state(transition)
    assert node.state() == "active" and node.popen.poll() is None


def publish_until_well(node: Any, scene: Callable[..., np.ndarray]) -> None:
    """Send frames until the diagnostics are content; a busy machine may look at them long after a single frame."""
    while node.report()["level"] != "0":
        node.publish(node.image(scene()))


def test_nobody_publishing_is_said_once(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    client.destroy_publisher(node._publisher)
    node.report(lambda d: "nobody publishes" in d["message"])
    node.report()
    assert node.log().count(f"nobody publishes on /{node.namespace}/image") == 1
    node._publisher = client.create_publisher(Image, f"/{node.namespace}/image", qos_profile_sensor_data)
    values = node.report(lambda d: "no frame came" in d["message"])
    assert "fastdds.xml" in values["message"] and values["level"] == "1"
    node.wait_answering(node.image(scene()))
    publish_until_well(node, scene)


def test_a_camera_that_stops_after_stale_frames_is_called_silent(node: Any, scene: Callable[..., np.ndarray]) -> None:
    node.set_ok(max_age_s=0.5)
    for _ in range(20):
        node.publish(node.image(scene(), age_s=60.0))
        time.sleep(0.05)
    node.report(lambda d: "in a row are older" in d["message"])
    node.report(lambda d: "no frame came" in d["message"] and "in a row are older" not in d["message"])
    node.set_ok(max_age_s=0.0)
    node.ask(node.image(scene()))


LOSSY_CAMERA = """
import array, sys, time
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("lossy_camera")
publisher = node.create_publisher(Image, sys.argv[1], qos_profile_sensor_data)
message = Image(height=512, width=640, encoding="mono16", step=1280)
message.data = array.array("B", bytes(655360))
while True:
    publisher.publish(message)
    time.sleep(1 / 30)
"""


def test_frames_lost_by_the_default_transport_are_noticed(node: Any, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    if os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp":
        pytest.skip("the trap is Fast DDS's")
    file = tmp_path / "lossy_camera.py"
    file.write_text(LOSSY_CAMERA)
    environment = {k: v for k, v in os.environ.items() if not k.endswith("DEFAULT_PROFILES_FILE")}
    camera = subprocess.Popen([sys.executable, str(file), f"/{node.namespace}/image"], env=environment)
    try:
        values = node.report(lambda d: "were lost on the way" in d["message"])
        assert "FASTDDS_DEFAULT_PROFILES_FILE=" in values["message"] and "reliable_input" in values["message"]
        assert int(values["lost on the way"]) > 4
        assert "were lost on the way" in node.log()
    finally:
        camera.kill()
        camera.wait()


def test_a_publisher_that_does_not_fit_is_named(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    assert node.change_state("deactivate") and node.change_state("cleanup")
    node.set_ok(reliable_input=True)
    assert node.change_state("configure") and node.change_state("activate")
    values = node.report(lambda d: d["level"] == "2")
    assert "RELIABILITY" in values["message"] and "reliable_input to false" in values["message"]
    client.destroy_publisher(node._publisher)
    node._publisher = client.create_publisher(Image, f"/{node.namespace}/image", 10)
    publish_until_well(node, scene)
    # The driver is started again in the old way, after frames of it have come.
    client.destroy_publisher(node._publisher)
    node._publisher = client.create_publisher(Image, f"/{node.namespace}/image", qos_profile_sensor_data)
    assert "RELIABILITY" in node.report(lambda d: d["level"] == "2")["message"]
    assert node.change_state("deactivate") and node.change_state("cleanup")
    node.set_ok(reliable_input=False)
    assert node.change_state("configure") and node.change_state("activate")
    node.wait_answering(node.image(scene()))


def test_a_frame_that_waited_for_its_turn_is_not_stale(own_node: Any) -> None:
    from rclpy.lifecycle import LifecycleNode
    from sensor_msgs.msg import Image

    from thermal_kd_ros.config import NodeConfig, PerceptionConfig
    from thermal_kd_ros.nodes.camera import Arrival, Camera
    from thermal_kd_ros.nodes.ros4hri import HumanFaces

    node = LifecycleNode("waiting", context=own_node("beside").context)
    try:
        options, config = NodeConfig(max_age_s=0.5), PerceptionConfig()
        camera = Camera(node, "", options, config, HumanFaces(node), lambda *_: None)
        for waited, answered in ((0.0, False), (2.0, True)):
            message = Image(height=8, width=8, encoding="mono8", step=8, data=bytes(range(64)))
            now = node.get_clock().now().nanoseconds - 2_000_000_000
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 1_000_000_000)
            job = camera.read(Arrival(message, time.monotonic() - waited), options, config)
            assert (job is not None) == answered
        assert camera.statistics.snapshot().dropped["stale"] == 1
        camera.destroy()
    finally:
        node.destroy_node()


def test_what_rclpy_raises_at_a_transition_stays_in_the_node(monkeypatch: pytest.MonkeyPatch, own_node: Any) -> None:
    """As rclpy of Humble and Jazzy does; Kilted's answers by itself."""
    from lifecycle_msgs.srv import ChangeState

    from thermal_kd_ros.nodes.perception import PerceptionNode

    said: list[str] = []
    logger = own_node("beside").get_logger()
    monkeypatch.setattr(logger, "error", said.append)
    monkeypatch.setattr(PerceptionNode, "get_logger", lambda self: logger)
    there = PerceptionNode.__new__(PerceptionNode)

    def refuse(request: Any, response: Any) -> Any:
        raise RuntimeError("Transition is not registered.")

    there._change_state = refuse
    request = ChangeState.Request()
    request.transition.id = 1
    assert there._on_change_state(request, ChangeState.Response(success=True)).success is False
    assert len(said) == 1 and "number 1 is none of the present state" in said[0]


def test_a_lost_gpu_does_not_keep_the_node_from_cleaning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    import rclpy
    from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

    from thermal_kd_ros.nodes.perception import PerceptionNode

    def lost() -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "empty_cache", lost)
    started = not rclpy.ok()  # the other tests' node shares this process's context
    if started:
        rclpy.init()
    try:
        node = PerceptionNode()
        assert node.on_cleanup(LifecycleState("inactive", 2)) == TransitionCallbackReturn.SUCCESS
        node.destroy_node()
    finally:
        if started:
            rclpy.shutdown()


def test_networks_that_come_late_are_loaded_and_run_before_frames_wait_for_them(
        monkeypatch: pytest.MonkeyPatch, models: dict[str, str]) -> None:
    import rclpy
    from rclpy.lifecycle import TransitionCallbackReturn
    from rclpy.parameter import Parameter

    from thermal_kd_ros import networks
    from thermal_kd_ros.nodes.perception import PerceptionNode

    started = not rclpy.ok()  # the other tests' node shares this process's context
    if started:
        rclpy.init()
    node = None
    try:
        node = PerceptionNode("loading")
        given = {**models, "engine.device": "cpu", "face.enabled": False, "max_batch": 1,
                 "cameras": ["front", "rear", "left", "right"]}
        node.set_parameters([Parameter(name, value=value) for name, value in given.items()])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        pipeline, loaded = node._pipeline, []
        load = networks.load_engine

        def watched(model: str, *given: Any) -> Any:
            assert not node._pipeline_lock.locked(), "frames would wait"
            loaded.append(model)
            return load(model, *given)

        monkeypatch.setattr(networks, "load_engine", watched)
        (result,) = node.set_parameters([Parameter("face.enabled", value=True)])
        assert result.successful and len(loaded) == 2 and pipeline.networks.landmarker is not None
        batches: set[tuple[str, int]] = set()
        finder = type(pipeline.networks.face_detector.engine)
        run = finder.run
        monkeypatch.setattr(finder, "run",
                            lambda self, batch: (batches.add((self.card.name, len(batch))), run(self, batch))[1])
        (result,) = node.set_parameters([Parameter("max_batch", value=2)])
        wanted = {("objects", 2), ("faces", 2), ("landmarks", 32)}
        assert result.successful and batches == wanted, "the first batch would wait"

        def broken(self: Any, batch: Any) -> Any:
            raise MemoryError("no room")

        monkeypatch.setattr(finder, "run", broken)
        (result,) = node.set_parameters([Parameter("max_batch", value=4)])
        assert not result.successful and "MemoryError: no room" in result.reason and node._options.max_batch == 2
    finally:
        if node is not None:
            node.on_cleanup(None)
            node.destroy_node()
        if started:
            rclpy.shutdown()


def test_a_node_that_is_shut_down_says_so(node: Any) -> None:
    assert node.change_state("shutdown") and node.state() == "finalized"
    assert node.report(lambda d: d["state"] != "active")["state"] == "finalized"


def test_it_ends_quietly_on_termination(node: Any) -> None:
    assert node.stop(signal.SIGTERM) == 0
    assert "Traceback" not in node.log()


def test_signals_that_come_while_it_ends_change_nothing(program: Callable[..., Any], models: dict[str, str]) -> None:
    """The terminal, ros2 launch and systemd may all ask for the end, and Python meets signals by default as it ends."""
    given = [part for name, value in models.items() for part in ("-p", f"{name}:={value}")]
    process = program("thermal_kd_ros.nodes.perception", "--ros-args", *given)
    process.wait_log("]: active")
    process.popen.send_signal(signal.SIGINT)
    deadline = time.monotonic() + 60
    while process.popen.poll() is None and time.monotonic() < deadline:
        for by in (signal.SIGINT, signal.SIGTERM):
            process.popen.send_signal(by)
        time.sleep(0.0005)
    assert process.popen.poll() == 0, process.log()
    assert "Traceback" not in process.log()


def test_topics_that_cannot_be_opened_are_named_and_none_stays_open(
        start: Callable[[dict[str, Any]], Any], models: dict[str, str], client: Any, eventually: Callable[..., Any]
) -> None:
    node = start({**models, **QUIET, "cameras": ["front", "b" * 250]})
    line = next(line for line in node.wait_log("cannot be configured").splitlines() if "cannot be configured" in line)
    assert "bbb" in line and "topic length should not exceed" in line and "ros2 lifecycle set" in line
    assert "Traceback" not in node.log()
    assert "topics of camera" in node.report(lambda d: d["level"] == "2")["message"]
    eventually(lambda: not [topic for topic, _ in client.get_topic_names_and_types()
                            if f"{node.namespace}/front/" in topic], "no topic of the camera")
    node.set_ok(cameras=["front"])
    assert node.change_state("configure") and node.report(lambda d: d["level"] == "0")["state"] == "inactive"
    eventually(lambda: client.count_subscribers(f"/{node.namespace}/front/image") == 1, "the topic of the camera")
    node.stop()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_while_it_loads(program: Callable[..., Any], models: dict[str, str], by: signal.Signals
                                        ) -> None:
    given = [part for name, value in models.items() for part in ("-p", f"{name}:={value}")]
    process = program("thermal_kd_ros.nodes.perception", "--ros-args", *given)
    process.wait_log("loading the models")
    assert process.stop(by) == 0
    assert "Traceback" not in process.log() and "rror" not in process.log()


@pytest.mark.parametrize(("module", "arguments", "named"), [
    ("thermal_kd_ros", "node -r image:=/cam -p detector.model:=nosuch", "-r -p detector.model:=nosuch"),
    ("thermal_kd_ros.nodes.perception", "--bogus", "--bogus"),
    ("thermal_kd_ros.nodes.perception", "--ros-args -r image:=/cam -- foo", "foo"),
    ("thermal_kd_ros.nodes.simulated_camera", "--bogus", "--bogus"),
])
def test_arguments_that_are_not_of_ros_are_refused(program: Callable[..., Any], module: str, arguments: str, named: str
                                                   ) -> None:
    process = program(module, *arguments.split())
    assert process.popen.wait(60) == 1
    assert f"]: {named}: the node takes" in process.log() and "after --ros-args" in process.log()
    assert "active" not in process.log() and "Traceback" not in process.log()


@pytest.mark.parametrize(("parameter", "value", "said"), [
    ("detector.score_threshold", "1.5", "detector.score_threshold"),
    ("face.max_faces", "many", "face.max_faces"),
    ("thermal.input_mode", "fahrenheit", "one of auto"),
])
def test_a_wrong_start_value_ends_the_program_with_one_sentence(program: Callable[..., Any], parameter: str, value: str,
                                                                said: str) -> None:
    process = program("thermal_kd_ros.nodes.perception", "--ros-args", "-p", f"{parameter}:={value}")
    assert process.popen.wait(60) == 1
    assert said in process.log() and "Traceback" not in process.log()
