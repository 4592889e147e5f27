"""One place for the newest item, between a callback that must return at once and a worker that takes its time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestSlot(Generic[T]):
    """Holds the newest item only; waiting items never queue up into a growing lag."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """Store ``item``; returns the item that it replaced, if one was waiting."""
        with self._condition:
            replaced, self._item = self._item, item
            self._condition.notify()
        return replaced

    def take(self) -> T | None:
        """Wait for an item and take it; None once the slot is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._item is not None)
            if self._closed:
                return None
            item, self._item = self._item, None
        return item

    def close(self) -> T | None:
        """Let ``take`` return None from now on; returns the item that was waiting, if there was one."""
        with self._condition:
            left, self._item = self._item, None
            self._closed = True
            self._condition.notify_all()
        return left


class Worker(Generic[T]):
    """A thread that hands the newest item to ``work``, one after the other, until it is stopped."""

    def __init__(self, work: Callable[[T], None], name: str) -> None:
        self._slot: NewestSlot[T] = NewestSlot()
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> T | None:
        """Give it the newest item; returns the one that was still waiting, if any."""
        return self._slot.put(item)

    def stop(self) -> T | None:
        """Finish the item in work and end the thread; returns the item that was still waiting, if any."""
        left = self._slot.close()
        self._thread.join()
        return left

    def _run(self) -> None:
        while (item := self._slot.take()) is not None:
            self._work(item)
