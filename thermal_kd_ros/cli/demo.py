"""See it work: a recording is played to the real node over DDS, and what the node answers is measured and drawn.

The recording is rendered by the simulated thermal camera, unless --bag or --images names one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..config import ConfigError
from .options import (
    add_model_options,
    chosen_parameters,
    cleaned_up_on_sigterm,
    image_size,
    number_between,
    positive_number,
)

_RATES_HZ = 1.0, 1000.0
"""Below, the frames that are rendered by default would play for many minutes, and three times at that."""

_SIZE = 640, 512

HELP = "render or take a recording, play it to the node, measure and draw the answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``demo``."""
    source = parser.add_argument_group("recording").add_mutually_exclusive_group()
    source.add_argument("--bag", type=Path, help="play this recording: an .mcap file or a rosbag2 folder")
    source.add_argument("--images", type=Path, metavar="DIR", help="play the images of this folder")
    parser.add_argument("--topic", help="image topic of --bag, where it has several")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="where results go (default: %(default)s)")
    parser.add_argument("--frames", type=int, metavar="N",
                        help="frames to render, or most frames to play (default: 160 rendered, all of a recording)")
    parser.add_argument("--rate", type=number_between(*_RATES_HZ), default=10.0, metavar="HZ",
                        help="rate at which frames are rendered, or images played, from {:g} to {:g} "
                             "(default: %(default)s)".format(*_RATES_HZ))
    parser.add_argument("--size", type=image_size, metavar="WxH",
                        help="size of rendered frames (default: {}x{})".format(*_SIZE))
    parser.add_argument("--seed", type=int, help="another seed renders other scenes (default: 0)")
    parser.add_argument("--startup-timeout", type=positive_number, default=180.0, metavar="S",
                        help="seconds within which the node must answer its first frame (default: %(default)s)")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if the node answered at least 95 % of the frames, 2 for arguments that make no sense, else 1."""
    from ..simulation.config import LARGEST_SIDE

    played = "--bag" if args.bag else "--images" if args.images else ""
    idle = [f"--{name}" for name in ("size", "seed") if played and getattr(args, name) is not None]
    if args.topic is not None and not args.bag:
        idle.append("--topic")
    if idle:
        print(f"error: {' and '.join(idle)} would do nothing {f'with {played}' if played else 'without --bag'}; leave "
              "that out", file=sys.stderr)
        return 2
    size = args.size or _SIZE
    try:
        parameters = chosen_parameters(args)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not ((args.frames is None or args.frames >= 1) and 64 <= min(size) <= max(size) <= LARGEST_SIDE):
        print(f"error: --frames must be at least 1, --size from 64x64 to {LARGEST_SIDE}x{LARGEST_SIDE}",
              file=sys.stderr)
        return 2
    try:
        import rclpy  # noqa: F401
        import vision_msgs.msg  # noqa: F401
    except ImportError as error:
        from .node import missing_ros

        print(missing_ros(error), file=sys.stderr)
        return 1
    from ..demo.run import DemoError, Settings, run_demo
    from ..evaluation.bags import BagError
    from ..frames import FrameError
    from ..models.card import ModelError
    from ..output import ResultError

    settings = Settings(args.out, args.bag, args.images, args.topic, args.frames, args.rate, size, args.seed or 0,
                        args.startup_timeout, parameters)
    try:
        # Asked to end, the demo ends the node too.
        with cleaned_up_on_sigterm():
            return run_demo(settings)
    except (DemoError, BagError, ConfigError, FrameError, ModelError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or args.out}: {error.strerror}; is the disk full, or the folder read-only?",
              file=sys.stderr)
    return 1
