"""What tests of several measures on recorded faces share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def empty_drivers(tmp_path: Path) -> Path:
    """A sequence of driver_faces in ``tmp_path`` whose one image and label are empty files named ``f_3``."""
    sequence = tmp_path / "driver_faces" / "2_Man"
    for part in ("Jpg/f_3.jpg", "labels/f_3.txt"):
        (sequence / part).parent.mkdir(parents=True)
        (sequence / part).touch()
    return sequence
