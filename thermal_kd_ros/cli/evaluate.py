"""Look through a recording with the pipeline that the node runs, and measure it against the truth that it holds.

Needs no ROS and no time of its own: every frame is answered, in its order, as by a node that is never late. What a node
does at the recording's own rate, with what it drops, shows ``demo --bag``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import ConfigError
from ..evaluation.topics import TruthTopics
from .options import add_model_options, check_outputs, chosen_parameters, cleaned_up_on_sigterm

if TYPE_CHECKING:
    from ..config import PerceptionConfig
    from ..evaluation.offline import Answered
    from ..evaluation.report import Playback

HELP = "measure a recording with the node's pipeline, without ROS"

RESULTS = ("summary.json", "found.json", "sheet.png", "overlay.mp4")
_RATE_HZ = 10.0
"""Of the film of a recording of one frame."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate``."""
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="an .mcap file or a rosbag2 folder")
    parser.add_argument("--topic", help="image topic, where the recording has several")
    parser.add_argument("--frames", type=int, metavar="N", help="most frames to look at (default: all)")
    parser.add_argument("--truth-detections", metavar="TOPIC",
                        help=f"where the true boxes are (default: {TruthTopics.detections})")
    parser.add_argument("--truth-landmarks", metavar="TOPIC",
                        help=f"where the true landmarks are (default: {TruthTopics.landmarks})")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write {} there (default: print the table "
                        "only)".format(", ".join(RESULTS)))
    parser.add_argument("--for-metrics", action="store_true",
                        help="keep the unsure detections that average precision needs: score 0.01, 300 an image")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate; 0 if at least one frame was answered, 2 for arguments that make no sense, else 1."""
    from ..config import PerceptionConfig, with_values
    from ..engines.base import EngineError
    from ..evaluation.bags import BagError
    from ..models.card import ModelError
    from ..output import ResultError

    try:
        config = with_values(PerceptionConfig(), _values(args))
        if args.frames is not None and args.frames < 1:
            raise ConfigError("--frames must be at least 1")
        if args.out is not None:
            check_outputs("--out", (args.out / name for name in RESULTS), _files(args.recording), config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        with cleaned_up_on_sigterm():
            return _evaluate(args, config)
    except (BagError, ConfigError, ModelError, EngineError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 1


def _values(args: argparse.Namespace) -> dict[str, Any]:
    from ..evaluation.detection import FOR_METRICS

    return chosen_parameters(args, FOR_METRICS if args.for_metrics else {})


def _files(recording: Path) -> list[Path]:
    """What the recording is made of."""
    return [path for path in recording.iterdir() if path.is_file()] if recording.is_dir() else [recording]


def _evaluate(args: argparse.Namespace, config: PerceptionConfig) -> int:
    from ..evaluation.bags import BagReader
    from ..evaluation.offline import look_through
    from ..evaluation.recording import Recording
    from ..evaluation.report import Playback, summarise, table
    from ..evaluation.truth import read_truth
    from ..output import as_json, written_aside
    from ..pipeline import ThermalPerception

    named = {"detections": args.truth_detections, "landmarks": args.truth_landmarks}
    topics = TruthTopics(**{name: topic for name, topic in named.items() if topic is not None})
    with BagReader(args.recording) as bag:
        for topic in (topic for topic in named.values() if topic is not None):
            bag.require(topic)
        recording = Recording.of(bag, args.topic, args.frames, _RATE_HZ)
        truths = read_truth(bag, recording.headers, topics)
        if truths:
            import pycocotools  # noqa: F401  # rather than after the work
        perception = ThermalPerception(config)
        playback = Playback(0)
        answered = _shown(look_through(bag, recording, perception, playback, _Told()), len(recording.stamps))
        if args.out is None:
            for _ in answered:
                pass
        else:
            for name in RESULTS:
                # What an earlier run left must not be taken for the results of this one.
                (args.out / name).unlink(missing_ok=True)
            _write_found(args.out / "found.json", answered)
        layout = perception.networks.layout
        summary = {"recording": str(args.recording), "topic": recording.image_topic,
                   **summarise(playback, truths, perception.class_names, layout.name if layout else ""),
                   "backend": perception.describe()}
        notes = _pictures(args.out, bag, recording, playback, config) if args.out is not None else []
    if args.out is not None:
        with written_aside(args.out / "summary.json") as aside:
            aside.write_text(as_json(summary, indent=2) + "\n", encoding="utf-8")
    print(table(summary))
    for note in notes:
        print(f"note: {note}")
    if args.out is not None:
        print(f"\nSee {', '.join(name for name in RESULTS if (args.out / name).exists())} in {args.out}/")
    if not playback.answers:
        print(f"error: none of the {playback.frames} frames could be answered, see above", file=sys.stderr)
        return 1
    return 0


class _Told:
    """Prints what is to be known of the images, each sentence once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, kind: str, text: str) -> None:
        from tqdm import tqdm

        if text not in self._said:
            self._said.add(text)
            tqdm.write(f"{kind}: {text}", file=sys.stderr)


def _shown(answered: Iterator[Answered], total: int) -> Iterator[Answered]:
    """The same, with a progress bar over ``total`` frames."""
    from tqdm import tqdm

    with tqdm(total=total, desc="evaluate", unit="frame", disable=None) as bar:
        for entry in answered:
            bar.update(entry[0] + 1 - bar.n)
            yield entry
        bar.update(total - bar.n)


def _write_found(path: Path, answered: Iterator[Answered]) -> None:
    """``found.json``, written as the answers come."""
    from ..entries import entry_of
    from ..output import as_json, written_aside

    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as output:
        output.write('{"images": [')
        separator = "\n"
        for index, stamp, result in answered:
            seconds, nanoseconds = divmod(stamp, 1_000_000_000)
            entry = {"frame": index, "stamp": {"sec": seconds, "nanosec": nanoseconds}, **entry_of(result)}
            output.write(separator + as_json(entry))
            separator = ",\n"
        output.write("\n]}\n")


def _pictures(folder: Path, bag: Any, recording: Any, playback: Playback, config: PerceptionConfig) -> list[str]:
    from ..evaluation.pictures import draw_pictures

    return draw_pictures(bag, recording.image_topic, playback.answers, len(recording.stamps), config, folder,
                         recording.rate_hz)
