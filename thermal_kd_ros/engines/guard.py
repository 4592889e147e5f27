"""An engine that was loaded, with why it was chosen, and what happens when its device fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .errors import EngineError

if TYPE_CHECKING:
    from .base import Engine


class GuardedEngine:
    """Runs an engine; when its GPU is lost or out of memory, goes on on the CPU or says so.

    Args:
        engine: What runs.
        reason: Why this one, for ``describe``.
        on_cpu: Loads the same network on the CPU, or None where a failure is to be reported instead.
    """

    def __init__(self, engine: Engine, reason: str, on_cpu: Callable[[], Engine] | None) -> None:
        self._engine = engine
        self._reason = reason
        self._load_on_cpu = on_cpu
        self.card = engine.card
        self._failure = ""

    @property
    def engine(self) -> Engine:
        """The engine that runs now."""
        return self._engine

    @property
    def on_cpu(self) -> bool:
        """See Engine.on_cpu."""
        return self._engine.on_cpu

    @property
    def warnings(self) -> list[str]:
        """See Engine.warnings."""
        return [*self._engine.warnings, *([self._failure] if self._failure else [])]

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Engine.run; raises EngineError if the device fails and the CPU is not allowed or fails too."""
        try:
            return self._engine.run(batch)
        except Exception as error:  # each library has its own for a device that fails
            if self._engine.on_cpu:
                raise
            failed = self._engine.describe()
            what = f"{self.card.name}: {failed} failed ({type(error).__name__}: {_first_line(error)})"
            if self._load_on_cpu is None:
                raise EngineError(f"{what}; free memory of the GPU or check it, then start again, or set "
                                  "engine.on_failure to cpu") from error
        # Outside the handler, so that nothing holds on to the memory of what failed.
        self._engine = self._load_on_cpu()
        self._reason = f"after a failure of {failed}"
        self._failure = f"{what}; it goes on on the CPU, more slowly, until it is started again"
        return self._engine.run(batch)

    def describe(self) -> str:
        """See Engine.describe."""
        return f"{self._engine.describe()} ({self._reason})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else ""
