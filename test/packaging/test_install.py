"""The package as a user gets it: installed by pip, and built by colcon and started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = "thermal_kd_ros"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


def files_under(root: Path, folder: str) -> set[str]:
    """Files below root/folder, relative to root, without byte code."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_pip_installs_everything(source: Path, tmp_path: Path, run: Callable[..., str]) -> None:
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--quiet"]
    run([*pip, "--target", str(target), str(source)], cwd=tmp_path)
    assert files_under(source, PACKAGE) <= files_under(target, PACKAGE), "modules or weights are missing"
    share = target / "share" / PACKAGE
    for folder in ("launch", "config"):
        assert files_under(source, folder) <= files_under(share, folder)
    assert (share / "package.xml").is_file()
    assert (target / "share/ament_index/resource_index/packages" / PACKAGE).is_file()
    program = f"import sys; sys.path.insert(0, {str(target)!r}); import {PACKAGE}; print({PACKAGE}.__file__)"
    assert run([sys.executable, "-c", program], cwd=tmp_path).strip() == str(target / PACKAGE / "__init__.py")


@pytest.mark.ros
@pytest.mark.slow
def test_colcon_builds_only_this_package(workspace: Path) -> None:
    """The interface definitions of the set-up must not shadow a workspace's own vision_msgs."""
    assert [path.name for path in (workspace / "install").iterdir() if path.is_dir()] == [PACKAGE]


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("executable", ["perception_node", "simulated_camera", PACKAGE])
def test_colcon_installs_executables(workspace: Path, executable: str) -> None:
    path = workspace / "install" / PACKAGE / "lib" / PACKAGE / executable
    assert os.access(path, os.X_OK)


@pytest.mark.ros
@pytest.mark.slow
def test_colcon_installs_launch_and_config_files(workspace: Path, source: Path) -> None:
    share = workspace / "install" / PACKAGE / "share" / PACKAGE
    for folder in ("launch", "config"):
        assert files_under(source, folder) <= files_under(share, folder)


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("executable", ["perception_node", "simulated_camera"])
def test_built_node_comes_up_and_stops(workspace: Path, tmp_path: Path, executable: str) -> None:
    """Sourced and started as a user would, from the installed files, and ended with Ctrl-C.

    Its name is its own: a node of another test that was killed stays in the graph for seconds, and this one would be
    interrupted while it still loads.
    """
    name = f"{executable}_{os.getpid()}"
    setup = workspace / "install" / "setup.bash"
    program = workspace / "install" / PACKAGE / "lib" / PACKAGE / executable
    log = tmp_path / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"source '{setup}' && exec '{program}' --ros-args -r __node:={name}"],
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        names = wait_for_node(name, process)
        assert name in names, f"{name} did not appear among {names}:\n{log.read_text()[-4000:]}"
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=STOP_TIMEOUT_S)
        assert status == 0, f"{executable} ended with {status}:\n{log.read_text()[-4000:]}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_for_node(name: str, process: subprocess.Popen) -> list[str]:
    """The nodes in the graph, as soon as `name` is among them, its process has ended or the time is up."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("install_test", context=context)
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while name not in (names := node.get_node_names()):
            if process.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return names
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
