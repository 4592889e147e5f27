"""``export``: what it refuses before it works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from thermal_kd_ros import __main__
from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER


def test_the_model_itself_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    model = tmp_path / "model.safetensors"
    shutil.copy(min(WEIGHTS_FOLDER.glob("*.safetensors"), key=lambda path: path.stat().st_size), model)
    (tmp_path / "link.onnx").symlink_to(model)
    before = model.read_bytes()
    assert __main__.main(["export", str(model), "--output", str(tmp_path / "link.onnx")]) == 1
    said = capsys.readouterr().err
    assert f"--output {tmp_path / 'link.onnx'}: would be written over the model" in said and len(said.splitlines()) == 1
    assert model.read_bytes() == before
