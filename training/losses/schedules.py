"""How the weight of a distillation loss falls over a training run ("time-adaptive distillation decay")."""

from __future__ import annotations

import math
from dataclasses import dataclass

DECAYS = ("constant", "cosine", "linear", "exponential")


@dataclass(frozen=True)
class DecaySchedule:
    """A weight that starts at ``start``, falls monotonically and ends at ``floor``.

    cosine and linear go to the floor exactly; exponential is scaled so that it does, too.
    """

    kind: str = "cosine"
    start: float = 1.0
    floor: float = 0.0
    rate: float = 5.0
    """Of the exponential: how many times it falls by e over the run, before scaling."""

    def __post_init__(self) -> None:
        if self.kind not in DECAYS:
            raise ValueError(f"decay '{self.kind}' is none of {', '.join(DECAYS)}")
        if not 0 <= self.floor <= self.start:
            raise ValueError(f"decay floor {self.floor} is not between 0 and the start {self.start}")
        if not self.rate > 0:
            raise ValueError(f"decay rate {self.rate} is not positive")

    def weight(self, progress: float) -> float:
        """The weight at ``progress``, from 0 at the run's start to 1 at its end; clamped outside."""
        t = min(1.0, max(0.0, progress))
        if self.kind == "constant":
            return self.start
        if self.kind == "cosine":
            left = 0.5 * (1 + math.cos(math.pi * t))
        elif self.kind == "linear":
            left = 1 - t
        else:
            last = math.exp(-self.rate)
            left = (math.exp(-self.rate * t) - last) / (1 - last)
        return self.floor + (self.start - self.floor) * left
