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
from .options import add_model_options, chosen_parameters, not_installed, positive_number

if TYPE_CHECKING:
    import numpy as np

_TOPIC = re.compile(r"(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")

HELP = "show what the node makes of an image, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``inspect``."""
    parser.add_argument("path", type=Path, metavar="PATH",
                        help="an image file, an .mcap file, a rosbag2 folder, or a topic such as /thermal/image")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="write a picture with the histogram and all contrast methods side by side")
    parser.add_argument("--topic", help="image topic of a recording, where it has several")
    parser.add_argument("--frame", type=int, default=0, metavar="N",
                        help="which image of a recording or topic, counted from 0 (default: %(default)s)")
    parser.add_argument("--timeout", type=positive_number, default=10.0, metavar="S",
                        help="seconds to wait for an image of a topic (default: %(default)s)")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Describe; 0 if the image could be read, 2 for arguments that make no sense, else 1."""
    from ..config import PerceptionConfig, with_values
    from ..evaluation.bags import BagError
    from ..frames import FrameError, ThermalFrame
    from ..inspection import describe

    try:
        config = with_values(PerceptionConfig(), chosen_parameters(args))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        values, encoding = _read(args)
        frame = ThermalFrame.from_array(values, config.thermal)
        print("\n".join(describe(values, frame, encoding, config)))
        if args.output is not None:
            _draw(frame, config, args.output)
    except (FrameError, BagError, _NoImage) as error:
        text = str(error)
        print(f"error: {text if str(args.path) in text else f'{args.path}: {text}'}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(not_installed(error), file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"error: {args.output}: cannot be written ({error}); choose another place, and a name that ends in .png",
              file=sys.stderr)
        return 1
    return 0


class _NoImage(RuntimeError):
    """A topic gave none; the message says why."""


def _read(args: argparse.Namespace) -> tuple[np.ndarray, str]:
    """The pixels and, of a recording or topic, their encoding; raises FrameError, BagError or _NoImage."""
    path: Path = args.path
    if not path.exists() and _TOPIC.fullmatch(str(path)):
        return _listen(str(path), args.timeout, args.frame)
    if not path.is_dir() and path.suffix not in (".mcap", ".db3"):
        from ..images import read_image

        return read_image(path), ""
    import itertools

    from ..evaluation.bags import BagError, BagReader, image_and_encoding

    with BagReader(path) as bag:
        chosen = bag.image_topic(args.topic)
        record = next(itertools.islice(bag.records([chosen]), max(0, args.frame), None), None)
        if record is None:
            raise BagError(f"{path}: has no image {args.frame} on {chosen}; choose a smaller --frame")
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
        values, encoding = image_and_encoding(image_of(topic, timeout_s, max(0, index)))
    except (TopicError, ConfigError) as error:
        raise _NoImage(f"{topic}: there is no such file, and {error}") from None
    return values.copy(), encoding


def _draw(frame: object, config: object, output: Path) -> None:
    from ..inspection import draw_methods
    from ..output import written_aside

    with written_aside(output) as aside:
        draw_methods(frame, config, aside)  # type: ignore[arg-type]
    print(f"picture      {output}")
