"""What a data set holds as a digest, so that a run does not go on with other data: lists, labels and boxes.

Not pixels: they would take an epoch to read.
"""

from __future__ import annotations

import functools
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from training.data.coco import DataError
from training.data.field_layouts import FieldPairs
from training.data.mixture import open_source


def _of(values: Iterable[object]) -> str:
    """SHA-256 of values that write themselves the same way in every run."""
    made = hashlib.sha256()
    for value in values:
        made.update(f"{value!r}\n".encode())
    return made.hexdigest()


def of_files(paths: Iterable[Path]) -> str:
    """Digest of the content of files; raises DataError for one that cannot be read."""
    try:
        return _of(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None


def of_pairs(source: FieldPairs, root: Path) -> str:
    """Digest of pairs in the folder ``root``: the names of their files, their labels and boxes."""
    return _of((entry.thermal.relative_to(root).as_posix(), entry.visible.relative_to(root).as_posix(),
                [tuple(row) for row in entry.rows]) for entry in source.entries)


@functools.cache
def of_layout(kind: str, root: Path, split: str, background: tuple[str, ...]) -> str:
    """Digest of a set in a layout of the field; read once in a process, because comparisons ask for every run.

    Raises DataError for a set that cannot be used.
    """
    if kind == "hit_uav":
        return of_files([root / "normal_json" / "annotations" / f"{split}.json"])
    source = open_source(kind, root, split, background=background)
    assert isinstance(source, FieldPairs)
    return of_pairs(source, root)


def of_caches(paths: Iterable[Path]) -> str:
    """Digest of caches of rendered heads, whose arrays are told by the checksums in the archives.

    Raises DataError for a cache that cannot be read.
    """
    arrays: list[object] = []
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                arrays += sorted((entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist())
        except FileNotFoundError:
            raise DataError(f"{path} is missing") from None
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} cannot be read: {error}") from None
    return _of(arrays)


def of_heads(data: Path, caches: str) -> str:
    """Digest of caches of rendered heads and of the names of the drone images that may lie behind them.

    Args:
        data: folder of ``caches`` and of hit_uav.
        caches: relative to ``data``, joined by ":".

    Raises DataError for a cache that cannot be read.
    """
    return _of([of_caches(data / name for name in caches.split(":")),
                *sorted(path.name for path in (data / "hit_uav" / "train").glob("*.jpg"))])
