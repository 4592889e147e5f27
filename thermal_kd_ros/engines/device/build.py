"""Whether the whole path runs on the device, and the path that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...config import ContrastConfig, PerceptionConfig
from ...layouts import get_layout
from ..base import Engine
from ..errors import EngineError
from ..guard import GuardedEngine

if TYPE_CHECKING:
    from .path import DevicePath


def device_path(config: PerceptionConfig, detector: Engine, thresholds: np.ndarray,
                faces: tuple[Engine, Engine] | None, contrasts: tuple[ContrastConfig, ...],
                before: DevicePath | None) -> DevicePath | None:
    """The path that ``engine.device_path`` asks for, or None where the steps are to run in NumPy.

    Args:
        config: of the pipeline.
        detector: of objects.
        thresholds: (C,) of its classes.
        faces: face detector and landmarker, if faces are looked for.
        contrasts: that the detectors see, one if both see the same.
        before: the path so far, whose cameras are kept.

    Raises:
        EngineError: if the path is forced, but a network does not run in PyTorch.
    """
    wanted = config.engine.device_path
    if wanted == "off" or (wanted == "auto" and detector.on_cpu):
        return None
    engines = [engine.engine if isinstance(engine, GuardedEngine) else engine for engine in (detector, *(faces or ()))]
    try:
        # Here, because a robot without PyTorch never gets this far.
        import torch

        from ..torch_engine import TorchEngine
        from .path import DevicePath
        from .steps import Networks
    except ImportError:
        engines = []
    found = [engine for engine in engines if isinstance(engine, TorchEngine)]
    if not found or len(found) < len(engines) or len({engine.device for engine in found}) > 1:
        if wanted == "on":
            raise EngineError("engine.device_path is 'on', but not all networks run in PyTorch on one device; set "
                              "engine.backend to torch, or engine.device_path to auto")
        return None
    networks = Networks(found[0], _size(found[0]), torch.from_numpy(thresholds).to(found[0].device), contrasts)
    if faces is not None:
        card = found[1].card
        networks = Networks(networks.detector, networks.detector_size, networks.thresholds, contrasts, found[1],
                            _size(found[1]), card.classes.index("face"), found[2], found[2].card.input_height,
                            torch.tensor(get_layout(found[2].card.layout).mirror, device=found[0].device))
    if before is None:
        return DevicePath(networks, config, found[0].device)
    before.reconfigure(networks, config)
    return before


def _size(engine: Engine) -> tuple[int, int]:
    """(height, width) of a network's input."""
    return engine.card.input_height, engine.card.input_width
