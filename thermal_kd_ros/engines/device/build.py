"""Whether the whole path runs on the device, and the path that does."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ...config import ContrastConfig, PerceptionConfig
from ..base import Engine
from ..errors import EngineError
from ..guard import GuardedEngine

if TYPE_CHECKING:
    from ...networks import Networks
    from .path import DevicePath


def device_path(config: PerceptionConfig, networks: Networks, thresholds: np.ndarray,
                contrasts: tuple[ContrastConfig, ...], before: DevicePath | None) -> DevicePath | None:
    """The path that ``engine.device_path`` asks for, or None where the steps are to run in NumPy.

    Args:
        config: of the pipeline.
        networks: of the pipeline.
        thresholds: (C,) of the detector's classes.
        contrasts: that the detectors see, one if both see the same.
        before: the path so far, whose cameras are kept.

    Raises:
        EngineError: if the path is forced, but a network does not run in PyTorch, or if the device fails.
    """
    wanted = config.engine.device_path
    if wanted == "off" or (wanted == "auto" and networks.detector.on_cpu):
        return None
    engines = [engine.engine if isinstance(engine, GuardedEngine) else engine for engine in networks.engines()]
    try:
        # Here, because a robot without PyTorch never gets this far.
        import torch

        from ..torch_engine import TorchEngine
        from .graphs import device_errors
        from .path import DevicePath
        from .steps import DeviceNetworks
    except (ImportError, OSError):  # OSError where a library of CUDA is missing
        engines = []
    found = [engine for engine in engines if isinstance(engine, TorchEngine)]
    if not found or len(found) < len(engines) or len({engine.device for engine in found}) > 1:
        if wanted == "on":
            raise EngineError("engine.device_path is 'on', but not all networks run in PyTorch on one device; set "
                              "engine.backend to torch, or engine.device_path to auto")
        return None
    device = found[0].device
    with device_errors(device):
        loaded = DeviceNetworks(found[0], _size(found[0]), torch.from_numpy(thresholds).to(device), contrasts)
        if networks.layout is not None:
            loaded = dataclasses.replace(
                loaded, face_detector=found[1], face_detector_size=_size(found[1]),
                face_class=found[1].card.classes.index("face"), landmarker=found[2],
                crop_size=found[2].card.input_height, mirror=torch.tensor(networks.layout.mirror, device=device))
        if before is None:
            return DevicePath(loaded, config, device)
        before.reconfigure(loaded, config)
    return before


def _size(engine: Engine) -> tuple[int, int]:
    """(height, width) of a network's input."""
    return engine.card.input_height, engine.card.input_width
