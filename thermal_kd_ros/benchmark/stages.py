"""The pipeline by itself: its stages, and its memory over many frames. Needs no ROS."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from ..config import PerceptionConfig
from ..pipeline import ThermalPerception
from ..results import PerceptionResult
from ..stream import FrameReader
from .frames import FACES, rendered
from .timing import interleaved, ratio, summary
from .usage import cpu_seconds, gpu_mib, resident_mib

_SAMPLES = 40
"""Readings of the memory over a run."""
_SETTLED = 0.25
"""Part of the frames after which memory must not grow any more: caches and pools are filled by then."""


class Pipeline:
    """A pipeline with images to run through it, read as a node reads them."""

    def __init__(self, config: PerceptionConfig, images: list[np.ndarray]) -> None:
        self.perception = ThermalPerception(config)
        self.perception.warm_up()
        self.images = images
        self._data = [image.tobytes() for image in images]
        self._reader = FrameReader(config.thermal, "benchmark")
        self.count = 0

    def __call__(self) -> tuple[float, PerceptionResult]:
        """Process the next image; milliseconds of decoding it, and the result."""
        i = self.count % len(self.images)
        self.count += 1
        height, width = self.images[i].shape
        began = time.perf_counter()
        # Stamps as of a camera of 30 Hz: smoothing and tracking do their work.
        frame = self._reader.read(self._data[i], height, width, "mono16", 2 * width, False, self.count / 30)
        decode = 1e3 * (time.perf_counter() - began)
        return decode, self.perception.process([frame])[0]


def measure_stages(config: PerceptionConfig, rounds: int) -> dict[str, Any]:
    """Percentiles of each stage and of the whole, in milliseconds, by number of faces in the frame."""
    pipelines = {faces: Pipeline(config, rendered(faces)) for faces in FACES}
    stages: dict[int, dict[str, list[float]]] = {faces: {} for faces in FACES}
    found: dict[int, list[int]] = {faces: [] for faces in FACES}

    def case(faces: int) -> Callable[[], None]:
        def run() -> None:
            decode, result = pipelines[faces]()
            for name, value in {"decode": decode, **result.stage_ms}.items():
                stages[faces].setdefault(name, []).append(value)
            found[faces].append(len(result.faces))

        return run

    gc.collect()
    gc.freeze()
    warm_up = 3
    with tqdm(total=rounds, desc="stages", unit="round", disable=None) as bar:
        whole = interleaved({str(faces): case(faces) for faces in FACES}, rounds, warm_up, bar.update)
    gc.unfreeze()
    rows = [{"faces_shown": faces, "faces_found": float(np.mean(found[faces])),
             "total_ms": summary(whole[str(faces)].wall),
             "total_cpu_ms": summary(whole[str(faces)].cpu),
             "cpu_times_of_one_face": ratio(whole[str(faces)].cpu, whole["1"].cpu),
             "stages_ms": {name: summary(times[warm_up:]) for name, times in stages[faces].items()}}
            for faces in FACES]
    return {"backend": pipelines[FACES[0]].perception.describe(), "rows": rows,
            "gpu_memory_mib": gpu_mib(os.getpid())}


def measure_memory(config: PerceptionConfig, frames: int) -> dict[str, Any]:
    """Resident memory of this process while it answers many frames, and how far it strays from its middle."""
    pipeline = Pipeline(config, [image for faces in FACES for image in rendered(faces)])
    every = max(1, frames // _SAMPLES)
    readings: list[tuple[int, float]] = []
    began, cpu = time.perf_counter(), cpu_seconds(os.getpid())
    for i in tqdm(range(frames), desc="memory", unit="frame", disable=None):
        if i % every == 0:
            readings.append((i, resident_mib(os.getpid())))
        pipeline()
    readings.append((frames, resident_mib(os.getpid())))
    elapsed = time.perf_counter() - began
    settled = [mib for i, mib in readings if i >= _SETTLED * frames]
    middle = float(np.median(settled))
    return {"frames": frames, "rss_mib": [[i, round(mib, 1)] for i, mib in readings], "median_mib": middle,
            "largest_deviation": float(max(abs(mib - middle) for mib in settled) / middle),
            "cpu_cores_used": (cpu_seconds(os.getpid()) - cpu) / elapsed}
