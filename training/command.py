"""What all commands do alike: a user's mistake, or Ctrl-C, ends them with one line instead of a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from thermal_kd_ros.packages import not_installed

_P = ParamSpec("_P")


def command(*mistakes: type[Exception], interrupted: str = "") -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Of a ``main``: its ``mistakes`` and missing packages are told in one line (exit code 1), and so is Ctrl-C (130).

    ``interrupted`` is what a user should know who stopped it.
    """

    def decorated(main: Callable[_P, int]) -> Callable[_P, int]:
        @functools.wraps(main)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> int:
            try:
                return main(*args, **kwargs)
            except mistakes as error:
                print(f"error: {told(error)}", file=sys.stderr)
                return 1
            except ModuleNotFoundError as error:
                print(f"error: {not_installed(error)}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print("; ".join(filter(None, ("interrupted", interrupted))), file=sys.stderr)
                return 130

        return run

    return decorated


def told(error: Exception) -> str:
    """An error's message alone, also if it was raised in a process that prepares data.

    PyTorch's DataLoader hands it on with that process's traceback before it.
    """
    text = str(error)
    if "\nOriginal Traceback" not in text:
        return text
    name, colon, message = text.strip().splitlines()[-1].partition(": ")
    return message if colon else name
