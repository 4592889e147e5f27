"""What a file that cannot be written is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thermal_kd_ros.output import written_aside


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path: Path, little_room: Callable[[], Any]) -> None:
    with little_room(), pytest.raises(OSError) as full, written_aside(tmp_path / "a.bin") as aside:
        aside.write_bytes(bytes(20_000))
    assert full.value.filename == str(tmp_path / "a.bin") and not list(tmp_path.iterdir())


def test_errors_name_the_file_that_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as in_the_way, written_aside(tmp_path / "folder"):
        pass
    with pytest.raises(FileNotFoundError) as gone, written_aside(tmp_path / "a.json") as aside:
        aside.unlink()
        aside.read_text()
    assert in_the_way.value.filename == str(tmp_path / "folder") and gone.value.filename == str(tmp_path / "a.json")
    with pytest.raises(OSError, match="other") as other, written_aside(tmp_path / "a.json"):
        (tmp_path / "other").read_text()
    assert other.value.filename == str(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
