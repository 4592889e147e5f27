"""A robot without PyTorch: what runs there is run in a process in which torch cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_kd_ros.simulation.random_frames import random_scene_frame

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
"""
SEEDS = (900_000, 900_004)


def run_blocked(program: str, *arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED + program, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for seed in SEEDS:
        cv2.imwrite(str(folder / f"{seed}.png"), random_scene_frame(seed).image)
    return folder


def detect(images: Path, output: Path, backend: str, root: Path, blocked: bool) -> list[dict]:
    program = "from thermal_kd_ros.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    arguments = ("detect", str(images), "--json", str(output), "--score", "0.1", "--device", "cpu", "--set",
                 f"engine.backend={backend}", "--set", "engine.precision=fp32")
    done = run_blocked(program if blocked else "sys.meta_path.pop(0)\n" + program, *arguments, root=root)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text())["images"]


def test_the_blocker_blocks(repository: Path) -> None:
    done = run_blocked("import torch", root=repository)
    assert done.returncode == 1 and "No module named 'torch'" in done.stderr


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_detections_are_those_of_torch(backend: str, images: Path, tmp_path: Path, repository: Path,
                                       with_torch: list[dict]) -> None:
    pytest.importorskip(backend)
    found = detect(images, tmp_path / "out.json", backend, repository, blocked=True)
    for mine, theirs in zip(found, with_torch, strict=True):
        for kind in ("detections", "faces"):
            assert len(mine[kind]) == len(theirs[kind])
            for a, b in zip(mine[kind], theirs[kind], strict=True):
                assert a.get("class") == b.get("class")
                assert a["score"] == pytest.approx(b["score"], abs=1e-4)
                np.testing.assert_allclose(a["box"], b["box"], atol=0.03)
                np.testing.assert_allclose(a.get("landmarks", 0), b.get("landmarks", 0), atol=0.03)


@pytest.fixture(scope="module")
def with_torch(images: Path, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> list[dict]:
    pytest.importorskip("torch")
    found = detect(images, tmp_path_factory.mktemp("torch") / "out.json", "torch", repository, blocked=False)
    assert sum(len(image["detections"]) for image in found) >= 3 and sum(len(image["faces"]) for image in found) >= 1
    return found


def test_asking_for_torch_says_how_to_install_it(images: Path, tmp_path: Path, repository: Path) -> None:
    program = "from thermal_kd_ros.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    done = run_blocked(program, "detect", str(images), "--json", str(tmp_path / "out.json"), "--set",
                       "engine.backend=torch", root=repository)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "torch is not installed; install it with: python3 -m pip install torch torchvision" in done.stderr
    done = run_blocked(program, "export", "detector_nano", "--output", str(tmp_path / "x.onnx"), root=repository)
    assert done.returncode == 1 and "exporting needs PyTorch; install it with" in done.stderr


@pytest.mark.ros
def test_the_node_and_the_demo_import(repository: Path) -> None:
    program = ("import thermal_kd_ros.nodes.perception, thermal_kd_ros.nodes.simulated_camera\n"
               "import thermal_kd_ros.demo.run\n"
               "import thermal_kd_ros.evaluation.bags, thermal_kd_ros.cli.inspect, thermal_kd_ros.inspection\n"
               "print('torch' in sys.modules)")
    done = run_blocked(program, root=repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
