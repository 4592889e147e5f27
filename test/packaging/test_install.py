"""The package as a user gets it: installed by pip, and built by colcon and started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = "thermal_kd_ros"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def source(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git holds or would take in: nothing that merely lies about can make the installation work."""
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    root = tmp_path_factory.mktemp("workspace") / "src" / PACKAGE
    for name in filter(None, listed.split("\0")):
        if (repository / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, root / name)
    return root


def run(command: list[str], cwd: Path) -> str:
    """Run a command that must succeed; returns all that it said."""
    result = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout[-4000:]}"
    return result.stdout


def files_under(root: Path, folder: str) -> set[str]:
    """Files below root/folder, relative to root, without byte code."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_pip_installs_everything(source: Path, tmp_path: Path) -> None:
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


@pytest.fixture(scope="module")
def workspace(source: Path) -> Path:
    """A colcon workspace in which the package was built."""
    pytest.importorskip("colcon_core")
    root = source.parent.parent
    colcon = "import sys; from colcon_core.command import main; sys.exit(main())"
    output = run([sys.executable, "-c", colcon, "build", "--event-handlers", "console_cohesion+"], cwd=root)
    assert "1 package finished" in output
    return root


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
