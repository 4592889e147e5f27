"""Options that several sub-commands share: which models run, on what, with which parameters."""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config import DEVICES, ConfigError, PerceptionConfig, parameters
from ..output import overwritten


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Model, device and free parameters."""
    defaults = PerceptionConfig()
    group = parser.add_argument_group("models and parameters")
    group.add_argument("--model", metavar="NAME", help="detector: a shipped model or a .safetensors or .onnx file "
                       f"(default: {defaults.detector.model})")
    group.add_argument("--face-model", metavar="NAME", help=f"face detector (default: {defaults.face.detector_model})")
    group.add_argument("--landmark-model", metavar="NAME",
                       help=f"landmark model (default: {defaults.face.landmark_model})")
    group.add_argument("--no-faces", action="store_true", help="look for no faces and landmarks")
    group.add_argument("--device", help=f"auto, {DEVICES} (default: {defaults.engine.device})")
    group.add_argument("--params", type=Path, metavar="FILE", help="take the pipeline's parameters from this ROS "
                       "parameter file, as the robot has it; the other options come after it")
    add_assignments(group)


def positive_number(text: str) -> float:
    """The type of an option that takes a finite number above 0; raises what argparse reports."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text}: must be a finite number above 0")
    return value


def image_size(text: str) -> tuple[int, int]:
    """The type of an option that takes the size of an image: (width, height); raises what argparse reports."""
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: must read like 640x512") from None


def number_between(least: float, most: float) -> Callable[[str], float]:
    """The type of an option that takes a number in [least, most]; it raises what argparse reports."""

    def number(text: str) -> float:
        value = positive_number(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text}: must be from {least:g} to {most:g}")
        return value

    return number


@contextlib.contextmanager
def cleaned_up_on_sigterm() -> Iterator[None]:
    """A command that is asked to end by SIGTERM removes its temporary files first, and ends what it has started."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_outputs(option: str, outputs: Iterable[Path], inputs: Iterable[Path], config: PerceptionConfig) -> None:
    """Raises ConfigError for an output that would take the place of one of ``inputs`` or of a file in ``config``."""
    named = (*config.models(), config.correction.bad_pixel_map)
    files = (path for path in (Path(name).expanduser() for name in named if name) if path.is_file())
    if taken := overwritten(outputs, (*inputs, *files)):
        raise ConfigError(f"{option} {taken[0]}: would be written over the input {taken[1]}; choose another name")


def check_folder(option: str, folder: Path) -> None:
    """Make the folder that results go to; raises ConfigError where nothing could be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise ConfigError(f"{option} {folder}: is a file; give a folder") from None
    except OSError as error:
        raise ConfigError(f"{option} {folder}: cannot be written ({error.strerror}); choose another folder") from None


def add_assignments(parser: argparse._ActionsContainer) -> None:
    """Free parameters; ``assigned`` reads them."""
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments",
                        help="any parameter of the pipeline, e.g. --set contrast.method=plateau; may be repeated")


def assigned(assignments: Iterable[str]) -> dict[str, Any]:
    """The parameters {dotted name: value} of ``--set`` options; raises ConfigError."""
    return dict(parse_assignment(text) for text in assignments)


def chosen_parameters(args: argparse.Namespace, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parameters {dotted name: value} that the options name; raises ConfigError.

    ``own`` are those of a command's other options: they stand above a file's, and below what is set by name.
    """
    from ..parameter_file import read_parameters

    read = read_parameters(args.params) if args.params is not None else {}
    given = {
        "detector.model": args.model,
        "face.detector_model": args.face_model,
        "face.landmark_model": args.landmark_model,
        "face.enabled": False if args.no_faces else None,
        "engine.device": args.device,
    }
    options = {name: value for name, value in given.items() if value is not None}
    return read | dict(own or {}) | options | assigned(args.assignments)


def parse_assignment(text: str) -> tuple[str, Any]:
    """``name=value`` to the parameter's name and its value in the parameter's type; raises ConfigError."""
    name, equals, value = text.partition("=")
    known = {key: default for key, default, _ in parameters(PerceptionConfig())}
    if not equals:
        raise ConfigError(f"--set {text!r}: must read NAME=VALUE")
    if name not in known:
        raise ConfigError(f"--set {name}: there is no such parameter; known: {', '.join(known)}")
    kind = type(known[name])
    try:
        return name, _parse(value, kind)
    except ValueError:
        raise ConfigError(f"--set {name}={value}: must be of type {kind.__name__}") from None


def _parse(value: str, kind: type) -> Any:
    if kind is bool:
        words = {"true": True, "1": True, "false": False, "0": False}
        if value.lower() not in words:
            raise ValueError(value)
        return words[value.lower()]
    if kind is tuple:
        return tuple(part for part in value.split(",") if part)
    return kind(value)
