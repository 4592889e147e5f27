"""Reading NumPy archives that a user names."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np

from training.data.coco import DataError


def read_arrays(path: Path, kind: str, names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an .npz file; nothing is unpickled.

    Args:
        kind: what the file should be, with its article, and what to do if it is not.
        names: those to read, as far as they are there; None: all.

    Raises DataError if the file is damaged or no archive, OSError if it cannot be opened.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if names is None or name in names}
    except (ValueError, TypeError, AttributeError, LookupError, EOFError, NotImplementedError, pickle.UnpicklingError,
            zipfile.BadZipFile, zlib.error):
        raise DataError(f"{path}: damaged or not {kind}") from None


def read_clip(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, H, W) and their stamps (T,) in seconds of a clip of feverscreen. Raises DataError."""
    arrays = read_arrays(path, "a clip of feverscreen", ("frames", "t"))
    if arrays.keys() != {"frames", "t"}:
        raise DataError(f"{path} has no frames and times t: it is no clip of feverscreen")
    frames, stamps = arrays["frames"], arrays["t"]
    if frames.ndim != 3 or not frames.size or stamps.shape != frames.shape[:1]:
        raise DataError(f"{path}: frames of shape {frames.shape} and times of shape {stamps.shape} are no clip")
    return frames, stamps
