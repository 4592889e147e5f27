"""The demo from beginning to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import PerceptionConfig, with_values
from ..dds import dds_environment
from ..evaluation.bags import BagReader, BagWriter, Record
from ..evaluation.recording import Recording
from ..evaluation.report import Playback, summarise, table, times
from ..evaluation.topics import TruthTopics
from ..evaluation.truth import read_truth
from ..images import find_images
from ..models.checkpoint import resolve
from ..output import as_json, overwritten, written_aside
from .errors import DemoError

__all__ = ["DemoError", "Settings", "run_demo"]

RESULTS = ("summary.json", "output.mcap", "sheet.png", "overlay.mp4")
_RECORDING, _LOG = "input.mcap", "node.log"
ENOUGH = 0.95
"""Part of the frames that must be answered."""
_RENDERED_FRAMES = 160
_ATTEMPTS = 3


@dataclass(frozen=True)
class Settings:
    """What to play, and how."""

    out: Path
    bag: Path | None
    images: Path | None
    topic: str | None
    frames: int | None
    rate_hz: float
    size: tuple[int, int]
    seed: int
    startup_timeout_s: float
    parameters: Mapping[str, Any]
    """Parameters of the node that differ from the defaults."""


def run_demo(settings: Settings) -> int:
    """Make the recording, play it, measure, draw; the exit code. Raises DemoError, BagError, FrameError,
    ModelError or OSError.
    """
    config = with_values(PerceptionConfig(), dict(settings.parameters))
    _check_places(settings)
    for model in config.models()[: 3 if config.face.enabled else 1]:
        resolve(model)
    # Before anything of ROS starts in this process or the node's: large images must get through, and a demo has no
    # business on the network of a robot (Humble does not know this variable).
    os.environ.update(dds_environment(os.environ))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    settings.out.mkdir(parents=True, exist_ok=True)
    path = _recording(settings)

    from ..evaluation.pictures import draw_pictures

    with BagReader(path) as bag:
        recording = Recording.of(bag, settings.topic, settings.frames, settings.rate_hz)
        for name in RESULTS:
            # What an earlier run left must not be taken for the results of this one.
            (settings.out / name).unlink(missing_ok=True)
        truths = read_truth(bag, recording.headers, TruthTopics())
        played = _play(settings, recording, bag)
        summary = {
            "recording": str(path),
            **summarise(played.playback, truths, played.classes, played.layout),
            **times(played.playback),
            "rate_hz": round(played.rates[-1], 3),
            "recorded_rate_hz": round(recording.rate_hz, 3),
            "realtime_factor": round(played.rates[-1] / recording.rate_hz, 4),
            "plays": [{"rate_hz": round(rate, 3), "results_out": count}
                      for rate, count in zip(played.rates, played.results, strict=True)],
            "backend": played.backend,
        }
        with BagWriter(settings.out / "output.mcap") as output:
            for record in played.records:
                output.add(record)
        notes = draw_pictures(bag, recording.image_topic, played.playback.answers, len(recording.stamps), config,
                              settings.out, recording.rate_hz)
    with written_aside(settings.out / "summary.json") as aside:
        aside.write_text(as_json(summary, indent=2) + "\n", encoding="utf-8")
    print(table(summary))
    for note in notes:
        print(f"note: {note}")
    print(f"\nSee {', '.join(name for name in RESULTS if (settings.out / name).exists())} in {settings.out}/")
    if summary["results_out"] < ENOUGH * summary["frames_in"]:
        print(f"error: the node answered {summary['results_out']} of {summary['frames_in']} frames, less than "
              f"{ENOUGH:.0%}; {settings.out / _LOG} and the drops above say why", file=sys.stderr)
        return 1
    return 0


def _check_places(settings: Settings) -> None:
    """Raises DemoError where results would take the place of what is played, or be among it in another run."""
    out, played = settings.out.resolve(), settings.images or settings.bag
    if played is None:
        return
    place = played.resolve()
    if out == place or (settings.images is not None and place in out.parents):
        raise DemoError(f"--out {settings.out}: results would lie among what is played, {played}; choose a folder "
                        "outside of it")
    inputs = find_images(played) if settings.images is not None else [played]
    names = (*RESULTS, _LOG, *([_RECORDING] if settings.bag is None else []))
    if taken := overwritten((settings.out / name for name in names), inputs):
        raise DemoError(f"{taken[1]}: a result would be written over this input; choose another --out")


def _recording(settings: Settings) -> Path:
    """The recording to play, made first where none is given."""
    if settings.bag is not None:
        return settings.bag
    from . import recording

    path = settings.out / _RECORDING
    if settings.images is not None:
        recording.from_images(path, settings.images, settings.rate_hz, settings.frames)
    else:
        recording.render(path, settings.frames or _RENDERED_FRAMES, settings.rate_hz, settings.size, settings.seed)
    return path


@dataclass(frozen=True)
class _Played:
    playback: Playback
    rates: list[float]
    """Hz of each play of the recording; the last one counts."""
    results: list[int]
    classes: tuple[str, ...]
    layout: str
    backend: str
    records: list[Record]


def _play(settings: Settings, recording: Recording, bag: BagReader) -> _Played:
    from . import play
    from .node_process import NodeProcess
    from .player import Player

    namespace = f"/thermal_demo_{os.getpid()}"
    rates: list[float] = []
    results: list[int] = []
    with NodeProcess(namespace, settings.parameters, settings.out / _LOG) as node, \
            Player(namespace, recording.compressed) as player:
        print("starting the node ...", flush=True)
        play.wait_until_active(player, node, settings.startup_timeout_s)
        play.wait_until_answering(player, node, recording, bag, settings.startup_timeout_s)
        # At its own rate first: a machine that others keep busy now and then follows it all the same.
        rate = recording.rate_hz
        print(f"playing {len(recording.stamps)} frames at {rate:.1f} Hz", flush=True)
        for attempt in range(1, _ATTEMPTS + 1):
            first = len(player.records)
            playback = play.play(player, node, recording, bag, rate)
            rates.append(rate)
            results.append(len(playback.answers))
            slower = play.slower_rate(rate, playback, recording)
            if len(playback.answers) >= ENOUGH * playback.frames or attempt == _ATTEMPTS or slower is None:
                break
            print(f"only {results[-1]} of {playback.frames} frames were answered; playing again at {slower:.1f} Hz "
                  f"instead of {recording.rate_hz:.1f} Hz, so that the node can follow", flush=True)
            rate = slower
        state = play.diagnostics(player)
        labels = player.received("label_info")
        records = labels + [record for record in player.records[first:] if record.topic != "label_info"]
        # As the node names them, in one namespace of the recording.
        records = [record if record.topic.startswith("/") else
                   Record(f"/thermal/{record.topic}", record.type, record.stamp_ns, record.data) for record in records]
        layout = state.get("landmark layout", "none")
        return _Played(playback, rates, results, play.class_names(player), "" if layout == "none" else layout,
                       state.get("backend", ""), records)
