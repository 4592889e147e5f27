"""One place per camera for its newest item, between callbacks that must return at once and a slower worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class NewestSlots(Generic[K, T]):
    """Holds the newest item of every source; waiting items never queue up into a growing lag.

    Sources are served in the order in which they began to wait. A newer item takes the place of the waiting one, so a
    source that floods waits its turn like any other, and none starves.
    """

    def __init__(self, sources: int = 1) -> None:
        self._sources = sources
        self._condition = threading.Condition()
        # A dictionary keeps the place of a key whose value is replaced.
        self._waiting: dict[K, tuple[float, T]] = {}
        self._closed = False

    def put(self, source: K, item: T) -> T | None:
        """Store the newest item of a source; returns the item that it replaced, if one was waiting."""
        with self._condition:
            since, replaced = self._waiting.get(source, (time.monotonic(), None))
            self._waiting[source] = since, item
            self._condition.notify()
        return replaced

    def take(self, most: int = 1, window_s: float = 0.0) -> list[tuple[K, T]]:
        """Wait for items and take up to ``most``, each of another source, longest waiting first; [] once closed.

        Others may join the first one until it has waited ``window_s``, or until every source is there.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or bool(self._waiting))
            full = min(most, self._sources)
            if self._waiting and window_s > 0.0 and len(self._waiting) < full:
                since, _ = next(iter(self._waiting.values()))
                self._condition.wait_for(lambda: self._closed or len(self._waiting) >= full,
                                         max(0.0, since + window_s - time.monotonic()))
            if self._closed:
                return []
            taken = [(source, item) for source, (_, item) in islice(self._waiting.items(), most)]
            for source, _ in taken:
                del self._waiting[source]
        return taken

    def close(self) -> list[tuple[K, T]]:
        """Let ``take`` return nothing from now on; returns what was waiting."""
        with self._condition:
            left = [(source, item) for source, (_, item) in self._waiting.items()]
            self._waiting.clear()
            self._closed = True
            self._condition.notify_all()
        return left


class Worker(Generic[K, T]):
    """A thread that hands the newest items to ``work``, one batch after the other, until it is stopped.

    ``limits`` gives, anew for every batch, the most items in it and how many seconds others may join the first.
    """

    def __init__(self, work: Callable[[list[tuple[K, T]]], None], name: str, sources: int = 1,
                 limits: Callable[[], tuple[int, float]] = lambda: (1, 0.0)) -> None:
        self._slots: NewestSlots[K, T] = NewestSlots(sources)
        self._work = work
        self._limits = limits
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, source: K, item: T) -> T | None:
        """Give it the newest item of a source; returns the one that was still waiting, if any."""
        return self._slots.put(source, item)

    def stop(self) -> list[tuple[K, T]]:
        """Finish the items in work and end the thread; returns the items that were still waiting."""
        left = self._slots.close()
        self._thread.join()
        return left

    def _run(self) -> None:
        while items := self._slots.take(*self._limits()):
            self._work(items)
