"""The newest-frame slots and their worker; none needs ROS."""

from __future__ import annotations

import threading
import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from thermal_kd_ros.nodes.slot import NewestSlots, Worker


def test_a_slot_holds_the_newest() -> None:
    slots: NewestSlots[str, int] = NewestSlots()
    assert [slots.put("a", i) for i in range(3)] == [None, 0, 1]
    assert slots.take() == [("a", 2)]
    slots.put("a", 3)
    assert slots.close() == [("a", 3)] and slots.take() == []


@given(st.lists(st.tuples(st.just("put"), st.integers(0, 4)) | st.tuples(st.just("take"), st.integers(1, 5))))
def test_whoever_waits_longest_is_served_with_its_newest_item(steps: list[tuple[str, int]]) -> None:
    slots: NewestSlots[int, int] = NewestSlots(5)
    newest: dict[int, int] = {}
    order: list[int] = []
    for step, (action, number) in enumerate(steps):
        if action == "put":
            assert slots.put(number, step) == (newest[number] if number in order else None)
            newest[number] = step
            order += [] if number in order else [number]
        elif order:
            served, order = order[:number], order[number:]
            assert slots.take(number) == [(source, newest[source]) for source in served]
    assert slots.close() == [(source, newest[source]) for source in order]


def test_a_source_that_floods_starves_no_other() -> None:
    slots: NewestSlots[str, int] = NewestSlots(3)
    served: Counter[str] = Counter()
    for i in range(300):
        for _ in range(20):
            slots.put("flood", i)
        slots.put("slow", i)
        slots.put("slower", i)
        served.update(source for source, _ in slots.take())
    assert max(served.values()) - min(served.values()) <= 1 and len(served) == 3


def test_a_batch_waits_for_the_others_and_no_longer_than_the_window() -> None:
    slots: NewestSlots[str, int] = NewestSlots(3)
    # The window is open from when the first began to wait.
    began = time.monotonic()
    slots.put("a", 1)
    threading.Timer(0.02, slots.put, ("b", 2)).start()
    assert slots.take(3, 1.0) == [("a", 1), ("b", 2)]
    assert time.monotonic() - began >= 0.99
    for source in "abc":
        slots.put(source, 3)
    began = time.monotonic()
    assert [source for source, _ in slots.take(3, 5.0)] == ["a", "b", "c"]
    slots.put("a", 4)
    assert slots.take(1, 5.0) == [("a", 4)]
    assert time.monotonic() - began < 2.5


def test_closing_ends_a_wait_for_others() -> None:
    slots: NewestSlots[str, int] = NewestSlots(2)
    slots.put("a", 1)
    threading.Timer(0.02, slots.close).start()
    assert slots.take(2, 60.0) == []


def test_the_worker_takes_the_newest_of_each_and_ends() -> None:
    seen: list[list[tuple[str, int]]] = []
    busy, go = threading.Event(), threading.Event()

    def work(items: list[tuple[str, int]]) -> None:
        seen.append(items)
        busy.set()
        go.wait(5)

    worker: Worker[str, int] = Worker(work, "test", 2, lambda: (2, 0.0))
    worker.put("a", 1)
    assert busy.wait(5)
    assert [worker.put("a", i) for i in (2, 3, 4)] == [None, 2, 3]
    assert worker.put("b", 5) is None
    go.set()
    deadline = time.monotonic() + 5
    while len(seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert worker.stop() == [] and seen == [[("a", 1)], [("a", 4), ("b", 5)]]


def test_a_stopped_worker_gives_back_what_waited() -> None:
    busy, go = threading.Event(), threading.Event()

    def work(items: list[tuple[str, int]]) -> None:
        busy.set()
        go.wait(5)

    worker: Worker[str, int] = Worker(work, "test")
    worker.put("a", 1)
    assert busy.wait(5)
    worker.put("b", 2)
    threading.Timer(0.05, go.set).start()
    assert worker.stop() == [("b", 2)]
