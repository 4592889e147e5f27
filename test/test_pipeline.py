"""The pipeline around its networks, which are replaced by ones that find hot spots."""

from __future__ import annotations

import threading
import time
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thermal_kd_ros import networks, pipeline
from thermal_kd_ros.config import (
    ConfigError,
    ContrastConfig,
    CorrectionConfig,
    EngineConfig,
    FaceConfig,
    PerceptionConfig,
    ThermalConfig,
    with_values,
)
from thermal_kd_ros.correction import Corrector
from thermal_kd_ros.frames import ENCODINGS, FrameError, ThermalFrame
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.results import PerceptionResult
from thermal_kd_ros.stream import FrameReader
from thermal_kd_ros.tone import TemporalTone

RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8
POINTS = get_layout("sf_tl54").points


class HotFace:
    """As a detector it finds the box of all that is hot. As a landmarker it knows upright, unmirrored faces alone.

    Of the two upper spots it calls the one at the left of the image the right eye, and the lower spot the chin.
    """

    on_cpu = True

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.warnings: list[str] = []

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert batch.dtype == np.float32 and np.isfinite(batch).all()
        assert batch.min() >= 0.0 and batch.max() <= 1.0
        outputs = [self._landmarks(image[0]) if self.card.task == "landmarks" else self._box(image[0])
                   for image in batch]
        first, second = zip(*outputs, strict=True)
        return np.stack(first).astype(np.float32), np.stack(second).astype(np.float32)

    def _box(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.nonzero(image > 0.75)
        if not len(rows):
            return np.zeros((1, 4)), np.zeros((1, len(self.card.classes)))
        box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
        return box, np.full((1, len(self.card.classes)), 0.9)

    def _landmarks(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, sigma = np.full((POINTS, 2), self.card.input_width / 2), np.full(POINTS, 1.0)
        y, x = (grid + 0.5 for grid in np.mgrid[: image.shape[0], : image.shape[1]])
        upper, left = y < image.shape[0] / 2, x < image.shape[1] / 2
        for index, where in ((RIGHT_EYE, upper & left), (LEFT_EYE, upper & ~left), (CHIN, ~upper)):
            weight = np.where(where & (image > 0.7), image, 0.0)
            if weight.sum() > 0:
                points[index] = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
        return points, sigma

    def describe(self) -> str:
        return "hot spots"


class Witness(HotFace):
    """Finds nothing and keeps what it was shown."""

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.seen = batch[0, 0]
        return np.zeros((len(batch), 1, 4), np.float32), np.zeros((len(batch), 1, len(self.card.classes)), np.float32)


@pytest.fixture(autouse=True)
def hot_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {
        "detector_nano": ModelCard("objects", "detection", {}, 256, 320, ("person",)),
        "face_detector": ModelCard("faces", "detection", {}, 256, 320, ("face",)),
        "landmarks_light": ModelCard("landmarks", "landmarks", {"points": POINTS}, 112, 112, layout="sf_tl54"),
    }

    def load(model: str, task: str, config: EngineConfig) -> HotFace:
        return HotFace(cards[model])

    monkeypatch.setattr(networks, "load_engine", load)


EYE, OTHER_EYE, MOUTH = (150.0, 60.0, 38.0), (185.0, 62.0, 37.0), (168.0, 100.0, 36.0)
"""x, y and degrees Celsius of the subject's right eye, left eye and mouth in the upright image."""


def upright_scene() -> np.ndarray:
    """(256, 320) float32 degrees Celsius: a face of three spots in a cold room, not in its middle."""
    y, x = (grid + 0.5 for grid in np.mgrid[:256, :320])
    celsius = np.full((256, 320), 15.0)
    for u, v, temperature in (EYE, OTHER_EYE, MOUTH):
        celsius = np.maximum(celsius, np.where((x - u) ** 2 + (y - v) ** 2 < 36.0, temperature, 0.0))
    return celsius.astype(np.float32)


def seen_by(camera: np.ndarray, rotate: int, flip: bool, stamp: float | None = 0.0) -> PerceptionResult:
    config = PerceptionConfig(thermal=ThermalConfig(rotate=rotate, flip=flip), face=FaceConfig(nms_iou=0.5))
    perception = pipeline.ThermalPerception(config)
    return perception.process([ThermalFrame.from_array(camera, config.thermal, stamp)])[0]


@pytest.mark.parametrize(("rotate", "flip"), list(product((0, 90, 180, 270), (False, True))))
def test_results_lie_on_the_camera_s_own_pixels_however_it_is_mounted(rotate: int, flip: bool) -> None:
    upright = upright_scene()
    # What the camera delivers: turned anticlockwise, then mirrored, the reverse of what makes it upright.
    camera = np.rot90(upright, rotate // 90)
    camera = np.ascontiguousarray(camera[:, ::-1] if flip else camera)
    result = seen_by(camera, rotate, flip)
    rows, columns = np.nonzero(camera > 30)
    truth = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(result.detections.boxes, [truth], atol=1.0)
    np.testing.assert_allclose(result.faces.boxes, [truth], atol=1.0)
    assert result.detections.track_ids[0] >= 0 and result.faces.track_ids[0] >= 0
    for index, (_, _, temperature) in ((RIGHT_EYE, EYE), (LEFT_EYE, OTHER_EYE), (CHIN, MOUTH)):
        spot = np.argwhere(np.abs(camera - temperature) < 0.01).mean(axis=0)[::-1] + 0.5
        np.testing.assert_allclose(result.faces.points[0, index], spot, atol=1.0)
        assert result.faces.temperature[0, index] == pytest.approx(temperature, abs=0.01)
    # The inner corners, which this stand-in leaves in the middle of the crop, are measured in the upright image.
    assert np.isfinite(result.faces.canthus_temperature).all() and len(result.faces.canthus_temperature) == 1


def test_without_flip_a_mirrored_camera_swaps_the_eyes() -> None:
    mirrored = np.ascontiguousarray(upright_scene()[:, ::-1])
    assert seen_by(mirrored, 0, False).faces.temperature[0, RIGHT_EYE] == pytest.approx(OTHER_EYE[2], abs=0.01)
    assert seen_by(mirrored, 0, True).faces.temperature[0, RIGHT_EYE] == pytest.approx(EYE[2], abs=0.01)


def test_an_impossible_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="thermal.rotate = 45: must be one of 0, 90, 180, 270"):
        with_values(PerceptionConfig(), {"thermal.rotate": 45})


# Bad input: whatever comes, it is answered with finite results or refused with a reason -------------------------------

FOREIGN = ["", "bgr16", "rgb16", "mono32", "16SC1", "32SC1", "64FC1", "32FC3", "16UC3", "8UC2", "8SC1", "bayer_rggb8",
           "bayer_gbrg16", "yuv422", "yuv422_yuy2", "uyvy", "nv21", "mono16 ", "MONO16"]
"""Encodings that cv_bridge knows, or nearly, but that carry no thermal image."""
FILLS = ("noise", "constant", "saturated", "12 bits", "12 bits moved up", "ramp", "nan", "infinite", "absurd",
         "one value")
SHAPES = st.one_of(st.sampled_from([(1, 1), (1, 300), (300, 1), (2, 2), (7, 9), (120, 160)]),
                   st.tuples(st.integers(1, 70), st.integers(1, 70)))


def filled(shape: tuple[int, ...], dtype: str, fill: str, seed: int) -> np.ndarray:
    """An image of a kind that cameras, cables and drivers bring forth."""
    rng = np.random.default_rng(seed)
    if dtype != "f4":
        top = 256 ** int(dtype[1]) - 1
        values = rng.integers(0, top, shape, endpoint=True)
        values = {"constant": np.full(shape, seed % top), "saturated": np.where(values > top // 3, top, values),
                  "12 bits": values % 4096, "12 bits moved up": values % 4096 * 16 % (top + 1),
                  "ramp": np.arange(values.size).reshape(shape) % top, "one value": np.zeros(shape)}.get(fill, values)
        return values.astype(dtype)
    values = rng.normal(20, 8, shape).astype(dtype)
    bad = {"nan": np.nan, "infinite": rng.choice([np.inf, -np.inf]), "absurd": 3e38 * rng.choice([-1, 1]),
           "saturated": 1e4}.get(fill)
    if bad is not None:
        values[rng.random(shape) < rng.choice([0.01, 0.5, 0.95, 1.0])] = bad
    return {"constant": np.full(shape, -40.0), "one value": np.zeros(shape)}.get(fill, values).astype(dtype)


def assert_sound(result: PerceptionResult, height: int, width: int) -> None:
    """Every number is one, and lies where it may."""
    for found in (result.detections, result.faces):
        assert np.isfinite(found.boxes).all() and (found.boxes >= 0).all()
        assert (found.boxes[:, [0, 2]] <= width).all() and (found.boxes[:, [1, 3]] <= height).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert np.isfinite(result.faces.points).all()
    assert ((result.faces.confidence >= 0) & (result.faces.confidence <= 1)).all()
    assert not np.isinf(result.faces.temperature).any() and not np.isinf(result.faces.canthus_temperature).any()


@pytest.fixture(scope="module")
def reused() -> dict[tuple[int, bool], tuple[FrameReader, pipeline.ThermalPerception]]:
    """One reader and pipeline for each way to mount the camera: bad images must leave nothing behind."""
    return {}


def answer(reused: dict[tuple[int, bool], tuple[FrameReader, pipeline.ThermalPerception]], turn: tuple[int, bool],
           read: str, *fields: object) -> None:
    """Read an image by ``read`` of the reader and process it; a refusal must say something."""
    if turn not in reused:
        face = FaceConfig(min_size_px=1.0, score_threshold=0.0, min_landmark_confidence=0.0)
        correction = CorrectionConfig(find_bad_pixels=turn[1], stripes="both" if turn[1] else "off")
        config = PerceptionConfig(ThermalConfig(rotate=turn[0], flip=turn[1]), correction, face=face)
        reused[turn] = FrameReader(config.thermal, str(turn)), pipeline.ThermalPerception(config)
    reader, perception = reused[turn]
    try:
        frame = getattr(reader, read)(*fields, 1.0)
    except FrameError as error:
        assert len(str(error)) > 20
        return
    assert_sound(perception.process([frame])[0], *frame.shape)


TURN = st.tuples(st.sampled_from([0, 90, 180, 270]), st.booleans())
MANY = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(encoding=st.sampled_from(sorted(ENCODINGS)), shape=SHAPES, fill=st.sampled_from(FILLS), big=st.booleans(),
       padding=st.integers(0, 5), seed=st.integers(0, 2**16), turn=TURN)
def test_every_image_is_answered_with_finite_results(reused, encoding, shape, fill, big, padding, seed, turn) -> None:
    layout = ENCODINGS[encoding]
    full = shape if layout.channels == 1 else (*shape, layout.channels)
    pixels = filled(full, layout.dtype, fill, seed)
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xff" * padding for row in pixels]
    answer(reused, turn, "read", b"".join(rows), *shape, encoding, len(rows[0]), big)


@MANY
@given(encoding=st.sampled_from(sorted(ENCODINGS) + FOREIGN), data=st.binary(max_size=400),
       height=st.integers(0, 2**32 - 1) | st.integers(0, 20), width=st.integers(0, 2**32 - 1) | st.integers(0, 20),
       step=st.integers(0, 2**32 - 1) | st.integers(0, 60), big=st.booleans())
def test_fields_that_contradict_each_other_are_refused(reused, encoding, data, height, width, step, big) -> None:
    answer(reused, (0, False), "read", data, height, width, encoding, step, big)


@MANY
@given(shape=SHAPES, dtype=st.sampled_from(["u1", "u2"]), fill=st.sampled_from(FILLS), seed=st.integers(0, 2**16),
       suffix=st.sampled_from([".png", ".jpg", ".tiff"]), cut=st.none() | st.floats(0, 1), turn=TURN,
       format=st.sampled_from(["png", "jpeg", "mono16; png compressed", "mono8; jpeg compressed mono8", "16UC1",
                               "16UC1; compressedDepth", "no format"]))
def test_every_compressed_image_is_answered_or_refused(reused, shape, dtype, fill, seed, suffix, cut, turn, format
                                                       ) -> None:
    pixels = filled(shape, "u1" if suffix == ".jpg" else dtype, fill, seed)
    data = cv2.imencode(suffix, pixels)[1].tobytes()
    answer(reused, turn, "read_compressed", data if cut is None else data[: int(cut * len(data))], format)


@pytest.mark.parametrize("encoding", FOREIGN)
def test_an_encoding_of_no_thermal_camera_is_named_with_those_that_are(encoding: str) -> None:
    with pytest.raises(FrameError, match=f"encoding '{encoding}'.*mono16"):
        FrameReader(ThermalConfig()).read(bytes(64), 2, 2, encoding, 32, False, 0.0)


@pytest.mark.parametrize("turn", [(0, False), (90, True)])
def test_a_4k_image_is_answered(reused, turn: tuple[int, bool]) -> None:
    pixels = filled((2160, 3840), "u2", "noise", 0)
    answer(reused, turn, "read", pixels.tobytes(), 2160, 3840, "mono16", 7680, False)


def witnesses(monkeypatch: pytest.MonkeyPatch, asks: dict[str, dict[str, Any]]) -> None:
    """Networks of 80 x 64 that only look, with what their cards say of contrast."""
    def load(model: str, task: str, config: EngineConfig) -> Witness:
        points = {"points": POINTS} if task == "landmarks" else {}
        return Witness(ModelCard(model, task, points, 64, 80, ("face",), "sf_tl54", asks.get(model, {})))

    monkeypatch.setattr(networks, "load_engine", load)


def test_each_network_sees_the_contrast_of_its_card_until_the_user_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = {"detector_nano": {"method": "plateau", "plateau_limit": 2.0}, "face_detector": {"method": "clahe"},
            "landmarks_light": {"margin": 0.15}}

    witnesses(monkeypatch, asks)
    values = np.random.default_rng(0).normal(20.0, 5.0, (64, 80)).astype(np.float32)
    perception = pipeline.ThermalPerception()

    def seen(stamp: float | None = None) -> list[np.ndarray]:
        perception.process([ThermalFrame.from_array(values, ThermalConfig(), stamp)])
        return [engine.seen for engine in (perception.networks.detector, perception.networks.face_detector)]  # type: ignore[union-attr]

    def alone(**contrast: Any) -> np.ndarray:
        frame = ThermalFrame.from_array(values, ThermalConfig())
        return TemporalTone(ContrastConfig(**contrast)).update(frame).apply(values)

    for stamp in (None, 1.0, 1.1):
        objects, faces = seen(stamp)
        np.testing.assert_allclose(objects, alone(method="plateau", plateau_limit=2.0), atol=1e-6)
        np.testing.assert_allclose(faces, alone(method="clahe"), atol=1e-6)
    assert np.abs(objects - faces).max() > 0.05
    perception.reconfigure(with_values(PerceptionConfig(), {"contrast.method": "percentile"}))
    for image in seen(1.2):
        np.testing.assert_allclose(image, alone(method="percentile"), atol=1e-6)
    asks["face_detector"] = {"method": "retinex"}
    with pytest.raises(ModelError, match="face_detector.*retinex.*contrast.method"):
        pipeline.ThermalPerception()
    named = with_values(PerceptionConfig(), {"contrast.method": "clahe"})
    assert pipeline.ThermalPerception(named).contrast.method == "clahe"


def test_networks_are_ready_before_a_frame_could_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[str, int, bool]] = []
    turn = threading.Lock()
    run = HotFace.run
    monkeypatch.setattr(HotFace, "run", lambda self, batch: (
        runs.append((self.card.name, len(batch), turn.locked())), run(self, batch))[1])
    off = with_values(PerceptionConfig(), {"face.enabled": False, "face.max_faces": 2})
    perception = pipeline.ThermalPerception(off)
    perception.warm_up()
    assert runs == [("objects", 1, False)]
    runs.clear()

    on = with_values(off, {"face.enabled": True})
    ready = perception.prepare(on, 1, turn)
    assert perception.networks.face_detector is None and perception.config is off, "nothing has changed yet"
    assert set(runs) == {("faces", 1, False), *(("landmarks", size, False) for size in (1, 2))}
    perception.reconfigure(on, ready)
    assert perception.networks is ready
    runs.clear()

    perception.prepare(on, 1, turn)
    assert runs == [], "what was run before needs no other run"
    perception.prepare(on, 2, turn)
    assert set(runs) == {("objects", 2, True), ("faces", 2, True), ("landmarks", 4, True)}


def test_every_part_of_the_time_belongs_to_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    perception = pipeline.ThermalPerception(with_values(PerceptionConfig(), {"correction.stripes": "both"}))
    frame = ThermalFrame.from_array(upright_scene(), ThermalConfig(), 0.0)
    apply = Corrector.apply
    monkeypatch.setattr(Corrector, "apply", lambda self, frame: (time.sleep(0.05), apply(self, frame))[1])
    began = time.perf_counter()
    stages = perception.process([frame])[0].stage_ms
    took = 1e3 * (time.perf_counter() - began)
    assert list(stages) == ["correct", "contrast", "detect", "faces", "landmarks", "tracking", "pose"]
    assert stages["correct"] >= 50.0 and sum(stages.values()) <= took


@pytest.mark.parametrize(("rotate", "flip"), list(product((0, 90, 180, 270), (False, True))))
def test_the_frame_of_a_result_is_corrected_and_on_the_camera_s_own_pixels(rotate: int, flip: bool, tmp_path: Path
                                                                           ) -> None:
    scene = np.full((80, 60), 20.0, np.float32)
    scene[20:40, 10:30] = 35.0
    broken = scene.copy()
    broken[30, 20] = 90.0
    np.save(tmp_path / "bad.npy", broken != scene)
    config = with_values(PerceptionConfig(), {"thermal.rotate": rotate, "thermal.flip": flip,
                                              "correction.bad_pixel_map": str(tmp_path / "bad.npy")})
    given = ThermalFrame.from_array(broken, config.thermal, 3.0, "front")
    result = pipeline.ThermalPerception(config).process([given])[0]
    np.testing.assert_array_equal(result.frame.values, scene)
    assert (result.frame.stamp, result.frame.camera, result.frame.mode) == (3.0, "front", "celsius")


def test_faults_of_the_sensor_are_gone_before_anything_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    witnesses(monkeypatch, {})
    rng = np.random.default_rng(0)
    scene = (20.0 + 8.0 * np.mgrid[:80, :64][0] / 80 + rng.normal(0, 0.2, (80, 64))).astype(np.float32)
    bad = np.zeros(scene.shape, bool)
    bad[::9, ::7] = True
    np.save(tmp_path / "bad.npy", bad)
    stripes = rng.normal(0, 2.0, (80, 1)).astype(np.float32)

    def seen(values: np.ndarray, **correction: Any) -> np.ndarray:
        config = with_values(PerceptionConfig(), {
            "thermal.rotate": 90, **{f"correction.{name}": value for name, value in correction.items()}})
        perception = pipeline.ThermalPerception(config)
        perception.process([ThermalFrame.from_array(values, ThermalConfig())])
        return perception.networks.detector.seen  # type: ignore[attr-defined]

    clean = seen(scene)
    broken = np.where(bad, np.float32(-100), scene)
    mended = seen(broken, bad_pixel_map=str(tmp_path / "bad.npy"))
    turned = np.rot90(bad, -1)
    assert np.abs(seen(broken) - clean)[turned].max() > 0.3 and np.abs(mended - clean)[turned].max() < 0.15
    striped = scene + stripes
    # Rows of the camera are columns of the upright image.
    left, right = (np.diff(image - clean, axis=1).std() for image in (seen(striped, stripes="rows"), seen(striped)))
    assert left < 0.4 * right

    perception = pipeline.ThermalPerception()
    stamps = iter(np.arange(100) / 30)
    perception.process([ThermalFrame.from_array(striped, ThermalConfig(), next(stamps))])
    as_it_is = perception.networks.detector.seen  # type: ignore[attr-defined]
    perception.reconfigure(with_values(PerceptionConfig(), {"correction.stripes": "both"}))
    perception.process([ThermalFrame.from_array(striped, ThermalConfig(), next(stamps))])
    assert np.abs(perception.networks.detector.seen - as_it_is).max() > 0.05  # type: ignore[attr-defined]
    assert perception.bad_pixels() == 0
    perception.reconfigure(with_values(PerceptionConfig(), {"correction.find_bad_pixels": True}))
    for _ in range(60):
        values = np.where(bad, np.float32(-100), scene + rng.normal(0, 0.1, scene.shape)).astype(np.float32)
        perception.process([ThermalFrame.from_array(values, ThermalConfig(), next(stamps))])
    inner = bad[1:-1, 1:-1].sum()
    assert 0.95 * inner <= perception.bad_pixels() <= inner
    with pytest.raises(ConfigError, match="absent.npy"):
        seen(scene, bad_pixel_map=str(tmp_path / "absent.npy"))
    with pytest.raises(FrameError, match="80 x 64.*64 x 80"):
        seen(scene.T, bad_pixel_map=str(tmp_path / "bad.npy"))
