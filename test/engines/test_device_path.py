"""The whole path on a device against the pipeline's steps in NumPy, with the real networks."""

from __future__ import annotations

import dataclasses
import gc
from pathlib import Path

import numpy as np
import pytest

from thermal_kd_ros.config import EngineConfig, PerceptionConfig, ThermalConfig, TrackingConfig, with_values
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.images import read_image
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import PerceptionResult
from thermal_kd_ros.simulation.random_frames import random_scene_frame

torch = pytest.importorskip("torch")

from thermal_kd_ros.engines.device import plan  # noqa: E402
from thermal_kd_ros.engines.device.graphs import Step, device_errors  # noqa: E402
from thermal_kd_ros.engines.device.path import DevicePath  # noqa: E402


def both(device: str, values: dict[str, object]) -> tuple[ThermalPerception, ThermalPerception]:
    """A pipeline whose steps run in NumPy, and one whose steps run on the device."""
    pipelines = []
    for path in ("off", "on"):
        engine = EngineConfig(backend="torch", device=device, device_path=path,
                              precision="fp32" if device == "cpu" else "auto")
        config = PerceptionConfig(engine=engine, tracking=TrackingConfig(enabled=False))
        pipelines.append(ThermalPerception(with_values(config, values)))
    return pipelines[0], pipelines[1]


@pytest.fixture
def crowded(untrained_models) -> dict[str, object]:
    """Parameters with which small networks find more than is asked for everywhere."""
    return {**untrained_models(96, 128, 3), "detector.score_threshold": 0.0, "detector.max_detections": 20,
            "face.score_threshold": 0.0, "face.max_faces": 5, "face.min_size_px": 1.0,
            "face.min_landmark_confidence": 0.0}


def frame(seed: int, dtype: str, shape: tuple[int, int], camera: str = "", stamp: float | None = None) -> ThermalFrame:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    celsius = 15 + 8 * np.sin(x / 7 + seed) + 5 * np.cos(y / 5) + rng.normal(0, 0.3, shape)
    values = {"uint8": celsius * 3 + 60, "uint16": (celsius + 273.15) * 100, "float32": celsius}[dtype]
    return ThermalFrame.from_array(values.astype(dtype), ThermalConfig(), stamp, camera)


def assert_equal_within(host: PerceptionResult, device: PerceptionResult, threshold: float = 0.3) -> None:
    """Every box has its like within a pixel and 0.02, but for those whose score hardly reaches the threshold."""
    for mine, theirs in ((host.detections, device.detections), (device.detections, host.detections)):
        for box, score, label in zip(mine.boxes, mine.scores, mine.labels, strict=True):
            near = (np.abs(theirs.boxes - box).max(axis=1, initial=0.0) < 1.0) & (theirs.labels == label)
            assert (near & (np.abs(theirs.scores - score) < 0.02)).any() or score < threshold + 0.02
    for one, other in ((host.faces, device.faces), (device.faces, host.faces)):
        for i in np.flatnonzero(one.scores >= 0.42):
            near = np.flatnonzero(np.abs(other.boxes - one.boxes[i]).max(axis=1) < 1.0)
            assert len(near) == 1
            np.testing.assert_allclose(other.scores[near[0]], one.scores[i], atol=0.02)
            np.testing.assert_allclose(other.points[near[0]], one.points[i], atol=1.0)
            np.testing.assert_allclose(other.confidence[near[0]], one.confidence[i], atol=0.1)


@pytest.mark.parametrize("unit", ["centikelvin", "display8", "celsius"])
def test_rendered_frames_give_what_the_host_gives(device, unit: str) -> None:
    host, on_device = both(str(device), {})
    scene = random_scene_frame(2, 320, 256, kind="indoor", unit=unit)
    image = ThermalFrame.from_array(scene.image, ThermalConfig())
    expected, got = host.process([image])[0], on_device.process([image])[0]
    assert len(expected.detections) + len(expected.faces) > 0
    assert list(got.stage_ms) == ["correct", "device", "pose"]
    how = "CUDA graphs" if device.type == "cuda" else "step by step"
    assert f"whole path on the device, {how}" in on_device.describe()
    assert_equal_within(expected, got)


@pytest.mark.parametrize("place", ["hit_uav/val", "driver_faces"])
def test_recorded_frames_give_what_the_host_gives(device, shared_data: Path, place: str) -> None:
    host, on_device = both(str(device), {})
    path = sorted((shared_data / place).rglob("*.jpg"))[40]
    image = ThermalFrame.from_array(read_image(path), ThermalConfig())
    assert_equal_within(host.process([image])[0], on_device.process([image])[0])


def assert_same(host: PerceptionResult, device: PerceptionResult) -> None:
    """On one processor, with the same networks in fp32, all is equal but for rounding."""
    np.testing.assert_array_equal(device.detections.labels, host.detections.labels)
    np.testing.assert_allclose(device.detections.boxes, host.detections.boxes, atol=1e-2)
    np.testing.assert_allclose(device.detections.scores, host.detections.scores, atol=1e-4)
    np.testing.assert_allclose(device.faces.boxes, host.faces.boxes, atol=1e-2)
    np.testing.assert_allclose(device.faces.points, host.faces.points, atol=0.1)
    np.testing.assert_allclose(device.faces.confidence, host.faces.confidence, atol=1e-2)
    # A point between two pixels may be rounded to the one or the other.
    alike = (np.floor(device.faces.points) == np.floor(host.faces.points)).all(axis=2)
    assert (~alike).sum() <= 0.02 * alike.size
    np.testing.assert_allclose(device.faces.temperature[alike], host.faces.temperature[alike], atol=0.5)


@pytest.mark.parametrize("turn", [(0, False), (90, True)])
def test_streams_of_many_cameras_shapes_and_types_in_any_batches(crowded, turn: tuple[int, bool]) -> None:
    host, device = both("cpu", {**crowded, "thermal.rotate": turn[0], "thermal.flip": turn[1]})
    one, two = (96, 128), (70, 61)
    batches = [[frame(0, "uint16", one, "a", 0.0)],
               [frame(1, "uint16", one, "a", 0.1), frame(2, "uint8", two, "b", 0.1), frame(3, "uint16", one, "c", 0.1)],
               # The same camera twice: its second frame comes after its first.
               [frame(4, "uint16", one, "a", 0.2), frame(5, "uint16", one, "a", 0.3), frame(6, "float32", two, "b")]]
    for batch in batches:
        expected, got = host.process(batch), device.process(batch)
        for first, second in zip(expected, got, strict=True):
            assert len(first.detections) > 1 and len(first.faces) > 1
            assert_same(first, second)


@pytest.mark.parametrize("priority", ["score", "size"])
def test_more_faces_than_the_frame_before_get_their_landmarks_too(crowded, priority: str) -> None:
    host, device = both("cpu", {**crowded, "face.priority": priority})
    image = frame(0, "uint16", (96, 128))
    for faces in (1, 5, 2, 0, 3):
        config = with_values(host.config, {"face.max_faces": faces})
        host.reconfigure(config)
        device.reconfigure(dataclasses.replace(config, engine=device.config.engine))
        for _ in range(2):
            expected, got = host.process([image])[0], device.process([image])[0]
            assert len(got.faces) == min(faces, len(expected.faces))
            assert_same(expected, got)


def test_a_crowd_that_needs_more_rounds_is_decided_exactly(crowded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "ROUNDS", 1)
    host, device = both("cpu", {**crowded, "detector.nms_iou": 0.3})
    exactly: list[bool] = []
    decide = plan.Plan._decide_exactly
    monkeypatch.setattr(plan.Plan, "_decide_exactly", lambda self: (exactly.append(True), decide(self)))
    for seed in range(2):
        image = frame(seed, "uint16", (96, 128))
        assert_same(host.process([image])[0], device.process([image])[0])
    assert exactly


def test_an_image_with_hardly_a_finite_pixel_goes_the_host_s_way(crowded) -> None:
    host, device = both("cpu", crowded)
    values = np.full((300, 400), np.nan, np.float32)
    values[0, 0], values[0, 2] = 20.0, 30.0
    image = ThermalFrame.from_array(values, ThermalConfig())
    got = device.process([image])[0]
    assert "contrast" in got.stage_ms
    assert_same(host.process([image])[0], got)


@pytest.mark.gpu
def test_replayed_steps_give_what_they_give_one_by_one(crowded, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs, steps = (both("cuda", {**crowded, "contrast.method": "plateau"})[1] for _ in range(2))
    one, two = (96, 128), (70, 61)
    rng = np.random.default_rng(0)
    for turn in range(12):
        # More cameras than there is room for at first, in batches of all sizes, twice in some of them.
        cameras = rng.integers(0, 7, rng.integers(1, 5))
        batch = [frame(10 * turn + i, "uint16" if camera % 2 else "float32", one if camera % 3 else two, str(camera),
                       0.1 * turn + 0.01 * i) for i, camera in enumerate(cameras)]
        got = graphs.process(batch)
        with monkeypatch.context() as patched:
            patched.setattr(Step, "_capture", lambda *_: None)
            expected = steps.process(batch)
        for first, second in zip(expected, got, strict=True):
            assert len(first.detections) > 1
            assert_same(first, second)
    assert "CUDA graphs" in graphs.describe() and graphs.warnings == steps.warnings == []


@pytest.mark.gpu
def test_a_gpu_without_memory_is_told_and_left(crowded) -> None:
    _, device = both("cuda", crowded)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.0)
    try:
        result = device.process([frame(0, "uint16", (240, 320))])[0]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("out of memory" in text for text in device.warnings)
    assert len(result.detections) > 1 and "contrast" in result.stage_ms


def plans() -> int:
    """How many there are, with those that only the garbage collector would find."""
    return sum(type(thing) is plan.Plan for thing in gc.get_objects())


def test_what_is_not_used_any_more_frees_its_memory_at_once(crowded, device) -> None:
    gc.collect()
    others = plans()
    on_device = both(str(device), crowded)[1]
    gc.disable()
    try:
        for threshold in (0.1, 0.2, 0.3):
            on_device.process([frame(0, "uint16", (96, 128))])
            assert plans() == others + 1
            # What no step looks at leaves them as they are.
            on_device.reconfigure(with_values(on_device.config, {"smoothing.min_cutoff_hz": 1.0 + threshold,
                                                                 "tracking.match_iou": threshold}))
            assert plans() == others + 1
            on_device.reconfigure(with_values(on_device.config, {"detector.score_threshold": threshold}))
            assert plans() == others
    finally:
        gc.enable()


def test_a_device_that_fails_while_values_change_is_told(crowded, monkeypatch: pytest.MonkeyPatch) -> None:
    _, device = both("cpu", crowded)

    def fail(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(DevicePath, "reconfigure", fail)
    with pytest.raises(EngineError, match="out of memory"):
        device.reconfigure(device.config)


@pytest.mark.parametrize("said", [
    "CUDA error: unspecified launch failure", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "GET was unable to find an engine to execute this computation"])
def test_what_a_device_and_its_libraries_say_is_told_from_a_bug(said: str) -> None:
    gpu = torch.device("cuda:0")
    with pytest.raises(EngineError, match="cuda:0 failed .*engine.device to cpu"), device_errors(gpu):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="size of tensor") as caught, device_errors(gpu):
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")
    assert not isinstance(caught.value, EngineError)


@pytest.mark.parametrize("on_failure", ["cpu", "error"])
def test_a_failing_device_is_told_and_left_if_that_is_wanted(crowded, on_failure, monkeypatch) -> None:
    host, device = both("cpu", {**crowded, "engine.on_failure": on_failure})

    def fail(self: object, frames: object) -> None:
        with device_errors(torch.device("cuda:0")):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nand more")

    monkeypatch.setattr(DevicePath, "find", fail)
    image = frame(0, "uint16", (96, 128))
    if on_failure == "error":
        with pytest.raises(EngineError, match="out of memory .*2.00 GiB.*engine.device to cpu"):
            device.process([image])
        return
    assert_same(host.process([image])[0], device.process([image])[0])
    assert any("out of memory" in text for text in device.warnings)
    device.reconfigure(device.config)
    assert "contrast" in device.process([image])[0].stage_ms


def test_it_is_taken_where_it_pays_and_refused_where_it_cannot_be(crowded) -> None:
    engine = EngineConfig(backend="torch", device="cpu")
    perception = ThermalPerception(with_values(PerceptionConfig(engine=engine), crowded))
    assert "device" not in perception.describe()
    pytest.importorskip("onnxruntime")
    from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER

    if not (WEIGHTS_FOLDER / "detector_nano.onnx").is_file():
        pytest.skip("no ONNX model is shipped")
    with pytest.raises(EngineError, match="engine.device_path is 'on'.*engine.backend to torch"):
        ThermalPerception(PerceptionConfig(engine=EngineConfig("onnxruntime", "cpu", device_path="on")))
