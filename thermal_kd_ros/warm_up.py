"""Batches of every size that networks may be given, before frames come.

So that no frame waits for a preparation, and none is the first to find out that a network does not give what it should.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from .buckets import BUCKETS, buckets_for
from .config import FaceConfig
from .engines.base import Engine
from .layouts import get_layout
from .models.card import ModelCard, ModelError
from .models.confidence import confidence
from .nms import select


class WarmUp:
    """Runs engines at the batch sizes that they were not run at yet."""

    def __init__(self) -> None:
        self._done: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()

    def run(self, engines: Iterable[Engine], face: FaceConfig, batch: int,
            turn: contextlib.AbstractContextManager[object] | None = None) -> None:
        """Every size that frames of ``batch`` cameras may need; ``turn`` is held for one run at a time.

        Raises ModelError if a network answers with what is not its card's.
        """
        for engine in engines:
            card = engine.card
            # A second look sees the mirror images by themselves.
            images = 2 if face.mirror and not face.second_look else 1
            most = batch if card.task == "detection" else batch * face.max_faces * images
            largest = max(buckets_for(most), default=0)
            done = self._done.setdefault(engine, set())
            for size in (size for size in BUCKETS if size <= largest and size not in done):
                with turn or contextlib.nullcontext():
                    answer = engine.run(np.full((size, 1, card.input_height, card.input_width), 0.5, np.float32))
                _check(card, size, *answer)
                done.add(size)


def _check(card: ModelCard, size: int, first: np.ndarray, second: np.ndarray) -> None:
    """Raise ModelError unless what is made of a network's answers can be made of these to ``size`` images."""
    cells = first.shape[1:2]
    wanted: tuple[tuple[int, ...], ...] = ((size, *cells, 4), (size, *cells, len(card.classes)))
    if card.task == "landmarks":
        points = get_layout(card.layout).points
        wanted = (size, points, 2), (size, points)
    if (first.shape, second.shape) != wanted:
        raise ModelError(f"{card.name}: answers {size} images with {first.shape} and {second.shape} numbers, its card "
                         f"asks for {wanted[0]} and {wanted[1]}; export it again, or take another model")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ModelError(f"{card.name}: answers a grey image with numbers that are not finite; set engine.precision to "
                         "fp32, or take another model")
    # The steps that frames take next: they find now, too, what they would fail of.
    if card.task == "landmarks":
        confidence(second, float(card.input_height))
    else:
        select(first[0], second[0], np.zeros(len(card.classes), np.float32), 0.5, 1)
