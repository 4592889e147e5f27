"""Which library runs a network, and what is said when one is missing or nothing fits."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from thermal_kd_ros.config import EngineConfig
from thermal_kd_ros.engines import choice
from thermal_kd_ros.engines.base import EngineError, load_engine
from thermal_kd_ros.engines.choice import candidates
from thermal_kd_ros.engines.cuda import Gpu
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.models.checkpoint import resolve

GPU = [Gpu("Some GPU", (9, 0), 13000)]


def names(config: EngineConfig, gpus: list[Gpu]) -> list[str]:
    return [str(candidate) for candidate in candidates(config, gpus)]


def test_the_order_is_the_measured_one() -> None:
    on_cpu = ["openvino on cpu", "onnxruntime on cpu", "torch on cpu"]
    assert names(EngineConfig(), []) == on_cpu
    assert names(EngineConfig(), GPU) == ["torch on cuda", "onnxruntime on cuda", *on_cpu]
    assert names(EngineConfig(device="cpu"), GPU) == on_cpu
    assert names(EngineConfig(device="cuda:1"), GPU) == ["torch on cuda:1", "onnxruntime on cuda:1"]
    assert names(EngineConfig(device="npu"), []) == ["openvino on npu"]
    assert names(EngineConfig(backend="onnxruntime"), GPU) == ["onnxruntime on auto"]


@pytest.mark.parametrize("device", ["tpu", "cpu0", "", "cuda0"])
def test_an_unknown_device_is_refused_with_those_that_are_known(device: str) -> None:
    with pytest.raises(EngineError, match="is not a device; use auto, cpu, cuda"):
        load_engine("landmarks_light", "landmarks", EngineConfig(device=device))


@pytest.mark.parametrize(("backend", "device"), [
    ("openvino", "npu"), ("openvino", "gpu:7"), ("onnxruntime", "cuda:7"), ("torch", "cuda:99"), ("onnxruntime", "npu"),
])
def test_a_device_that_is_not_there_is_named(backend: str, device: str) -> None:
    pytest.importorskip(backend)
    with pytest.raises(EngineError, match=device.partition(":")[0]):
        load_engine("landmarks_light", "landmarks", EngineConfig(backend=backend, device=device))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """Make libraries look as if they were not installed."""
    find = importlib.util.find_spec

    def hide(*hidden: str) -> None:
        monkeypatch.setattr(choice.importlib.util, "find_spec",
                            lambda name, *rest: None if name in hidden else find(name, *rest))
    return hide


@pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(without, backend: str) -> None:
    without(backend)
    with pytest.raises(EngineError, match=f"{backend} is not installed; install it with: python3 -m pip install"):
        load_engine("landmarks_light", "landmarks", EngineConfig(backend=backend))


def test_auto_passes_over_what_is_missing_and_says_so(without) -> None:
    pytest.importorskip("onnxruntime")
    without("openvino")
    loaded = load_engine("landmarks_light", "landmarks", EngineConfig(device="cpu"))
    assert loaded.describe().startswith("onnxruntime")
    assert "passed over openvino on cpu: openvino is not installed" in loaded.describe()


def test_nothing_installed_names_all_that_could_be(without) -> None:
    without("torch", "onnxruntime", "openvino")
    with pytest.raises(EngineError) as caught:
        load_engine("landmarks_light", "landmarks", EngineConfig(device="cpu"))
    for package in ("install torch torchvision", "install onnxruntime", "install openvino"):
        assert package in str(caught.value)


@pytest.fixture
def half_a_gpu(monkeypatch: pytest.MonkeyPatch):
    """A GPU that PyTorch sees; networks stay on the CPU when they are sent there."""
    torch = pytest.importorskip("torch")
    from thermal_kd_ros.engines import torch_engine

    monkeypatch.setattr(choice, "find_gpus", lambda: GPU)
    monkeypatch.setattr(torch_engine, "choose_device", lambda config: torch.device(
        "cpu" if config.device == "cpu" else "cuda:0"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *_, **__: self)
    return torch


def test_a_gpu_for_which_pytorch_has_no_kernels_is_passed_over(half_a_gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nand more")

    pytest.importorskip("openvino")
    monkeypatch.setattr(half_a_gpu.nn.Module, "to", fail)
    loaded = load_engine("landmarks_light", "landmarks", EngineConfig())
    assert loaded.on_cpu and "passed over torch on cuda: cuda:0 failed (CUDA error: no kernel" in loaded.describe()


def test_a_gpu_that_is_lost_need_not_tell_its_name_for_the_cpu_to_go_on(half_a_gpu, monkeypatch) -> None:
    loaded = load_engine("landmarks_light", "landmarks", EngineConfig(backend="torch", device="cuda"))
    assert "Some GPU" in loaded.describe()

    def lost(*_: object) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(half_a_gpu.cuda, "get_device_name", lost)
    monkeypatch.setattr(loaded.engine, "infer", lost)
    assert loaded.run(np.zeros((1, 1, 112, 112), np.float32))[0].shape == (1, 54, 2)
    assert loaded.on_cpu and "Some GPU" in loaded.describe()


@pytest.mark.parametrize("path", ["auto", "on"])
def test_a_pytorch_whose_libraries_are_missing_is_passed_over(path: str, tmp_path: Path, repository: Path) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcurand.so.10: cannot open shared object file')")
    program = f"""
from thermal_kd_ros.config import EngineConfig, PerceptionConfig
from thermal_kd_ros.engines import choice
from thermal_kd_ros.engines.cuda import Gpu
from thermal_kd_ros.pipeline import ThermalPerception
choice.find_gpus = lambda: [Gpu("Some GPU", (9, 0), 13000)]
print(ThermalPerception(PerceptionConfig(engine=EngineConfig(device_path="{path}"))).describe())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": f"{tmp_path}:{repository}"})
    if path == "auto":
        assert "passed over torch on cuda: torch is installed but cannot be imported (libcurand" in done.stdout
    else:
        assert "EngineError: engine.device_path is 'on', but not all networks run in PyTorch" in done.stderr


def test_a_model_without_onnx_runs_in_torch_and_says_why(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "mine.safetensors"
    shutil.copy(resolve("landmarks_light"), path)
    loaded = load_engine(str(path), "landmarks", EngineConfig(device="cpu"))
    assert loaded.describe().startswith("torch") and "there is no mine.onnx beside it" in loaded.describe()
    with pytest.raises(ModelError, match="make it with: python3 -m thermal_kd_ros export"):
        load_engine(str(path), "landmarks", EngineConfig(backend="onnxruntime"))


def test_an_onnx_file_of_other_weights_is_not_taken(tmp_path: Path) -> None:
    shutil.copy(resolve("face_detector"), tmp_path / "mine.safetensors")
    shutil.copy(resolve("detector_nano", ".onnx"), tmp_path / "mine.onnx")
    for given, other in ((".safetensors", ".onnx"), (".onnx", ".safetensors")):
        with pytest.raises(ModelError, match="mine.onnx: was not made from the weights in mine.safetensors; make it "
                                             f"again with: .* export {tmp_path / 'mine.safetensors'}"):
            resolve(str(tmp_path / f"mine{given}"), other)


@pytest.mark.parametrize(("listed", "asked", "chosen"), [
    (["CPU", "GPU"], "gpu:0", "GPU"), (["CPU", "GPU"], "gpu", "GPU"), (["CPU", "GPU.0", "GPU.1"], "gpu:0", "GPU.0"),
    (["CPU", "GPU.0", "GPU.1"], "gpu", "GPU"), (["CPU", "GPU"], "gpu:1", ""), (["CPU"], "gpu:0", "")])
def test_the_first_gpu_of_openvino_has_a_number_whether_it_is_listed_with_it_or_not(
        listed: list[str], asked: str, chosen: str) -> None:
    pytest.importorskip("openvino")
    from thermal_kd_ros.engines.openvino_engine import OpenVinoEngine

    engine = OpenVinoEngine.__new__(OpenVinoEngine)
    engine._core = SimpleNamespace(available_devices=listed)  # the devices of another machine
    if chosen:
        assert engine._choose_device(asked) == chosen
    else:
        with pytest.raises(EngineError, match="but OpenVINO has"):
            engine._choose_device(asked)


def damaged(path: Path, at: int) -> None:
    """Change a hundred numbers of a file so that nothing that reads it minds."""
    content = bytearray(path.read_bytes())
    content[at : at + 400] = bytes(byte ^ 0x01 for byte in content[at : at + 400])
    path.write_bytes(content)


def test_an_onnx_file_that_was_damaged_is_passed_over(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    for suffix in (".safetensors", ".onnx"):
        shutil.copy(resolve("landmarks_light", suffix), tmp_path / f"mine{suffix}")
    damaged(tmp_path / "mine.onnx", 600_000)
    import onnxruntime

    onnxruntime.InferenceSession(str(tmp_path / "mine.onnx"), providers=["CPUExecutionProvider"])
    for name in ("mine.safetensors", "mine.onnx"):
        with pytest.raises(ModelError, match="mine.onnx: is damaged.*export or fetch it again"):
            load_engine(str(tmp_path / name), "landmarks", EngineConfig(backend="onnxruntime", device="cpu"))
    loaded = load_engine(str(tmp_path / "mine.safetensors"), "landmarks", EngineConfig(device="cpu"))
    assert loaded.describe().startswith("torch") and "mine.onnx: is damaged" in loaded.describe()


def test_a_model_file_that_was_damaged_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".onnx"):
        shutil.copy(resolve("landmarks_light", suffix), tmp_path / f"mine{suffix}")
    damaged(tmp_path / "mine.safetensors", 600_000)
    with pytest.raises(ModelError, match=f"^{tmp_path}/mine.safetensors: is damaged, [^;]*; fetch it again$"):
        load_engine(str(tmp_path / "mine.safetensors"), "landmarks", EngineConfig(device="cpu"))


def test_a_model_for_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="is a model for landmarks, but one for detection"):
        load_engine("landmarks_light", "detection", EngineConfig())


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_file_given_as_onnx_is_run(backend: str) -> None:
    pytest.importorskip(backend)
    path = resolve("landmarks_light", ".onnx")
    loaded = load_engine(str(path), "landmarks", EngineConfig(backend=backend, device="cpu"))
    points, sigma = loaded.run(np.full((3, 1, 112, 112), 0.5, np.float32))
    assert points.shape == (3, 54, 2) and sigma.shape == (3, 54)
    # Nothing that comes later may change what was given out.
    before = points.copy()
    loaded.run(np.zeros((3, 1, 112, 112), np.float32))
    np.testing.assert_array_equal(points, before)
