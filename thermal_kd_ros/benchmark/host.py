"""What a measurement was made with: machine, versions, models. No names or paths of the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import PerceptionConfig
from ..engines.cuda import find_gpus
from ..models.card import ModelError
from ..models.checkpoint import ONNX, resolve

_PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "torch", "onnxruntime", "onnxruntime-gpu", "openvino",
             "rclpy")


def describe_host() -> dict[str, Any]:
    """Processor, memory, GPUs and versions."""
    return {"cpu": _cpu_name(), "cores": len(os.sched_getaffinity(0)), "memory_gib": _memory_gib(),
            "gpus": [gpu.name for gpu in find_gpus()], "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "ros_distro": os.environ.get("ROS_DISTRO", ""),
            "load_before": round(os.getloadavg()[0], 2)}


def describe_versions() -> dict[str, str]:
    """This package and the libraries that are installed of those that count."""
    found = {"thermal_kd_ros": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe_models(config: PerceptionConfig) -> list[dict[str, str]]:
    """Name and SHA-256 of the model files that a configuration names, as weights and as ONNX."""
    files: dict[str, Path] = {}
    for model in config.models():
        path = resolve(model)
        files[path.name] = path
        try:
            onnx = resolve(model, ONNX)
            files[onnx.name] = onnx
        except ModelError:
            continue
    return [{"file": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in files.items()]


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
