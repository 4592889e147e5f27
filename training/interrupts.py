"""Commands that somebody stops with Ctrl-C, and the processes that work for them."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, ParamSpec

_P = ParamSpec("_P")


def interruptible(main: Callable[_P, int]) -> Callable[_P, int]:
    """A command that ends with one line and exit code 130 when it is interrupted, instead of a traceback."""

    @functools.wraps(main)
    def command(*args: _P.args, **kwargs: _P.kwargs) -> int:
        try:
            return main(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    return command


@contextlib.contextmanager
def workers(count: int, start: Callable[..., None] | None = None, *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """So many worker processes, each begun by ``start(*arguments)``; what waits is dropped if the block raises."""
    # Not forked: whoever calls this may hold threads of other libraries'.
    with ProcessPoolExecutor(count, get_context("spawn"), _begin, (start, arguments)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # A terminal sends Ctrl-C to all of them: the parent alone ends the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if start is not None:
        start(*arguments)
