"""Where results go: whole files, what else has a name, and what a file that cannot be written is called."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thermal_kd_ros.output import ResultError, as_json, overwritten, written_aside


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


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "links").mkdir()
    link, file = tmp_path / "links" / "a.json", tmp_path / "real" / "b.json"
    link.symlink_to(Path("..", "real", "b.json"))
    if there:
        file.parent.mkdir()
        file.write_text("earlier")
    with written_aside(link) as aside:
        aside.write_text("new")
    assert link.is_symlink() and file.read_text() == "new"
    assert [path.name for path in link.parent.iterdir()] == ["a.json"] and [*file.parent.iterdir()] == [file]


def test_a_link_that_leads_round_in_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError) as circle, written_aside(tmp_path / "a") as aside:
        aside.write_text("new")
    assert circle.value.filename == str(tmp_path / "a") and (tmp_path / "a").is_symlink()


def test_a_pipe_stays_and_is_given_the_bytes(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe.json", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with written_aside(pipe) as aside:
        assert aside.suffix == ".json"
        aside.write_bytes(b"new")
    reader.join(30.0)
    assert got == [b"new"] and pipe.is_fifo() and [*tmp_path.iterdir()] == [pipe] and not aside.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files have no names here")
def test_what_the_shell_has_opened_is_written_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("earlier\n")
    with (tmp_path / "log").open("a") as opened:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{opened.fileno()}")
        with written_aside(tmp_path / "stdout") as aside:
            aside.write_text("new\n")
        opened.write("later\n")
    assert (tmp_path / "log").read_text() == "earlier\nnew\nlater\n" and (tmp_path / "stdout").is_symlink()


def test_a_socket_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(OSError, match="socket") as refused, written_aside(Path("s")):
            pytest.fail("it was not refused")
    assert refused.value.filename == "s" and Path("s").is_socket()


def test_results_that_are_no_number_are_no_json() -> None:
    assert json.loads(as_json({"a": [1.5, None]}, indent=2)) == {"a": [1.5, None]}
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ResultError, match="internal error"):
            as_json({"a": [1.0, value]})


def test_an_output_that_would_take_the_place_of_an_input_is_found(tmp_path: Path) -> None:
    image, other = tmp_path / "image.png", tmp_path / "other.png"
    image.touch()
    (tmp_path / "link.png").symlink_to(image)
    assert overwritten([other, tmp_path / "x" / ".." / "image.png"], [image]) == (tmp_path / "x" / ".." / "image.png",
                                                                                  image)
    assert overwritten([tmp_path / "link.png"], [other, image]) == (tmp_path / "link.png", image)
    assert overwritten([image], [tmp_path / "link.png"]) == (image, tmp_path / "link.png")
    assert overwritten([other], [image]) is None
