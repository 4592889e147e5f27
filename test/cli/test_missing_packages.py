"""A package that is not installed: what is told of it, by every door that needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thermal_kd_ros.packages import not_installed

WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
"""
COMMAND = WITHOUT + "from thermal_kd_ros.__main__ import main\nsys.exit(main(sys.argv[2:]))"


def run(program: str, missing: str, *arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, missing, *arguments], cwd=root, capture_output=True,
                          text=True, timeout=120)


@pytest.mark.parametrize(("missing", "package", "arguments"), [
    ("safetensors", "safetensors", ("models",)),
    ("safetensors", "safetensors", ("detect", "README.md", "--json", "build/never.json")),
    ("cv2", "opencv-python-headless", ("detect", "README.md", "--json", "build/never.json")),
    ("numpy", "numpy", ("models",)),
    ("cv2", "opencv-python-headless", ("inspect", "README.md")),
])
def test_a_command_names_it_and_how_to_get_it(repository: Path, missing: str, package: str, arguments: tuple[str, ...]
                                              ) -> None:
    done = run(COMMAND, missing, *arguments, root=repository)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"{missing} is not installed; install it with: python3 -m pip install {package} " in done.stderr


@pytest.mark.ros
def test_the_node_names_it_and_what_to_do_then(repository: Path) -> None:
    pytest.importorskip("vision_msgs")
    program = WITHOUT + """
import rclpy
from thermal_kd_ros.nodes.perception import PerceptionNode

rclpy.init(args=["--ros-args", "-p", "auto_start:=false"])
node = PerceptionNode()
print(node.trigger_configure())
node.destroy_node()
rclpy.shutdown()
"""
    done = run(program, "safetensors", root=repository)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in said
    line = next(line for line in said.splitlines() if "cannot be configured" in line)
    assert "python3 -m pip install safetensors" in line
    assert line.index("configure, then") < line.index("activate")


def test_a_module_of_our_own_is_no_package_to_install() -> None:
    error = ModuleNotFoundError("No module named 'thermal_kd_ros.nowhere'", name="thermal_kd_ros.nowhere")
    with pytest.raises(ModuleNotFoundError):
        not_installed(error)


def test_a_package_that_is_broken_is_not_called_missing() -> None:
    text = not_installed(ImportError("libGL.so.1: cannot open shared object file", name="cv2"))
    assert "libGL.so.1" in text and "not installed" not in text
