"""Command line: ``python3 -m thermal_kd_ros COMMAND``; each command is a module of ``cli``."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Sequence

from .cli import benchmark, demo, detect, evaluate, export, inspect, models, node
from .packages import not_installed

_OUTPUT_FAILED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""Of an error that names no file: what was printed did not arrive."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands; loads nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="python3 -m thermal_kd_ros",
        description="Thermal-camera perception: objects and facial landmarks, as the ROS 2 node runs it.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (benchmark, demo, detect, evaluate, export, inspect, models, node):
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["node"] and given[1:] not in (["-h"], ["--help"]):
        # ROS has its own syntax for arguments, which argparse must not touch.
        return node.start(given[1:])
    args = build_parser().parse_args(given)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output, such as head, has what it wanted; what is still to be written goes nowhere.
        _discard_output()
        sys.stderr.close()
        return 0
    except OSError as error:
        unsaid = "what was said cannot be written: " if error.errno in _OUTPUT_FAILED else ""
        where = f"{error.filename}: " if error.filename else unsaid
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        _discard_output()
        return 1
    except ImportError as error:
        print(f"error: {not_installed(error)}", file=sys.stderr)
        return 1
    return code


def _discard_output() -> None:
    """Let Python end without another try at what could not be written to stdout."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
