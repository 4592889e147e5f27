"""DevicePath: raw frames in, boxes and landmarks out, everything in between on one device."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch

from ...config import PerceptionConfig
from ...contrast import sample_step
from ...frames import ThermalFrame
from .cameras import CameraTones
from .graphs import Runner
from .plan import Chosen, Plan
from .steps import DeviceNetworks, Signature, Steps

_PLANS = 16
"""Shapes of input whose captured steps are kept: each holds memory of the device."""


class DevicePath:
    """The pipeline's steps from contrast to landmarks on a device, by CUDA graphs where it is CUDA.

    Gives what the NumPy steps give, within rounding. Not thread-safe.
    """

    def __init__(self, networks: DeviceNetworks, config: PerceptionConfig, device: torch.device) -> None:
        self._runner = Runner(device)
        self._tones: list[CameraTones] = []
        self._plans: OrderedDict[Signature, Plan] = OrderedDict()
        self._networks, self._config = networks, config
        self.reconfigure(networks, config)

    def reconfigure(self, networks: DeviceNetworks, config: PerceptionConfig) -> None:
        """Take other thresholds or networks; cameras keep their contrast. What changes steps has them captured anew."""
        contrasts = networks.contrasts
        tones = self._tones[: len(contrasts)]
        with self._runner.active():
            # First, because the device may have no room for it: then nothing has changed.
            tones += [CameraTones(contrast, self._runner.device) for contrast in contrasts[len(tones):]]
        if not (self._networks.same(networks)
                and (self._config.detector, self._config.face) == (config.detector, config.face)):
            self._plans.clear()
        self._networks, self._config, self._tones = networks, config, tones
        for tone, contrast in zip(self._tones, contrasts, strict=True):
            tone.config = contrast

    def describe(self) -> str:
        """How the steps are run, for logs and diagnostics."""
        how = "CUDA graphs" if self._runner.captures else f"step by step ({self._runner.reason})"
        return f"whole path on the device, {how}"

    def forget_cameras(self) -> None:
        """Begin anew with every camera, with the room that there was for them."""
        for tones in self._tones:
            tones.forget()

    @staticmethod
    def accepts(frame: ThermalFrame) -> bool:
        """Whether the contrast of a frame can be found here: where hardly a pixel is finite, it takes all pixels."""
        values, step = frame.values, sample_step(frame.values.size)
        return values.dtype != np.float32 or bool(np.isfinite(values[step // 2 :: step, step // 2 :: step]).any())

    def find(self, frames: Sequence[ThermalFrame]) -> list[Chosen]:
        """What is in frames, in their order; they may be of any sizes and cameras. Raises EngineError."""
        found: dict[int, Chosen] = {}
        with self._runner.active():
            for signature, places in self._groups(frames):
                group = [frames[i] for i in places]
                before = [tones.memory for tones in self._tones]
                inputs = np.stack([tones.inputs(group) for tones in self._tones])
                if any(tones.memory is not memory for tones, memory in zip(self._tones, before, strict=True)):
                    # A larger memory has taken the place of the one that their steps know.
                    self._plans.clear()
                chosen = self._plan(signature).run([frame.values for frame in group], inputs)
                found.update(zip(places, chosen, strict=True))
        return [found[i] for i in range(len(frames))]

    @staticmethod
    def _groups(frames: Sequence[ThermalFrame]) -> list[tuple[Signature, list[int]]]:
        """Which frames can go together: of one shape and type, and no camera twice, because contrast is in order."""
        groups: dict[tuple[int, tuple[int, int], str], list[int]] = {}
        seen: dict[str, int] = {}
        for i, frame in enumerate(frames):
            turn = seen[frame.camera] = seen.get(frame.camera, -1) + 1
            groups.setdefault((turn, frame.shape, frame.values.dtype.name), []).append(i)
        ordered = sorted(groups.items(), key=lambda item: item[0][0])
        return [(Signature(len(places), *shape, dtype), places) for (_, shape, dtype), places in ordered]

    def _plan(self, signature: Signature) -> Plan:
        if signature in self._plans:
            self._plans.move_to_end(signature)
            return self._plans[signature]
        while len(self._plans) >= _PLANS:
            self._plans.popitem(last=False)
        steps = Steps(signature, self._networks, self._config, self._runner.device)
        plan = self._plans[signature] = Plan(signature, steps, [tones.memory for tones in self._tones], self._runner)
        return plan
