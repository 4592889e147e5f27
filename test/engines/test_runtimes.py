"""What the runtimes for ONNX decide by themselves: pieces of a batch, execution providers, precision."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_kd_ros.config import EngineConfig
from thermal_kd_ros.engines.base import EngineError, load_engine
from thermal_kd_ros.engines.cuda import Gpu

ALL = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider"]


@given(batch=st.integers(1, 100))
def test_pieces_add_up_and_are_few(batch: int) -> None:
    pytest.importorskip("openvino")
    from thermal_kd_ros.engines.openvino_engine import piece_sizes

    sizes = piece_sizes(batch)
    assert sum(sizes) == batch and set(sizes) <= {1, 2, 4, 8}
    assert sizes == sorted(sizes, reverse=True) and len(sizes) <= batch // 8 + 3


def test_rows_keep_their_place_in_any_batch() -> None:
    pytest.importorskip("openvino")
    engine = load_engine("landmarks_light", "landmarks",
                         EngineConfig(backend="openvino", device="cpu", precision="fp32", threads=1))
    crops = np.random.default_rng(0).random((11, 1, 112, 112), np.float32)
    points, sigma = engine.run(crops)
    for i in (0, 7, 8, 10):
        alone = engine.run(crops[i : i + 1])
        np.testing.assert_allclose(points[i], alone[0][0], atol=0.01)
        np.testing.assert_allclose(sigma[i], alone[1][0], rtol=1e-3)


@pytest.mark.parametrize(("device", "gpus", "available", "chosen"), [
    ("auto", 1, ALL, ALL), ("auto", 1, ALL[1:], ALL[1:]), ("auto", 1, ALL[3:], ALL[3:]), ("auto", 0, ALL, ALL[2:]),
    ("cpu", 1, ALL, ALL[2:]), ("cuda", 1, ALL, [*ALL[:2], ALL[3]]), ("cuda:1", 2, ALL[1:], [ALL[1], ALL[3]]),
    ("npu", 0, ALL, ALL[2:])])
def test_providers_are_taken_in_their_order(device: str, gpus: int, available: list[str], chosen: list[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    from thermal_kd_ros.engines import onnxruntime_engine

    monkeypatch.setattr(onnxruntime_engine, "find_gpus", lambda: [object()] * gpus)
    assert onnxruntime_engine.choose_providers(available, device) == chosen


@pytest.mark.parametrize(("device", "package"), [("cuda", "onnxruntime-gpu"), ("npu", "onnxruntime-openvino")])
def test_a_build_without_the_provider_is_named_with_the_one_that_has_it(device: str, package: str) -> None:
    pytest.importorskip("onnxruntime")
    from thermal_kd_ros.engines.onnxruntime_engine import choose_providers

    with pytest.raises(EngineError, match=package):
        choose_providers(["CPUExecutionProvider"], device)


@pytest.mark.parametrize("raises", [False, True])
def test_without_tensorrt_s_libraries_cuda_runs_it_and_that_is_said(raises: bool, monkeypatch: pytest.MonkeyPatch
                                                                     ) -> None:
    ort = pytest.importorskip("onnxruntime")
    from thermal_kd_ros.engines import onnxruntime_engine

    class NvidiaBuild(ort.InferenceSession):
        """Like onnxruntime-gpu on a machine without TensorRT: leaves it out, or raises. CUDA is a CPU here."""

        def __init__(self, path, options, providers, **others) -> None:
            self._started = [name for name, _ in providers if name != ALL[0]]
            if raises and len(self._started) < len(providers) and len(providers) > 1:
                raise RuntimeError("libnvinfer.so.10: cannot open shared object file")
            super().__init__(path, options, providers=ALL[-1:], **others)

        def get_providers(self) -> list[str]:
            return self._started

    monkeypatch.setattr(onnxruntime_engine, "find_gpus", lambda: [Gpu("Some GPU", (9, 0), 13000)])
    monkeypatch.setattr(onnxruntime_engine.ort, "get_available_providers", lambda: ALL)
    config = EngineConfig(backend="onnxruntime", device="cuda")
    with monkeypatch.context() as patched:
        # The name of the input is read in a session of its own.
        patched.setattr(onnxruntime_engine.OnnxRuntimeEngine, "_tensorrt_options", lambda *_: {})
        patched.setattr(onnxruntime_engine.ort, "InferenceSession", NvidiaBuild)
        engine = load_engine("landmarks_light", "landmarks", config)
    assert ", CUDA, fp32" in engine.describe() and not engine.on_cpu
    (warning,) = engine.warnings
    assert "CUDA instead of TensorRT" in warning and ("libnvinfer" in warning) == raises
    assert engine.run(np.zeros((1, 1, 112, 112), np.float32))[0].shape == (1, 54, 2)
    monkeypatch.setattr(onnxruntime_engine, "choose_providers", lambda *_: [ALL[1], ALL[3]])
    with pytest.raises(EngineError, match="cuda:1.*sees 1 CUDA devices"):
        load_engine("landmarks_light", "landmarks", EngineConfig(backend="onnxruntime", device="cuda:1"))


def test_a_tensorrt_engine_is_built_for_every_batch_that_the_pipeline_makes() -> None:
    pytest.importorskip("onnxruntime")
    from thermal_kd_ros.buckets import buckets_for
    from thermal_kd_ros.engines import onnxruntime_engine

    assert max(size for count in range(1, 200) for size in buckets_for(count)) <= onnxruntime_engine._LARGEST_BATCH


def test_a_precision_that_a_file_does_not_have_is_refused() -> None:
    pytest.importorskip("onnxruntime")
    for precision, remedy in (("fp16", "exported with --precision fp16"), ("bf16", "auto, or engine.backend openvino")):
        with pytest.raises(EngineError, match=remedy):
            load_engine("landmarks_light", "landmarks",
                        EngineConfig(backend="onnxruntime", device="cpu", precision=precision))


def test_auto_precision_is_bf16_where_it_is_native() -> None:
    openvino = pytest.importorskip("openvino")
    native = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    config = EngineConfig(backend="openvino", device="cpu")
    for model, task in (("face_detector", "detection"), ("landmarks_light", "landmarks")):
        assert ("bf16" in load_engine(model, task, config).describe()) == native


def test_a_signal_after_networks_were_released_is_handled(repository: Path) -> None:
    """In a process of its own, which a fault would end with SIGSEGV."""
    pytest.importorskip("openvino")
    code = ("import gc, os, signal, time\n"
            "from thermal_kd_ros.config import PerceptionConfig, with_values\n"
            "from thermal_kd_ros.pipeline import ThermalPerception\n"
            "perception = ThermalPerception(with_values(PerceptionConfig(), {'engine.backend': 'openvino'}))\n"
            "del perception\ngc.collect()\n"
            "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\n"
            "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(5)\n")
    child = subprocess.run([sys.executable, "-c", code], cwd=repository, timeout=200, check=False)
    assert child.returncode == 7
