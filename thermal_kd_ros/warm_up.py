"""Batches of every size that networks may be given, before frames come: so that no frame waits for a preparation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from .buckets import BUCKETS, buckets_for
from .config import FaceConfig
from .engines.base import Engine


class WarmUp:
    """Runs engines at the batch sizes that they were not run at yet."""

    def __init__(self) -> None:
        self._done: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()

    def run(self, engines: Iterable[Engine], face: FaceConfig, batch: int,
            turn: contextlib.AbstractContextManager[object] | None = None) -> None:
        """Every size that frames of ``batch`` cameras may need; ``turn`` is held for one run at a time."""
        for engine in engines:
            card = engine.card
            most = batch if card.task == "detection" else batch * face.max_faces * (2 if face.mirror else 1)
            largest = max(buckets_for(most), default=0)
            done = self._done.setdefault(engine, set())
            for size in (size for size in BUCKETS if size <= largest and size not in done):
                with turn or contextlib.nullcontext():
                    engine.run(np.full((size, 1, card.input_height, card.input_width), 0.5, np.float32))
                done.add(size)
