"""Look at one image as the node does: its type and range, what its values are taken for, and its contrast.

What to run when nothing is detected. Takes an image file (8- or 16-bit PNG, TIFF, JPEG, .npy), a recording (.mcap or a
rosbag2 folder) or a topic with raw or compressed images.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import ConfigError
from .options import (
    add_model_options,
    check_outputs,
    chosen_parameters,
    cleaned_up_on_sigterm,
    positive_number,
)

if TYPE_CHECKING:
    import numpy as np

    from ..config import PerceptionConfig
    from ..frames import ThermalFrame

_TOPIC = re.compile(r"(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")

_OPTIONS = {"image file": (), "recording": ("topic", "frame"), "topic": ("frame", "timeout")}
"""Options that choose an image, by what PATH is."""
_TIMEOUT_S = 10.0

HELP = "show what the node makes of an image, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``inspect``."""
    parser.add_argument("path", type=Path, metavar="PATH",
                        help="an image file, an .mcap file, a rosbag2 folder, or a topic such as /thermal/image")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="write a picture with the histogram and all contrast methods side by side")
    parser.add_argument("--topic", help="image topic of a recording, where it has several")
    parser.add_argument("--frame", type=int, metavar="N",
                        help="which image of a recording or topic, counted from 0 (default: 0)")
    parser.add_argument("--timeout", type=positive_number, metavar="S",
                        help=f"seconds to wait for an image of a topic (default: {_TIMEOUT_S:g})")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Describe; 0 if the image could be read, 2 for arguments that make no sense, else 1."""
    from ..config import PerceptionConfig, with_values
    from ..evaluation.bags import BagError
    from ..frames import FrameError, ThermalFrame
    from ..inspection import describe

    try:
        config = with_values(PerceptionConfig(), chosen_parameters(args))
        _check(args, config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        values, encoding = _read(args)
        frame = ThermalFrame.from_array(values, config.thermal)
        print("\n".join(describe(values, frame, encoding, config)))
    except (FrameError, BagError, _NoImage) as error:
        text = str(error)
        print(f"error: {text if str(args.path) in text else f'{args.path}: {text}'}", file=sys.stderr)
        return 1
    except ConfigError as error:
        print(f"error: {config.detector.model}: {error}", file=sys.stderr)
        return 1
    return 0 if args.output is None else _draw(frame, config, args.output)


class _NoImage(RuntimeError):
    """A topic gave none; the message says why."""


def _kind(path: Path) -> str:
    """One of _OPTIONS."""
    from ..evaluation.bags import RECORDINGS

    if not path.exists() and _TOPIC.fullmatch(str(path)):
        return "topic"
    return "recording" if path.is_dir() or path.suffix in RECORDINGS else "image file"


def _check(args: argparse.Namespace, config: PerceptionConfig) -> None:
    """Raises ConfigError for options that would be ignored, and for a picture of no format or in an input's place."""
    from ..images import check_picture_name

    if args.frame is not None and args.frame < 0:
        raise ConfigError(f"--frame {args.frame}: images are counted from 0")
    kind = _kind(args.path)
    for name in ("topic", "frame", "timeout"):
        if getattr(args, name) is not None and name not in _OPTIONS[kind]:
            article = "an" if kind[0] in "aeiou" else "a"
            raise ConfigError(f"--{name} does not apply to {args.path}, {article} {kind}; leave it out")
    if args.output is not None:
        try:
            check_picture_name(args.output)
        except OSError as error:
            raise ConfigError(f"--output {error}") from None
        check_outputs("--output", [args.output], [args.path], config)


def _read(args: argparse.Namespace) -> tuple[np.ndarray, str]:
    """The pixels and, of a recording or topic, their encoding; raises FrameError, BagError or _NoImage."""
    path: Path = args.path
    kind, index = _kind(path), args.frame or 0
    if kind == "topic":
        return _listen(str(path), args.timeout or _TIMEOUT_S, index)
    if kind == "image file":
        from ..images import read_image

        return read_image(path, lambda text: print(f"warning: {text}", file=sys.stderr)), ""
    import itertools

    from ..evaluation.bags import BagError, BagReader, image_and_encoding

    with BagReader(path) as bag:
        chosen = bag.image_topic(args.topic)
        record = next(itertools.islice(bag.records([chosen]), index, None), None)
        if record is None:
            raise BagError(f"{path}: has no image {index} on {chosen}; choose a smaller --frame")
        values, encoding = image_and_encoding(bag.message(record))
        return values.copy(), encoding


def _listen(topic: str, timeout_s: float, index: int) -> tuple[np.ndarray, str]:
    """An image of a live topic."""
    import os

    from ..dds import dds_environment

    # Before ROS starts in this process.
    os.environ.update(dds_environment(os.environ))
    try:
        from ..nodes.snapshot import TopicError, image_of
    except ImportError as error:
        raise _NoImage(f"{topic}: there is no such file, and to look at a topic ROS 2 must be there: {error}. Source a "
                       "distribution (source /opt/ros/<name>/setup.bash), or correct the path") from None
    from ..evaluation.bags import image_and_encoding

    try:
        values, encoding = image_and_encoding(image_of(topic, timeout_s, index))
    except (TopicError, ConfigError) as error:
        raise _NoImage(f"{topic}: there is no such file, and {error}") from None
    return values.copy(), encoding


def _draw(frame: ThermalFrame, config: PerceptionConfig, output: Path) -> int:
    from ..inspection import draw_methods

    try:
        with cleaned_up_on_sigterm():
            draw_methods(frame, config, output)
    except OSError as error:
        print(f"error: {output}: cannot be written ({error.strerror or error}); choose another place", file=sys.stderr)
        return 1
    print(f"picture      {output}")
    return 0
