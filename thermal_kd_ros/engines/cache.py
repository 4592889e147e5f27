"""Where networks built for one GPU are kept, so that they are built once, and never taken for another's."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class EngineKey:
    """Everything on which a built network depends."""

    model: str
    """SHA-256 of the model file."""
    gpu: str
    compute_capability: tuple[int, int]
    libraries: str
    """Names and versions of the libraries that build and run it."""
    precision: str
    shape: tuple[int, ...]
    """Largest input."""

    def name(self) -> str:
        """A folder name that no other key has."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def usable_folder(root: str, below: str, warnings: list[str]) -> Path | None:
    """The folder ``below`` the cache ``root`` (empty: the user's own), made if need be.

    None, with a warning added, if nothing can be written there: then everything is built anew at each start.
    """
    base = Path(root).expanduser() if root else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "thermal_kd_ros"
    folder = base.expanduser() / below
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        warnings.append(f"{folder}: cannot be written ({error.strerror}), so networks are built anew at each start, "
                        "which takes minutes with TensorRT; set engine.cache_dir to a folder that can be written")
        return None
