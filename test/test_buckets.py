"""Batches of fixed sizes give what each row alone gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_kd_ros.buckets import BUCKETS, buckets_for, run_in_buckets
from thermal_kd_ros.config import EngineConfig, FaceConfig, PerceptionConfig, with_values
from thermal_kd_ros.engines.base import Engine, EngineError, load_engine
from thermal_kd_ros.engines.guard import GuardedEngine
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.host_path import most_wanted
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import Detections


@given(st.integers(1, 500))
def test_buckets_hold_the_rows_and_no_fewer_would(count: int) -> None:
    sizes = buckets_for(count)
    assert set(sizes) <= set(BUCKETS) and sum(sizes) >= count > sum(sizes) - sizes[-1]
    smaller = [size for size in BUCKETS if size < sizes[-1]]
    assert not smaller or sum(sizes[:-1]) + smaller[-1] < count


class OnDevice:
    """A real engine, taken for one that is not on a CPU; it keeps the sizes of its batches."""

    on_cpu = False

    def __init__(self, engine: Engine) -> None:
        self.engine, self.card, self.sizes = engine, engine.card, []

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(len(batch))
        return self.engine.run(batch)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
def test_faces_in_buckets_are_as_one_by_one(backend: str) -> None:
    try:
        engine = load_engine("landmarks_light", "landmarks",
                             EngineConfig(backend=backend, device="cpu", precision="fp32", threads=1))
    except EngineError as error:
        pytest.skip(str(error))
    rng = np.random.default_rng(0)
    crops = rng.random((11, 1, 112, 112), np.float32)
    crops += np.linspace(0, 1, 11, dtype=np.float32)[:, None, None, None]
    crops /= crops.max()
    alone = [engine.run(crop[None]) for crop in crops]
    points, sigma = (np.concatenate(part) for part in zip(*alone, strict=True))
    for count in (1, 3, 8, 11):
        device = OnDevice(engine)
        for found, bucketed in ((run_in_buckets(engine, crops[:count]), False),
                                (run_in_buckets(device, crops[:count]), True)):  # type: ignore[arg-type]
            assert found[0].shape == (count, 54, 2) and found[1].shape == (count, 54), bucketed
            np.testing.assert_allclose(found[0], points[:count], atol=2e-3)
            np.testing.assert_allclose(found[1], sigma[:count], rtol=2e-3)
        assert device.sizes == buckets_for(count)


def faces(sides: list[float], scores: list[float]) -> Detections:
    boxes = np.array([[10.0, 20.0, 10.0 + side, 20.0 + side / 2] for side in sides], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array(scores, np.float32), np.zeros(len(sides), np.int64), ("face",))


def test_the_most_confident_or_the_largest_faces_win() -> None:
    found = faces([50.0, 8.0, 90.0, 30.0, 70.0], [0.9, 0.8, 0.7, 0.6, 0.5])
    config = FaceConfig(max_faces=2, min_size_px=12.0)
    assert most_wanted(found, config).scores.tolist() == pytest.approx([0.9, 0.7])
    largest = most_wanted(found, dataclasses.replace(config, priority="size"))
    assert largest.scores.tolist() == pytest.approx([0.7, 0.5])
    assert len(most_wanted(found, FaceConfig(max_faces=16, min_size_px=12.0))) == 4
    assert len(most_wanted(faces([], []), config)) == 0


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), max_size=12), st.integers(1, 12),
       st.sampled_from(["score", "size"]))
def test_no_face_that_is_left_out_comes_before_one_that_is_kept(made: list[tuple[float, float]], most: int,
                                                                priority: str) -> None:
    made.sort(key=lambda face: -face[1])
    found = faces([side for side, _ in made], [score for _, score in made])
    kept = most_wanted(found, FaceConfig(max_faces=most, min_size_px=12.0, priority=priority))
    assert (np.diff(kept.scores) <= 0).all(), "best first, whatever the choice"
    sides = found.boxes[:, 2] - found.boxes[:, 0]
    assert len(kept) == min(most, int((sides >= 12.0).sum()))
    value = {"score": lambda d: d.scores, "size": lambda d: d.boxes[:, 2] - d.boxes[:, 0]}[priority]
    everyone = np.sort(value(found.select(sides >= 12.0)))[::-1]
    np.testing.assert_allclose(np.sort(value(kept))[::-1], everyone[: len(kept)])


@pytest.mark.parametrize("priority", ["score", "size"])
@pytest.mark.parametrize("path", ["off", "on"])
def test_faces_that_are_too_small_leave_their_places_to_others(path: str, priority: str,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    perception = ThermalPerception(with_values(PerceptionConfig(), {
        "engine.backend": "torch", "engine.device": "cpu", "engine.threads": 1, "engine.precision": "fp32",
        "engine.device_path": path, "face.max_faces": 2, "face.min_landmark_confidence": 0.0,
        "face.min_size_px": 12.0, "face.priority": priority}))
    finder = perception.networks.face_detector
    assert isinstance(finder, GuardedEngine)
    boxes = torch.tensor([[[20.0, 20, 28, 28], [60, 20, 68, 28], [100, 20, 200, 120], [220, 20, 270, 70],
                           [20, 130, 40, 150]]])
    scores = torch.tensor([[[0.9], [0.8], [0.7], [0.6], [0.5]]])
    monkeypatch.setattr(finder.engine, "infer", lambda images: (boxes, scores))
    monkeypatch.setattr(finder, "run", lambda images: (boxes.numpy(), scores.numpy()))
    image = ThermalFrame.from_array(np.full((finder.card.input_height, finder.card.input_width), 29500, np.uint16),
                                    perception.config.thermal)
    result = perception.process([image])[0]
    assert ("device" in result.stage_ms) == (path == "on")
    np.testing.assert_allclose(result.faces.scores, [0.7, 0.6], atol=1e-6)
    np.testing.assert_allclose(result.faces.boxes, boxes[0, 2:4].numpy(), atol=1e-3)


@pytest.mark.parametrize("second_look", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_every_size_of_batch_that_faces_can_make_is_prepared(mirror: bool, second_look: bool) -> None:
    pytest.importorskip("onnxruntime")
    config = with_values(PerceptionConfig(), {
        "engine.backend": "onnxruntime", "engine.device": "cpu", "engine.threads": 1, "face.max_faces": 3,
        "face.mirror": mirror, "face.second_look": second_look})
    perception = ThermalPerception(config)
    landmarker = perception.networks.landmarker
    assert landmarker is not None
    prepared: set[int] = set()

    class Listening:
        """The landmarker, and the sizes of the batches that it is given."""

        card, on_cpu = landmarker.card, False

        def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            prepared.add(len(batch))
            return landmarker.run(batch)

    perception.networks.landmarker = Listening()
    perception.warm_up()
    image = ThermalFrame.from_array(np.full((120, 160), 29500, np.uint16), config.thermal)
    box = np.array([10.0, 10.0, 50.0, 50.0])
    before = set(prepared)
    for count in (1, 2, 3):
        perception.host.landmarks([image], [Detections(np.tile(box, (count, 1)), np.ones(count), np.zeros(count, int),
                                                       ("face",))])
    assert prepared == before and max(before) == (8 if mirror and not second_look else 4)


def test_the_device_path_is_prepared_for_several_cameras() -> None:
    pytest.importorskip("torch")
    config = with_values(PerceptionConfig(), {"engine.backend": "torch", "engine.device": "cpu", "engine.threads": 1,
                                              "engine.precision": "fp32", "engine.device_path": "on"})
    perception = ThermalPerception(config)
    perception.warm_up(2)
    rng = np.random.default_rng(0)
    images = [rng.normal(29500 + 100 * i, 300, (120, 160)).astype(np.uint16) for i in range(2)]
    frames = [ThermalFrame.from_array(image, config.thermal, 1.0, str(i)) for i, image in enumerate(images)]
    together = perception.process(frames)
    assert all(list(result.stage_ms) == ["correct", "device", "tracking", "pose"] for result in together)
    # Whoever comes after the preparation is new: its first frame is not mixed with what was run then.
    fresh = ThermalPerception(with_values(config, {"engine.device_path": "off"})).process(frames)
    for mine, other in zip(together, fresh, strict=True):
        np.testing.assert_allclose(mine.detections.boxes, other.detections.boxes, atol=0.01)
