"""The arithmetic of measurements, against independent computations."""

from __future__ import annotations

import math
import os
import statistics
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_kd_ros.benchmark.report import table
from thermal_kd_ros.benchmark.timing import interleaved, ratio, summary, trimmed, trimmed_mean
from thermal_kd_ros.benchmark.usage import cpu_seconds, resident_mib

TIMES = st.lists(st.floats(0.01, 1e4), min_size=2, max_size=200)


@given(TIMES)
def test_percentiles_are_those_of_the_sorted_times(times: list[float]) -> None:
    found = summary(times)
    quantiles = statistics.quantiles(times, n=100, method="inclusive")
    for percent in (50, 95, 99):
        assert found[f"p{percent}"] == pytest.approx(quantiles[percent - 1])
    assert found["count"] == len(times)


def test_nothing_measured_is_said_so() -> None:
    assert math.isnan(summary([])["p50"]) and math.isnan(trimmed_mean([])) and trimmed([]) == {}


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=9))
def test_the_best_and_the_worst_run_are_left_out(values: list[float]) -> None:
    rest = list(values)
    rest.remove(max(rest))
    rest.remove(min(rest))
    assert trimmed_mean(values) == pytest.approx(sum(rest) / len(rest))
    runs = [{"a": value, "b": -value} for value in values]
    assert trimmed(runs) == pytest.approx({"a": trimmed_mean(values), "b": -trimmed_mean(values)})
    assert trimmed_mean(values[:2]) == pytest.approx(sum(values[:2]) / 2)


def test_cases_take_turns_and_each_round_begins_with_another() -> None:
    order: list[str] = []
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1

    cases = {name: lambda name=name: order.append(name) for name in "abc"}
    times = interleaved(cases, rounds=4, warm_up=2, progress=count)
    assert rounds == 4 and list(times) == list("abc")
    assert all(len(found.wall) == len(found.cpu) == 4 for found in times.values())
    turns = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert len(turns) == 6 and all(sorted(turn) == list("abc") for turn in turns)
    assert all(first[0] != second[0] for first, second in zip(turns, turns[1:], strict=False))


def test_times_are_those_of_the_cases() -> None:
    times = interleaved({"long": lambda: time.sleep(0.02), "short": lambda: time.sleep(0.002)}, rounds=5, warm_up=0)
    assert min(times["long"].wall) >= 20.0 and min(times["short"].wall) >= 2.0
    assert max(times["long"].cpu) < 15.0, "sleeping takes no CPU time"


def test_cpu_time_is_that_of_work() -> None:
    def work() -> None:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass

    found = interleaved({"work": work}, rounds=3, warm_up=0)["work"]
    assert all(30.0 <= cpu < 60.0 for cpu in found.cpu)
    assert all(wall >= 0.9 * cpu for wall, cpu in zip(found.wall, found.cpu, strict=True))


def test_a_machine_that_slows_down_leaves_a_ratio_alone() -> None:
    slowness = np.linspace(1, 10, 21)
    assert ratio(3.0 * slowness, 1.5 * slowness) == pytest.approx(2.0)


def test_a_process_is_seen_to_work_and_to_grow() -> None:
    pid = os.getpid()
    cpu, memory = cpu_seconds(pid), resident_mib(pid)
    held = np.ones(8 * 2**20)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        held += 1.0
    assert 0.05 <= cpu_seconds(pid) - cpu < 10.0
    assert 50 <= resident_mib(pid) - memory < 200
    assert math.isnan(cpu_seconds(2**22 + 1)) and math.isnan(resident_mib(2**22 + 1))


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [[1, 2.34567], ["x", None]]) == "| a | b |\n|---|---|\n| 1 | 2.35 |\n| x | - |"
