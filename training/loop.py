"""What every training loop here does the same way: weight decay, learning rate, averaging, saving."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from thermal_kd_ros.output import written_aside
from training.data.coco import DataError


class Schedule(Protocol):
    """The fields of a run's settings that decide its learning rate."""

    @property
    def lr(self) -> float:
        """The highest learning rate."""

    @property
    def final_lr(self) -> float:
        """The last learning rate as a part of the highest."""

    @property
    def warmup_steps(self) -> int:
        """Steps of the linear warm-up."""


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for convolutions only: norms and biases have nothing to decay to."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def learning_rate(step: int, total: int, schedule: Schedule) -> float:
    """Linear warm-up, then a half cosine from ``lr`` to ``lr * final_lr``."""
    warm = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
    return schedule.lr * warm * (schedule.final_lr + (1 - schedule.final_lr) * cosine)


@torch.no_grad()
def update_ema(average: torch.nn.Module, model: torch.nn.Module, step: int, decay: float) -> None:
    """Move the averaged weights towards the model's; the decay grows from 0 so that the start is forgotten."""
    keep = min(decay, (1 + step) / (10 + step))
    for a, b in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if a.dtype.is_floating_point:
            a.lerp_(b, 1 - keep)
        else:
            a.copy_(b)


def check_finite(modules: Iterable[torch.nn.Module], step: int) -> None:
    """Raise FloatingPointError if a weight or a statistic is not finite, so that it takes no good file's place."""
    for module in modules:
        for name, value in module.state_dict().items():
            if not torch.isfinite(value).all():
                raise FloatingPointError(f"after {step} steps {name} is not finite; what was saved before is kept. "
                                         "Lower lr")


class Stateful(Protocol):
    """A part of a training state: a module, an optimiser, a gradient scaler."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Take what ``state_dict()`` gave."""


def load_state(path: Path, device: torch.device, check: Callable[[dict[str, Any]], None],
               parts: Mapping[str, Stateful]) -> int:
    """Load what ``save_state`` wrote into ``parts``, by their names in the state; returns the state's ``step``.

    ``check`` gets the state first, and raises DataError for that of another run. A part with an empty state is left as
    it is: a run that began on a CPU has no scaler. Raises DataError for a damaged file.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        check(state)
        for name, part in parts.items():
            if state[name]:
                part.load_state_dict(state[name])
        return int(state["step"])
    except (DataError, OSError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception:  # strange bytes make the unpickler raise nearly anything, struct.error among it
        raise DataError(f"{path}: damaged; delete it to begin anew") from None


def save_state(path: Path, state: dict[str, object]) -> None:
    """Write a training state aside and rename it, so that a full disk or a kill leaves the previous one."""
    # Through memory: torch's own writer reports a full disk as an internal error.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with written_aside(path) as aside:
        aside.write_bytes(buffer.getbuffer())
