"""CUDA graphs. Without a GPU: that no step asks the device for a value or brings one there, which has no capture."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from thermal_kd_ros.config import ContrastConfig, PerceptionConfig

torch = pytest.importorskip("torch")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from thermal_kd_ros.engines.device.graphs import Runner, Step  # noqa: E402
from thermal_kd_ros.engines.device.plan import ROUNDS  # noqa: E402
from thermal_kd_ros.engines.device.steps import DeviceNetworks, Signature, Steps  # noqa: E402
from thermal_kd_ros.engines.device.tone import TONE_FIELDS, ToneMemory  # noqa: E402
from thermal_kd_ros.models.blocks import fuse_batch_norm  # noqa: E402
from thermal_kd_ros.models.detector import Detector  # noqa: E402
from thermal_kd_ros.models.landmarker import Landmarker  # noqa: E402
from thermal_kd_ros.models.specs import DetectorSpec, LandmarkerSpec  # noqa: E402


class OnCudaAlone(TorchDispatchMode):
    """Refuses every operation that touches a tensor elsewhere than on a CUDA device; counts the others."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        assert all(tensor.device.type == "cuda" for tensor in tensors), f"{func} touches the host"
        self.count += 1
        return result


class FakeNetwork:
    """A network whose weights are nowhere: only shapes, types and devices are computed."""

    def __init__(self, network: torch.nn.Module, mode: FakeTensorMode) -> None:
        self._network = fuse_batch_norm(network.eval())
        with mode:
            self._weights = {name: torch.empty(value.shape, dtype=torch.float16, device="cuda")
                             for name, value in self._network.named_parameters()}
            self._weights |= {name: torch.empty(value.shape, dtype=value.dtype, device="cuda")
                              for name, value in self._network.named_buffers()}

    def infer(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = images.to(torch.float16, memory_format=torch.channels_last)
        first, second = torch.func.functional_call(self._network, self._weights, (images,))
        return first.float(), second.float()


@pytest.mark.parametrize(("method", "dtype", "batch"), [("plateau", "float32", 2), ("clahe", "uint16", 1)])
def test_no_step_needs_the_host(method: str, dtype: str, batch: int) -> None:
    # A fake tensor knows its shape, type and device, but no value: asking for one, or a shape that depends on one,
    # is an error.
    mode = FakeTensorMode()
    spec = DetectorSpec(3, (8, 16, 24, 32), (1, 1, 1, 1), (8, 16, 32), (16, 24, 32))
    networks = [FakeNetwork(network, mode) for network in
                (Detector(spec), Detector(spec), Landmarker(LandmarkerSpec()))]
    contrast, cuda = ContrastConfig(method=method), torch.device("cuda")
    # Without inference_mode, under which operations that are made of others are seen as one.
    with mode, torch.no_grad():
        signature = Signature(batch, 243, 320, dtype)
        mirror = torch.empty(LandmarkerSpec().points, dtype=torch.int64, device=cuda)
        chosen = DeviceNetworks(networks[0], (128, 160), torch.empty(3, device=cuda), (contrast,),
                                networks[1], (96, 128), 1, networks[2], 112, mirror)
        steps = Steps(signature, chosen, PerceptionConfig(contrast=contrast), cuda)
        raw = torch.empty(*signature[:3], dtype=torch.int16 if dtype == "uint16" else torch.float32, device=cuda)
        inputs = torch.empty(1, batch, len(TONE_FIELDS), dtype=torch.float64, device=cuda)
        memory = ToneMemory(4, cuda)
        with OnCudaAlone() as watch:
            values = steps.values(raw)
            objects, faces, enough = steps.decide(steps.dense(values, inputs, [memory]), ROUNDS)
            marks = steps.mark(values, faces, 4)
    assert watch.count > 100
    assert objects.shape == (batch, 100, 7) and faces.shape == (16 * batch, 10) and enough.shape == (1,)
    assert marks.shape == (4, 54, 3)


def test_the_watch_sees_what_cannot_be_captured() -> None:
    with FakeTensorMode():
        numbers, here = torch.empty(3, device="cuda"), torch.ones(3)
        with pytest.raises(AssertionError, match="touches the host"), OnCudaAlone():
            numbers * here.to("cuda")
        with pytest.raises(AssertionError, match="touches the host"), OnCudaAlone():
            numbers.cpu()
        with pytest.raises(Exception, match="item|data.dependent|_local_scalar_dense"), OnCudaAlone():
            numbers[0].item()
        with pytest.raises(Exception, match="nonzero|dynamic"), OnCudaAlone():
            numbers[numbers > 0]


def test_on_the_cpu_a_step_is_called_each_time() -> None:
    runner, calls = Runner(torch.device("cpu")), []
    with runner.active():
        step = Step(lambda: calls.append(1), runner)
        assert calls == [] and not step.captured
        step(), step()
    assert calls == [1, 1] and runner.reason == "graphs need CUDA"


@pytest.mark.gpu
def test_a_step_is_captured_once_and_replayed() -> None:
    runner, calls = Runner(torch.device("cuda")), []
    with runner.active():
        given = torch.zeros(4, device="cuda")

        def double() -> torch.Tensor:
            calls.append(1)
            return 2 * given

        step = Step(double, runner, torch.cuda.graph_pool_handle())
        assert step.captured
        before = len(calls)
        given.fill_(3.0)
        first = step()
        runner.wait()
        assert first.tolist() == [6.0] * 4 and len(calls) == before
        given.fill_(5.0)
        assert step() is first
        runner.wait()
        assert first.tolist() == [10.0] * 4


@pytest.mark.gpu
def test_two_threads_capture_at_once_while_a_third_uses_the_device() -> None:
    done, outcomes = threading.Event(), []

    def work() -> None:
        given = torch.ones(1 << 20).pin_memory()
        while not done.is_set():
            given.to("cuda", non_blocking=True).sort().values.sum().item()

    def capture() -> None:
        runner = Runner(torch.device("cuda"))
        with runner.active():
            given = torch.ones(64, 64, device="cuda")
            for _ in range(20):
                outcomes.append(Step(lambda: given @ given, runner, torch.cuda.graph_pool_handle()).captured)

    user, threads = threading.Thread(target=work), [threading.Thread(target=capture) for _ in range(2)]
    for thread in (user, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    user.join()
    assert outcomes == [True] * 40


@pytest.mark.gpu
def test_what_cannot_be_captured_is_called_and_the_reason_kept(caplog: pytest.LogCaptureFixture) -> None:
    runner = Runner(torch.device("cuda"))
    with runner.active():
        given = torch.ones(4, device="cuda")
        step = Step(lambda: given * given.sum().item(), runner, torch.cuda.graph_pool_handle())
        assert not step.captured and not runner.captures and "capturing failed" in runner.reason
        assert step().tolist() == [4.0] * 4
    assert "launched one by one" in caplog.text
