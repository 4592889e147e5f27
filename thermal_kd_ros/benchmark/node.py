"""The node in a process of its own, over DDS: the highest rate it follows, latency at steady rates, several cameras."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..config import PerceptionConfig
from ..demo.node_process import NodeProcess
from ..nodes.load import Load, Run
from ..nodes.statistics import StreamStatistics
from .errors import BenchmarkError
from .frames import rendered
from .stages import Pipeline
from .timing import ratio, summary, trimmed
from .usage import cpu_seconds, gpu_mib, resident_mib

RATES_HZ = (10.0, 30.0, 60.0)
CAMERAS = (1, 2, 4, 8)
ALLOWED_LOSS = 0.05
_FLOOD = 1.6
"""Images are sent at so many times the pipeline's own rate, to see how many the node answers at most."""
_BISECTIONS = 5


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long and how often."""

    seconds: float
    """Of each run."""
    repeats: int
    startup_timeout_s: float
    parameters: Mapping[str, Any]
    """Parameters of the node that differ from the defaults."""
    log: Path
    """Where the node's log goes."""


def measure_node(config: PerceptionConfig, settings: Settings) -> dict[str, Any]:
    """Throughput against the bare pipeline, the highest rate with little loss, and latencies at steady rates."""
    images = rendered(1)
    namespace = f"/thermal_benchmark_{os.getpid()}"
    parameters = {**settings.parameters, "max_age_s": 0.0}
    with NodeProcess(namespace, parameters, settings.log) as node, Load(namespace, (), images) as load:
        _start(node, load, settings)
        bare = Pipeline(config, images)
        throughput = _throughput(bare, load, node, settings)
        best = _highest_rate(throughput["bare_pipeline_hz"], load, settings)
        rows = [_steady(rate, load, node, settings) for rate in RATES_HZ]
        state = load.diagnostics()
    return {"backend": state.get("backend", ""), "throughput": throughput, "highest_rate": best, "steady": rows}


def _start(node: NodeProcess, load: Load, settings: Settings) -> None:
    if not load.wait_until_answered(settings.startup_timeout_s, node.check):
        raise BenchmarkError(f"the node did not answer within {settings.startup_timeout_s:.0f} s; raise "
                             f"--startup-timeout if this machine is slow. Its last words:\n{node.last_words()}")


def _bare_hz(pipeline: Callable[[], Any], seconds: float) -> float:
    """Frames a second of the pipeline alone."""
    began, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        pipeline()
        count += 1
    return count / elapsed


def _throughput(bare: Pipeline, load: Load, node: NodeProcess, settings: Settings) -> dict[str, Any]:
    """The pipeline alone and the node under more images than it can answer, in turns.

    ``cpu_node_of_bare`` compares by the CPU time that a frame costs, that of images which are not answered included.
    """
    _bare_hz(bare, min(1.0, settings.seconds))
    alone, through, cpu_alone, cpu_through = [], [], [], []
    for _ in tqdm(range(settings.repeats), desc="throughput", unit="repeat", disable=None):
        used, count = time.process_time(), bare.count
        alone.append(_bare_hz(bare, settings.seconds))
        cpu_alone.append((time.process_time() - used) / (bare.count - count))
        used = cpu_seconds(node.pid)
        run = load.run(_FLOOD * alone[-1], settings.seconds)
        through.append(run.answers_hz)
        cpu_through.append((cpu_seconds(node.pid) - used) / max(1, sum(run.answered)))
    means = trimmed([{"bare_pipeline_hz": a, "node_hz": b} for a, b in zip(alone, through, strict=True)])
    return {**means, "node_of_bare": ratio(through, alone), "cpu_node_of_bare": ratio(cpu_alone, cpu_through),
            "bare_hz_runs": alone, "node_hz_runs": through}


def _highest_rate(start_hz: float, load: Load, settings: Settings) -> dict[str, Any]:
    """Bisection for the highest input rate with a loss below ALLOWED_LOSS."""
    low, high, tried = 0.0, 2.0 * start_hz, []
    for _ in tqdm(range(_BISECTIONS), desc="highest rate", unit="try", disable=None):
        rate = (low + high) / 2
        loss = load.run(rate, settings.seconds).loss
        tried.append({"rate_hz": rate, "loss": loss})
        low, high = (rate, high) if loss < ALLOWED_LOSS else (low, rate)
    return {"rate_hz": low, "of_bare_pipeline": low / start_hz, "allowed_loss": ALLOWED_LOSS, "tried": tried}


def _steady(rate_hz: float, load: Load, node: NodeProcess, settings: Settings) -> dict[str, Any]:
    """Runs at one rate, the best and the worst left out of each figure."""
    runs: list[dict[str, float]] = []
    answered = 0
    for _ in tqdm(range(settings.repeats), desc=f"{rate_hz:g} Hz", unit="repeat", disable=None):
        node.check()
        cpu = cpu_seconds(node.pid)
        run = load.run(rate_hz, settings.seconds)
        answered += sum(run.answered)
        used = (cpu_seconds(node.pid) - cpu) / run.seconds
        found = {name: value for name, value in summary(run.latency_ms).items() if name != "count"}
        runs.append({**found, "loss": run.loss, "answers_hz": run.answers_hz, "cpu_cores": used,
                     "rss_mib": resident_mib(node.pid)})
    gpu = gpu_mib(node.pid)
    state, beyond = load.diagnostics(), {}
    if answered >= StreamStatistics.SAMPLES:
        # The node's percentiles are over its last frames: only then all of them are of this rate.
        beyond = {name: float(state[f"overhead {name} (ms)"]) for name in ("p50", "p95")}
    return {"rate_hz": rate_hz, **trimmed(runs), "beyond_pipeline_ms": beyond, "gpu_memory_mib": gpu, "runs": runs}


def measure_cameras(config: PerceptionConfig, settings: Settings) -> dict[str, Any]:
    """All that one node answers when 1 to 8 cameras send more than it can, and how evenly; repeats take turns."""
    images = rendered(1)
    names = tuple(f"camera{i}" for i in range(max(CAMERAS)))
    namespace = f"/thermal_benchmark_{os.getpid()}"
    parameters = {**settings.parameters, "max_age_s": 0.0, "cameras": names}
    runs: dict[int, list[Run]] = {count: [] for count in CAMERAS}
    with NodeProcess(namespace, parameters, settings.log) as node, Load(namespace, names, images) as load:
        _start(node, load, settings)
        capacity = _bare_hz(Pipeline(config, images), min(2.0, settings.seconds))
        for _ in tqdm(range(settings.repeats), desc="cameras", unit="repeat", disable=None):
            for count in CAMERAS:
                node.check()
                runs[count].append(load.run(_FLOOD * capacity / count, settings.seconds, count))
        memory, gpu = resident_mib(node.pid), gpu_mib(node.pid)
    one = [run.answers_hz for run in runs[1]]
    rows = []
    for count in CAMERAS:
        rates = [run.answers_hz for run in runs[count]]
        shares = [min(run.answered) / max(1, max(run.answered)) for run in runs[count]]
        rows.append({"cameras": count, **trimmed([{"answers_hz": rate, "least_of_most": share}
                                                  for rate, share in zip(rates, shares, strict=True)]),
                     "of_one_camera": ratio(rates, one), "latency_ms": summary([t for r in runs[count]
                                                                               for t in r.latency_ms])})
    return {"rows": rows, "rss_mib": memory, "gpu_memory_mib": gpu}
