"""Exported models agree with PyTorch, carry their facts, and are not written where they would not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from thermal_kd_ros import __main__  # noqa: E402
from thermal_kd_ros.config import EngineConfig  # noqa: E402
from thermal_kd_ros.engines.base import EngineError, load_engine  # noqa: E402
from thermal_kd_ros.exporting import int8, networks  # noqa: E402
from thermal_kd_ros.exporting.errors import ExportError  # noqa: E402
from thermal_kd_ros.exporting.frames import LabelledFrame, labelled_frames  # noqa: E402
from thermal_kd_ros.exporting.parity import TOLERANCES, Difference, network_inputs  # noqa: E402
from thermal_kd_ros.models.checkpoint import read, read_card, resolve  # noqa: E402
from thermal_kd_ros.models.onnx_file import PRECISION, read_metadata  # noqa: E402

LIGHT = resolve("landmarks_light")


@pytest.fixture(scope="module")
def frames() -> list[LabelledFrame]:
    return labelled_frames(8, faces=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_onnx(precision: str, frames: list[LabelledFrame], tmp_path: Path) -> None:
    output = tmp_path / "light.onnx"
    found = networks.export_onnx(LIGHT, output, precision, [entry.frame for entry in frames])
    assert found.within(TOLERANCES[precision]) and found.worst_pixels > 0.0
    assert read_card(output) == read_card(LIGHT) and read_metadata(output)[PRECISION] == precision
    assert output.stat().st_size < LIGHT.stat().st_size * (0.6 if precision == "fp16" else 1.1)
    engine = load_engine(str(output), "landmarks", EngineConfig(backend="onnxruntime", device="cpu"))
    points, sigma = engine.run(np.zeros((5, 1, 112, 112), np.float32))
    assert points.shape == (5, 54, 2) and points.dtype == sigma.dtype == np.float32
    assert precision in engine.describe()
    assert list(tmp_path.iterdir()) == [output]


def test_fp32_is_the_same_file_every_time(frames: list[LabelledFrame], tmp_path: Path) -> None:
    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for file in files:
        networks.export_onnx(LIGHT, file, "fp32", [frames[0].frame])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_exported_program(frames: list[LabelledFrame], tmp_path: Path) -> None:
    output = tmp_path / "light.pt2"
    networks.export_program(LIGHT, output, "fp32", [entry.frame for entry in frames])
    facts = {"facts.json": ""}
    program = torch.export.load(output, extra_files=facts)
    assert '"precision": "fp32"' in facts["facts.json"] and "sf_tl54" in facts["facts.json"]
    inputs = network_inputs(LIGHT, "landmarks", [frames[0].frame])
    assert len(inputs)
    expected = load_engine("landmarks_light", "landmarks", EngineConfig(backend="torch", device="cpu")).run(inputs)
    for mine, theirs in zip(program.module()(torch.from_numpy(inputs)), expected, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs, rtol=1e-3, atol=0.01)


def test_a_network_that_differs_is_not_written(frames: list[LabelledFrame], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOLERANCES, "fp16", Difference(1e-5, 1e-5, 1e-7))
    for export in (networks.export_onnx, networks.export_program):
        with pytest.raises(ExportError, match="is not written: it differs from PyTorch by"):
            export(LIGHT, tmp_path / "light.onnx", "fp16", [entry.frame for entry in frames])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["light.onnx", "light.pt2"])
def test_landmarks_without_a_face_cannot_be_checked(frames: list[LabelledFrame], tmp_path: Path, name: str) -> None:
    import dataclasses

    export = networks.export_onnx if name.endswith("onnx") else networks.export_program

    empty = dataclasses.replace(frames[0].frame, values=np.full_like(frames[0].frame.values, 100))
    with pytest.raises(ExportError, match="there is no face"):
        export(LIGHT, tmp_path / name, "fp32", [empty])
    assert not list(tmp_path.iterdir())


def test_int8_is_written_only_if_the_accuracy_stays(frames: list[LabelledFrame], tmp_path: Path) -> None:
    output = tmp_path / "light.int8.onnx"
    said = int8.export_int8(LIGHT, output, frames[:4], frames[4:], max_drop=1.0)
    assert "NME" in said and "allowed are 100 %" in said
    assert read_metadata(output)[PRECISION] == "int8"
    assert output.stat().st_size < 0.5 * LIGHT.stat().st_size
    before, after = (int8.accuracy(path, read_card(LIGHT), frames[4:]) for path in (LIGHT.with_suffix(".onnx"), output))
    # What was said is what is measured again, and quantisation did change something.
    assert f"{before:.4g} in fp32, {after:.4g} in int8" in said and before != after
    for backend in ("onnxruntime", "openvino"):
        pytest.importorskip(backend)
        with pytest.raises(EngineError, match="engine.precision is 'fp16', but .* int8; use auto, or a file exported"):
            load_engine(str(output), "landmarks", EngineConfig(backend=backend, device="cpu", precision="fp16"))
    output.unlink()
    with pytest.raises(ExportError, match="is not written: NME .* % lost, allowed are -50 %"):
        int8.export_int8(LIGHT, output, frames[:4], frames[4:], max_drop=-0.5)
    assert not list(tmp_path.iterdir())


def test_nothing_to_measure_on_is_no_success(frames: list[LabelledFrame], tmp_path: Path) -> None:
    import dataclasses

    blank = dataclasses.replace(frames[4].frame, values=np.full_like(frames[4].frame.values, 100))
    with pytest.raises(ExportError, match="nan % lost"):
        int8.export_int8(LIGHT, tmp_path / "x.onnx", frames[:4], [dataclasses.replace(frames[4], frame=blank)], 1.0)
    with pytest.raises(ExportError, match="not labelled"):
        int8.export_int8(LIGHT, tmp_path / "x.onnx", frames[:4], [dataclasses.replace(frames[4], faces=None)], 1.0)


def test_a_coco_set_is_read_with_its_labels(shared_data: Path) -> None:
    found = labelled_frames(3, shared_data / "hit_uav", "val")
    assert len(found) == 3 and all(len(entry.objects.boxes) == len(entry.objects.names) for entry in found)
    assert {"person", "car"} & {name for entry in found for name in entry.objects.names}
    assert all((entry.objects.boxes[:, 2:] > entry.objects.boxes[:, :2]).all() for entry in found)
    with pytest.raises(ExportError, match="are needed; ask for fewer"):
        labelled_frames(10_000, shared_data / "hit_uav", "val")


def test_a_detector_for_another_size_of_input(untrained_models: Callable[..., dict[str, str]], tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(untrained_models(height=128, width=160, seed=0)["detector.model"])
    output = tmp_path / "large.onnx"
    assert __main__.main(["export", str(model), "--input", "224x192", "--output", str(output), "--frames", "1"]) == 0
    card, before = read_card(output), read_card(model)
    assert (card.input_width, card.input_height) == (224, 192) and "input of 160 x 128" in card.notes
    assert replace(card, input_width=160, input_height=128, notes=before.notes) == replace(before, metrics=())
    images = torch.rand(2, 1, 192, 224, generator=torch.Generator().manual_seed(0))
    given, weights = read(model)
    wanted = networks.build(given, weights, model, "fp32")(images)
    found = load_engine(str(output), "detection", EngineConfig(backend="onnxruntime", device="cpu")).run(images.numpy())
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-3)
    assert __main__.main(["export", str(model), "--input", "224x192", "--frames", "1"]) == 0
    assert model.with_suffix(".224x192.onnx").is_file()


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "give a MODEL or --all"),
    (("landmarks_light", "--all"), "give a MODEL or --all"),
    (("--all", "--precision", "fp16"), "--all writes"),
    (("landmarks_light", "--precision", "int8", "--format", "exported_program"), "int8 is there for"),
    (("landmarks_light", "--frames", "0"), "--frames"),
    (("landmarks_light", "--max-drop", "2"), "--max-drop"),
    (("landmarks_light", "--output", "light.pt2"), "must end in .onnx"),
    (("--all", "--input", "640x512"), "--all writes"),
])
def test_arguments_that_make_no_sense(arguments: tuple[str, ...], words: str,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["export", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_problems_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for arguments, words in (
            (["no_such_model"], "neither a shipped model"),
            (["landmarks_light", "--input", "128x128"], "--input is for detectors"),
            (["detector_nano", "--input", "640x500"], "--input 640x500: give multiples of 32"),
            (["detector_nano", "--input", "0x32"], "--input 0x32: give multiples of 32"),
            (["landmarks_light", "--data", str(tmp_path)], "cannot be read as COCO"),
            (["landmarks_light", "--frames", "1", "--output", str(tmp_path / "file" / "x.onnx")], "cannot be written"),
    ):
        assert __main__.main(["export", *arguments]) == 1
        assert words in capsys.readouterr().err
