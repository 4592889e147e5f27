"""Whether a file can be written, asked before the hours of work that it is for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2


def check_place(path: Path) -> None:
    """Make the folder of a file that is to be written; raises OSError where that file could not be."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def check_picture(path: Path) -> None:
    """``check_place`` for a picture; raises OSError for a name that says no format to write it in too."""
    if not (path.suffix and cv2.haveImageWriter(str(path))):
        raise OSError(f"{path}: its name says no format that pictures are written in; choose one that ends in .png")
    check_place(path)
