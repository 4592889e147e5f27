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


@pytest.mark.parametrize(("options", "said"), [
    (["detector_nano", "--split", "val"], "--split is of --data"),
    (["detector_nano", "--max-drop", "0.1"], "--max-drop is for --precision int8"),
])
def test_options_that_would_do_nothing_are_refused(options: list[str], said: str,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["export", *options]) == 2
    assert said in capsys.readouterr().err


def test_only_weights_are_exported(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    exported = WEIGHTS_FOLDER / "detector_nano.onnx"
    assert __main__.main(["export", str(exported)]) == 1
    assert f"{exported}: is not a .safetensors file" in capsys.readouterr().err
