"""Measure speed on this machine: stages of the pipeline, engines, the node over DDS, several cameras, memory.

What is compared takes turns, so that ratios hold on a busy machine too. Networks of others can be measured beside ours,
with --peer NAME=FILE.onnx; docs/performance.md in the repository says how to make them.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from ..config import BACKENDS, ConfigError
from .options import (
    add_model_options,
    check_folder,
    chosen_parameters,
    cleaned_up_on_sigterm,
    positive_number,
)

HELP = "measure stages, engines, the node over DDS, several cameras and memory"

PARTS = ("stages", "engines", "node", "cameras", "memory")
_OF_ROS = ("node", "cameras")
RESULTS = ("benchmark.json", "benchmark.md", "ratios.md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``benchmark``."""
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"what to measure, of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a look in a minute or two: few, short runs")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="runs of each case of stages and engines (default: 100)")
    parser.add_argument("--seconds", type=positive_number, metavar="S",
                        help="length of each run of the node (default: 5)")
    parser.add_argument("--repeats", type=int, metavar="N",
                        help="runs of the node of each kind; the best and the worst are left out (default: 5)")
    parser.add_argument("--memory-frames", type=int, metavar="N", help="frames of the memory test (default: 5000)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FILE",
                        help="an ONNX network to run beside ours, with the same settings; may be repeated")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS[1:], default=list(BACKENDS[1:]), metavar="NAME",
                        help=f"engines to compare, of {', '.join(BACKENDS[1:])} (default: all that are installed)")
    parser.add_argument("--out", type=Path, default=Path("build/bench"),
                        help="where results go (default: %(default)s)")
    parser.add_argument("--startup-timeout", type=positive_number, default=180.0, metavar="S",
                        help="seconds within which the node must answer its first frame (default: %(default)s)")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure; 0 if all was measured, 2 for arguments that make no sense, else 1."""
    usual = {"rounds": (100, 10), "seconds": (5.0, 1.0), "repeats": (5, 3), "memory_frames": (5000, 60)}
    for name, (full, quick) in usual.items():
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else full)
    try:
        peers = _peers(args.peer)
        parameters = chosen_parameters(args)
        if peers and "engines" not in args.parts:
            raise ConfigError("--peer is for the part engines; add it to --parts, or leave --peer out")
        if min(args.rounds, args.repeats, args.memory_frames) < 1:
            raise ConfigError("--rounds, --repeats and --memory-frames must be at least 1")
        check_folder("--out", args.out)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    without_ros = _missing_ros() if set(args.parts) & set(_OF_ROS) else ""
    if without_ros:
        print(f"{without_ros}. Left out: {', '.join(_OF_ROS)}", file=sys.stderr)
        args.parts = [part for part in args.parts if part not in _OF_ROS]
    from ..benchmark.errors import BenchmarkError
    from ..demo.errors import DemoError
    from ..engines.errors import EngineError
    from ..models.card import ModelError
    from ..output import ResultError

    try:
        with cleaned_up_on_sigterm():
            result = _begin(args, parameters, peers)
            try:
                for part in (part for part in PARTS if part in args.parts):
                    result[part] = _measure(part, args, parameters, peers)
            finally:
                # What was measured before something failed took minutes: it is kept.
                if set(PARTS) & set(result):
                    _write(result, args.out)
    except (ConfigError, ModelError, EngineError, BenchmarkError, DemoError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or args.out}: {error.strerror}; is the disk full, or the folder read-only?",
              file=sys.stderr)
        return 1
    without_peers = result.get("engines", {}).get("peers_left_out", ())
    if without_peers:
        print(f"error: {', '.join(without_peers)} could not be measured everywhere; 'left out' above the table of "
              "engines says why", file=sys.stderr)
    return 1 if without_ros or without_peers else 0


def _peers(given: list[str]) -> dict[str, Path]:
    peers: dict[str, Path] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--peer {text!r}: must read NAME=FILE.onnx")
        peers[name] = Path(file)
        if not peers[name].is_file():
            raise ConfigError(f"--peer {name}: there is no file {file}")
    return peers


def _missing_ros() -> str:
    """What to do where ROS cannot be imported; empty where it can."""
    try:
        import rclpy  # noqa: F401
        import vision_msgs.msg  # noqa: F401
    except ImportError as error:
        from .node import missing_ros

        return missing_ros(error)
    return ""


def _begin(args: argparse.Namespace, parameters: dict[str, Any], peers: dict[str, Path]) -> dict[str, Any]:
    """What is known before anything is measured."""
    from ..benchmark.host import describe_host, describe_models, describe_versions
    from ..config import PerceptionConfig, with_values

    names = ("quick", "rounds", "seconds", "repeats", "memory_frames", "backends")
    return {"format": 1, "host": describe_host(), "versions": describe_versions(),
            "models": describe_models(with_values(PerceptionConfig(), parameters)),
            "settings": {name: getattr(args, name) for name in names}, "parameters": parameters,
            "peers": sorted(peers)}


def _measure(part: str, args: argparse.Namespace, parameters: dict[str, Any], peers: dict[str, Path]
             ) -> dict[str, Any]:
    """One of PARTS."""
    from ..config import PerceptionConfig, with_values

    config = with_values(PerceptionConfig(), parameters)
    if part == "engines":
        from ..benchmark.engines import measure_engines

        return measure_engines(config, args.rounds, peers, args.backends)
    if part in _OF_ROS:
        from ..benchmark.node import Settings, measure_cameras, measure_node

        settings = Settings(args.seconds, args.repeats, args.startup_timeout, parameters, args.out / f"{part}.log")
        return measure_node(config, settings) if part == "node" else measure_cameras(config, settings)
    from ..benchmark.stages import measure_memory, measure_stages

    return measure_stages(config, args.rounds) if part == "stages" else measure_memory(config, args.memory_frames)


def _write(result: dict[str, Any], folder: Path) -> None:
    """JSON, tables and pictures; raises OSError."""
    from ..benchmark.report import markdown
    from ..output import as_json, written_aside

    texts = (as_json(_measured(result), indent=2) + "\n", markdown(result), markdown(result, times=False))
    for name, text in zip(RESULTS, texts, strict=True):
        with written_aside(folder / name) as aside:
            aside.write_text(text, encoding="utf-8")
    print(texts[1])
    names = list(RESULTS)
    try:
        from ..benchmark.plots import draw

        names += [path.name for path in draw(result, folder)]
    except ImportError as error:
        print(f"note: no pictures without {error.name}; install it with: python3 -m pip install matplotlib")
    print(f"See {', '.join(names)} in {folder}/")


def _measured(result: Any) -> Any:
    """The same with None in the place of NaN, which stands for what could not be measured."""
    if isinstance(result, dict):
        return {name: _measured(value) for name, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [_measured(value) for value in result]
    return None if isinstance(result, float) and math.isnan(result) else result
