"""Numbers that command lines take, checked before any work."""

from __future__ import annotations

import math
from pathlib import Path

from training.data.coco import DataError


def check_number(option: str, value: float, least: float, most: float = math.inf) -> None:
    """Raise DataError naming the option if its value is not finite or does not lie in ``least``..``most``."""
    if not (math.isfinite(value) and least <= value <= most):
        wanted = f"at least {least}" if most == math.inf else f"a value in {least}..{most}"
        raise DataError(f"{option} {value}: give {wanted}")


def check_folder(option: str, folder: Path) -> None:
    """Raise DataError if what an option names is no folder."""
    if not folder.is_dir():
        raise DataError(f"{option} {folder}: there is no such folder")


def check_file(option: str, file: str) -> None:
    """Raise DataError if an option names a file that is not there; an empty name is none given."""
    if file and not Path(file).expanduser().is_file():
        raise DataError(f"{option} {file}: there is no such file")


def check_seed(seed: int) -> None:
    """Raise DataError if no random numbers can be drawn from a seed."""
    check_number("--seed", seed, 0, 2**32 - 1)


def check_rendering(count: int, seed: int, processes: int = 1, last_seed: float = math.inf) -> None:
    """Raise DataError if so many things cannot be rendered, from a seed on, by so many processes."""
    check_number("--count", count, 1)
    check_number("--seed", seed, 0, last_seed)
    check_number("--processes", processes, 1)


def check_step(step: int) -> None:
    """Raise DataError if not every ``step``-th image can be taken."""
    if step < 1:
        raise DataError(f"--step {step}: take every frame (1), or every so many")
