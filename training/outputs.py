"""Whether a file can be written, asked before the hours of work that it is for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from thermal_kd_ros.images import check_picture_name


def check_place(path: Path) -> None:
    """Make the folder of a file that is to be written; raises OSError where that file could not be."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def check_picture(path: Path) -> None:
    """``check_place`` for a picture; raises OSError for a name that says no format to write it in too."""
    check_picture_name(path)
    check_place(path)
