"""Results: files that are whole or not there, written aside and then renamed, and JSON that every parser takes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
_MOST_LINKS = 40
"""As Linux follows."""


class ResultError(RuntimeError):
    """A result is nothing that can be written; the message says what, and what to do."""


def as_json(content: Any, indent: int | None = None) -> str:
    """Results as JSON; raises ResultError for NaN and infinities, which JSON does not know and most parsers refuse."""
    try:
        return json.dumps(content, indent=indent, allow_nan=False)
    except ValueError:
        raise ResultError("internal error: a result is NaN or infinite, which JSON does not know; please report it, "
                          "with the command and its input") from None


def overwritten(outputs: Iterable[Path], inputs: Iterable[Path]) -> tuple[Path, Path] | None:
    """The first output that would be written over an input, whatever links lead there, and that input; else None."""
    places = {os.path.realpath(path): path for path in inputs}
    return next(((path, places[place]) for path in outputs if (place := os.path.realpath(path)) in places), None)


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A temporary path with the suffix of ``path``, renamed to it at the end; removed if the block raises.

    Makes the folder. A link stays, and what it leads to is replaced. A pipe, a terminal or the like stays too, and is
    given the bytes at the end. Raises OSError where it cannot be written, which names ``path`` and not the temporary
    file.
    """
    place = None if _takes_bytes(path) else Path(os.path.realpath(path))
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
    try:
        # What is given bytes is written in the folder for temporary files: nobody can make a file beside a device.
        handle, name = tempfile.mkstemp(dir=place and place.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        if place is None:
            _pour(aside, path)
            return
        # mkstemp makes files that only their owner reads.
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        os.replace(aside, place)
    except OSError as error:
        # What fails while bytes go to a file that is open has no name.
        mine = error.errno in _NO_ROOM if error.filename is None else str(error.filename) == name
        if not mine:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)


def _takes_bytes(path: Path) -> bool:
    """Whether bytes are written into what is there, because it cannot be replaced; raises OSError for a disk."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, f"it is a {'disk' if stat.S_ISBLK(mode) else 'socket'}, not a file", str(path))
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _descriptor(path: Path) -> int | None:
    """The open file of this process that a path such as /dev/stdout stands for; None for any other path.

    What a shell has opened is written where it stands in it: by its name, a file that is appended to would be replaced.
    """
    for _ in range(_MOST_LINKS):
        folder = Path(os.path.realpath(path.parent))
        if folder == Path(f"/proc/{os.getpid()}/fd") and path.name.isdecimal():
            return int(path.name)
        path = folder / path.name
        if not path.is_symlink():
            return None
        path = folder / os.readlink(path)
    return None


def _pour(aside: Path, path: Path) -> None:
    """Give the bytes of a file to a pipe, a terminal or the like."""
    descriptor = _descriptor(path)
    # What was printed before comes before.
    sys.stdout.flush()
    with aside.open("rb") as source, open(path if descriptor is None else os.dup(descriptor), "wb") as target:
        shutil.copyfileobj(source, target)
