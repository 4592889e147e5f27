"""The launch files as ``ros2 launch`` runs them, from a built workspace; where launch is not installed, these skip."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("launch")
pytest.importorskip("launch_ros")
pytestmark = [pytest.mark.ros, pytest.mark.slow]

PATIENCE_S = 90.0
PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
file, *words = sys.argv[1:]
service = LaunchService(argv=words)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(file), launch_arguments=[word.split(":=", 1) for word in words])]))
sys.exit(service.run())
"""

MANAGED = """
from launch import LaunchDescription
from launch.actions import EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def generate_launch_description():
    node = LifecycleNode(package="thermal_kd_ros", executable="perception_node", name="perception_node",
                         namespace="NAMESPACE", parameters=[{"auto_start": False}], output="screen")
    ask = {transition: EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node),
                                                   transition_id=transition))
           for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)}
    then = OnStateTransition(target_lifecycle_node=node, goal_state="inactive",
                             entities=[ask[Transition.TRANSITION_ACTIVATE]])
    return LaunchDescription([RegisterEventHandler(then), node, ask[Transition.TRANSITION_CONFIGURE]])
"""


class Launch:
    """A launch file at work."""

    def __init__(self, workspace: Path, folder: Path, file: str, *words: str) -> None:
        """``file`` is one of the package or a path; ``words`` are arguments such as ``rviz:=true``."""
        self._log = folder / "output.txt"
        install = workspace / "install"
        path = install / "thermal_kd_ros" / "share" / "thermal_kd_ros" / "launch" / file
        with self._log.open("w") as output:
            self.process = subprocess.Popen(
                ["bash", "-c", 'source "$0" && exec "$@"', str(install / "setup.bash"), sys.executable, "-c", PROGRAM,
                 str(path), *words], cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def output(self) -> str:
        """All that was said so far, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self._log.read_text())

    def wait_for(self, words: str) -> str:
        """The output, as soon as ``words`` are in it."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.output:
            assert self.process.poll() is None and time.monotonic() < deadline, f"no {words!r} in:\n{self.output}"
            time.sleep(0.1)
        return self.output

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def running(self) -> list[int]:
        """Processes of this launch that are still there."""
        found = subprocess.run(["ps", "-s", str(self.process.pid), "-o", "pid="], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    def kill(self) -> None:
        """Leave nothing behind."""
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def launch(workspace: Path, tmp_path: Path) -> Iterator[Callable[..., Launch]]:
    """Starts a launch file, given its name and arguments."""
    with ExitStack() as begun:
        def start(file: str, *words: str) -> Launch:
            launched = Launch(workspace, tmp_path, file, *words)
            begun.callback(launched.kill)
            return launched

        yield start


def test_the_demo_shows_detections_and_ends_with_ctrl_c(launch: Callable[..., Launch]) -> None:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from vision_msgs.msg import Detection2DArray

    space = f"demo_{os.getpid()}"
    demo = launch("demo.launch.py", "rate_hz:=5", f"namespace:={space}", "scene:=street_night", "width:=320",
                  "height:=256")
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("launch_test", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    found: list[Detection2DArray] = []
    node.create_subscription(Detection2DArray, f"/{space}/detections", found.append, qos_profile_sensor_data)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not any(message.detections for message in found):
            assert demo.process.poll() is None and time.monotonic() < deadline, demo.output
            executor.spin_once(0.1)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert "320 x 256, centikelvin, 5 Hz" in demo.output
    assert demo.interrupt() == 0 and demo.output.count("process has finished cleanly") == 2, demo.output


def test_a_demo_without_its_camera_ends(launch: Callable[..., Launch]) -> None:
    demo = launch("demo.launch.py", "unit:=kelvin", f"namespace:=demo_{os.getpid()}", "scnee:=yard")
    demo.wait_for("scnee:= is no argument of demo.launch.py: is scene:= meant?")
    demo.wait_for("unknown unit 'kelvin'; known: centikelvin")
    demo.process.wait(PATIENCE_S)
    assert not demo.running() and "[perception_node-1]: process has finished cleanly" in demo.output, demo.output


def test_several_cameras_are_read_from_their_topics(launch: Callable[..., Launch]) -> None:
    perception = launch("perception.launch.py", "cameras:=front,rear", "image:=/{camera}/raw", "use_sim_time:=true",
                        f"namespace:=several_{os.getpid()}", "model:=detector_small", "imgae:=/other", "mine:=1")
    line = next(line for line in perception.wait_for("reads ").splitlines() if "reads " in line)
    assert line.endswith("reads /front/raw, /rear/raw") and "detector_small" in line
    said = [line for line in perception.output.splitlines() if "is no argument" in line]
    assert len(said) == 1 and "imgae:= is no argument of perception.launch.py: is image:= meant?" in said[0]
    assert perception.interrupt() == 0


def test_a_launch_file_of_one_s_own_manages_its_states(launch: Callable[..., Launch], tmp_path: Path) -> None:
    own = tmp_path / "own.launch.py"
    own.write_text(MANAGED.replace("NAMESPACE", f"managed_{os.getpid()}"))
    managed = launch(str(own))
    managed.wait_for("]: active")
    assert managed.interrupt() == 0 and managed.output.count("process has finished cleanly") == 1, managed.output


@pytest.mark.parametrize(("file", "words", "said"), [
    ("perception.launch.py", ["params_file:=/nowhere.yaml"], "params_file:=/nowhere.yaml: there is no such file"),
    ("perception.launch.py", ["rviz:=maybe"], "rviz:=maybe: give true or false"),
    ("perception.launch.py", ["use_sim_time:=2"], "use_sim_time:=2: give true or false"),
    ("perception.launch.py", ["cameras:=a,b", "image:=/raw"], "image:=/raw is one topic for all of a, b"),
    ("demo.launch.py", ["width:=wide"], "width:=wide: give a whole number"),
    ("demo.launch.py", ["rviz:=maybe"], "rviz:=maybe: give true or false")])
def test_what_cannot_be_started_is_told_and_nothing_runs_on(launch: Callable[..., Launch], file: str, words: list[str],
                                                            said: str) -> None:
    """launch leaves a node alone that it has started before an error: none must have been."""
    refused = launch(file, *words)
    assert refused.process.wait(PATIENCE_S) == 1
    assert said in refused.output and "process started" not in refused.output, refused.output
    assert not refused.running()


def test_rviz_that_is_not_installed_is_told_before_anything_runs(launch: Callable[..., Launch]) -> None:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        refused = launch("perception.launch.py", "rviz:=true")
        assert refused.process.wait(PATIENCE_S) == 1 and "install the package rviz2" in refused.output
        assert "process started" not in refused.output and not refused.running()
    else:
        pytest.skip("RViz is installed")
