"""Engines side by side, and networks of others beside them. Needs no ROS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..config import EngineConfig, PerceptionConfig
from ..engines.base import EngineError, load_engine
from ..engines.choice import BACKENDS
from ..models.card import ModelError
from .frames import rendered
from .peers import peer_runner
from .stages import Pipeline
from .timing import interleaved, ratio, summary

WHOLE = "whole pipeline, one face"


def measure_engines(config: PerceptionConfig, rounds: int, peers: Mapping[str, Path],
                    backends: Sequence[str] = tuple(BACKENDS)) -> dict[str, Any]:
    """Milliseconds of each network, of the whole pipeline with one face, and of each peer's network alone, by backend.

    Everything takes turns, so that ratios hold on a busy machine: ``of_pipeline`` says how many times longer a case
    takes than the whole pipeline on the same backend, ``of_torch`` than the same case there; both of wall and CPU time.
    ``peers_left_out`` are those that ran on no backend, or failed on one.
    """
    cases: dict[tuple[str, str], Callable[[], Any]] = {}
    left_out: dict[str, str] = {}
    described: dict[str, str] = {}
    ran: set[str] = set()
    failed: set[str] = set()
    images = rendered(1)
    for backend in backends:
        engine = dataclasses.replace(config.engine, backend=backend)
        try:
            networks = _networks(config, engine)
            pipeline = Pipeline(dataclasses.replace(config, engine=engine), images)
        except (EngineError, ModelError) as error:
            left_out[backend] = str(error)
            continue
        described[backend] = pipeline.perception.networks.detector.describe()
        cases[backend, WHOLE] = pipeline
        cases |= {(backend, name): call for name, call in networks.items()}
        if backend == "torch":
            continue
        for name, path in peers.items():
            try:
                detector = pipeline.perception.networks.detector
                cases[backend, f"{name} (network alone)"] = peer_runner(path, detector, engine)
                ran.add(name)
            except EngineError as error:
                failed.add(name)
                left_out[f"{name} on {backend}"] = str(error)
    for name in sorted(set(peers) - ran - failed):
        failed.add(name)
        left_out[name] = "peers run with onnxruntime and openvino, of which none is measured here"
    with tqdm(total=rounds, desc="engines", unit="round", disable=None) as bar:
        named = {"|".join(key): call for key, call in cases.items()}
        times = interleaved(named, rounds, progress=bar.update)
    rows = []
    for backend, name in cases:
        mine, whole, torch = (times.get(f"{b}|{n}") for b, n in ((backend, name), (backend, WHOLE), ("torch", name)))
        assert mine is not None and whole is not None
        rows.append({"backend": backend, "case": name, "ms": summary(mine.wall), "cpu_ms": summary(mine.cpu),
                     "of_pipeline": ratio(mine.wall, whole.wall), "cpu_of_pipeline": ratio(mine.cpu, whole.cpu),
                     "of_torch": ratio(mine.wall, torch.wall) if torch else None,
                     "cpu_of_torch": ratio(mine.cpu, torch.cpu) if torch else None})
    return {"backends": described, "left_out": left_out, "rows": rows,
            "peers_left_out": sorted(failed)}


def _networks(config: PerceptionConfig, engine: EngineConfig) -> dict[str, Callable[[], Any]]:
    """Each network on noise, at the batch size 1, and the landmarks at 8."""
    found: dict[str, Callable[[], Any]] = {}
    rng = np.random.default_rng(0)
    for name, model, task, batch in (("detector", config.detector.model, "detection", 1),
                                     ("face detector", config.face.detector_model, "detection", 1),
                                     ("landmarks", config.face.landmark_model, "landmarks", 1),
                                     ("landmarks of 8 faces", config.face.landmark_model, "landmarks", 8)):
        network = load_engine(model, task, engine)
        images = rng.random((batch, 1, network.card.input_height, network.card.input_width), np.float32)

        def call(network: Any = network, images: np.ndarray = images) -> Any:
            return network.run(images)

        found[name] = call
    return found
