"""CUDA graphs: steps that are recorded once and then replayed as one launch.

A captured step reads and writes the same memory every time, so whatever goes in or comes out lives in tensors that
stay. On the CPU, and where capturing fails, steps are simply called.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch

from ..errors import EngineError

_LOGGER = logging.getLogger("thermal_kd_ros")
_WARM_UPS = 3
"""Calls before a capture: libraries load their kernels and choose algorithms, which cannot be captured."""
_CAPTURING = threading.Lock()
"""One capture at a time in a process: each begins by waiting for its device, which breaks one that is under way."""
_FAILURES = ("CUDA", "cuDNN", "unable to find an engine")
"""One of these is in what PyTorch says when a device or its libraries fail, and not when a program is wrong."""

Outputs = TypeVar("Outputs")


class Runner:
    """Where steps run: a device, on CUDA a stream of its own, and whether graphs are captured there."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.captures = device.type == "cuda"
        self.reason = "graphs need CUDA" if device.type != "cuda" else ""
        """Why nothing is captured; empty if graphs are."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """Everything inside is inference on the stream; a failing device raises EngineError."""
        with device_errors(self.device), torch.inference_mode():
            if self.stream is None:
                yield
                return
            with torch.cuda.stream(self.stream), torch.backends.cudnn.flags(enabled=True, benchmark=True):
                yield

    def wait(self) -> None:
        """Until all that was started is done."""
        if self.stream is not None:
            self.stream.synchronize()

    def give_up(self, error: RuntimeError) -> None:
        """Capture nothing more, and say so once."""
        lines = str(error).strip().splitlines() or [type(error).__name__]
        self.captures, self.reason = False, f"capturing failed: {lines[0]}"
        _LOGGER.warning("CUDA graphs are not used on %s, steps are launched one by one: %s", self.device, self.reason)


class Step(Generic[Outputs]):
    """A function of nothing but tensors that stay, called or captured and replayed.

    Must be made while ``runner.active()``, and its inputs may hold anything that leaves nothing behind.
    """

    def __init__(self, function: Callable[[], Outputs], runner: Runner, pool: Any = None) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self.outputs: Outputs | None = None
        if runner.captures:
            with _CAPTURING:
                self._capture(runner, pool)

    @property
    def captured(self) -> bool:
        """Whether a call is a replay."""
        return self._graph is not None

    def _capture(self, runner: Runner, pool: Any) -> None:
        assert runner.stream is not None
        try:
            for _ in range(_WARM_UPS):
                self._function()
            runner.stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile: another node's pipeline in the same process.
            with torch.cuda.graph(graph, pool=pool, stream=runner.stream, capture_error_mode="thread_local"):
                outputs = self._function()
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            runner.give_up(error)
            # A capture that broke off leaves its stream as the current one.
            torch.cuda.set_stream(runner.stream)
            torch.cuda.synchronize(runner.device)
            return
        self._graph, self.outputs = graph, outputs

    def __call__(self) -> Outputs:
        """The outputs; of a captured step always the same tensors, overwritten by the next call."""
        if self._graph is None or self.outputs is None:
            return self._function()
        self._graph.replay()
        return self.outputs


@contextmanager
def device_errors(device: torch.device) -> Iterator[None]:
    """Tell what to do where a device runs out of memory or fails: EngineError."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise EngineError(f"{device} is out of memory ({_first_line(error)}); let fewer programs use it, lower "
                          "face.max_faces, or set engine.device to cpu") from None
    except RuntimeError as error:
        if device.type != "cuda" or not any(failure in str(error) for failure in _FAILURES):
            raise
        raise EngineError(f"{device} failed ({_first_line(error)}); start the node again, and if it fails again set "
                          "engine.device to cpu") from None


def _first_line(error: RuntimeError) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
