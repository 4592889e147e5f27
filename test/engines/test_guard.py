"""What happens when the device of an engine fails while it runs."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.engines.base import EngineError
from thermal_kd_ros.engines.guard import GuardedEngine
from thermal_kd_ros.models.card import ModelCard

BATCH = np.zeros((1, 1, 8, 8), np.float32)


class Device:
    """Adds a number to what it is given, until it is lost."""

    card = ModelCard("adder", "detection", {}, 8, 8)

    def __init__(self, on_cpu: bool, fails: Exception | None = None) -> None:
        self.on_cpu = on_cpu
        self.fails = fails
        self.warnings = ["slow"] if on_cpu else []

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.fails:
            raise self.fails
        return batch + 1, batch + 2

    def describe(self) -> str:
        return "a CPU" if self.on_cpu else "a GPU"


def test_a_healthy_engine_is_left_alone() -> None:
    engine = GuardedEngine(Device(False), "as set", None)
    assert engine.run(BATCH)[1].max() == 2 and engine.warnings == [] and engine.describe() == "a GPU (as set)"


def test_a_lost_gpu_is_replaced_by_the_cpu_for_good_and_said() -> None:
    gpu, loaded = Device(False), []
    engine = GuardedEngine(gpu, "as set", lambda: loaded.append(1) or Device(True))
    engine.run(BATCH)
    gpu.fails = RuntimeError("CUDA error: out of memory\nsecond line")
    for _ in range(2):
        assert engine.run(BATCH)[0].max() == 1
    assert len(loaded) == 1 and engine.on_cpu
    assert engine.describe() == "a CPU (after a failure of a GPU)"
    (slow, failure) = engine.warnings
    assert slow == "slow" and "out of memory" in failure and "second line" not in failure and "on the CPU" in failure


def test_without_leave_to_use_the_cpu_the_failure_is_an_error_with_a_remedy() -> None:
    engine = GuardedEngine(Device(False, RuntimeError("lost")), "as set", None)
    for _ in range(2):
        with pytest.raises(EngineError, match="a GPU failed .*lost.*engine.on_failure"):
            engine.run(BATCH)


def test_an_error_on_the_cpu_is_not_hidden() -> None:
    engine = GuardedEngine(Device(True, ValueError("a bug")), "as set", lambda: Device(True))
    with pytest.raises(ValueError, match="a bug"):
        engine.run(BATCH)
