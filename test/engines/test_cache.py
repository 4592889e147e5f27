"""Networks built for a GPU are found again by everything that they depend on, and by nothing else."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from thermal_kd_ros.engines.cache import EngineKey, file_digest, usable_folder
from thermal_kd_ros.engines.cuda import find_gpus

KEY = EngineKey("ab12", "NVIDIA H200", (9, 0), "onnxruntime 1.23, TensorRT 10.9", "fp16", (16, 1, 512, 640))


def test_the_same_key_has_the_same_name() -> None:
    assert KEY.name() == dataclasses.replace(KEY).name()
    assert Path(KEY.name()).name == KEY.name()


@pytest.mark.parametrize("change", [
    {"model": "ab13"}, {"gpu": "NVIDIA H100"}, {"compute_capability": (8, 9)}, {"precision": "fp32"},
    {"libraries": "onnxruntime 1.23, TensorRT 10.10"}, {"shape": (8, 1, 512, 640)}, {"shape": (16, 1, 640, 512)}])
def test_every_part_of_the_key_counts(change: dict[str, object]) -> None:
    assert dataclasses.replace(KEY, **change).name() != KEY.name()


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") != file_digest(tmp_path / "c")


def test_the_folder_is_made(tmp_path: Path) -> None:
    warnings: list[str] = []
    folder = usable_folder(str(tmp_path / "cache"), "tensorrt/key", warnings)
    assert folder == tmp_path / "cache" / "tensorrt" / "key" and folder.is_dir() and not warnings
    assert not list(folder.iterdir())


def test_the_user_s_own_cache_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert usable_folder("", "openvino", []) == tmp_path / "thermal_kd_ros" / "openvino"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert usable_folder("", "openvino", []) == tmp_path / ".cache" / "thermal_kd_ros" / "openvino"


def test_a_place_that_cannot_be_written_is_said_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    warnings: list[str] = []
    assert usable_folder(str(tmp_path / "file"), "tensorrt", warnings) is None
    (text,) = warnings
    assert str(tmp_path / "file") in text and "engine.cache_dir" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_and_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    warnings: list[str] = []
    assert usable_folder(str(tmp_path), "tensorrt", warnings) is None and "cannot be written" in warnings[0]


def test_the_driver_is_asked_for_its_gpus() -> None:
    assert all(gpu.name and gpu.compute_capability[0] > 0 and gpu.driver > 0 for gpu in find_gpus())
