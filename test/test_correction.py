"""Bad pixels and stripes: taken away where they are, and nothing else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thermal_kd_ros.config import ConfigError, CorrectionConfig, ThermalConfig
from thermal_kd_ros.correction import Corrector, Replacement, outliers, read_map, stripe_offsets
from thermal_kd_ros.frames import FrameError, ThermalFrame
from thermal_kd_ros.simulation.camera import SimulatedCamera
from thermal_kd_ros.simulation.config import KINDS, SimulationConfig
from thermal_kd_ros.simulation.random_frames import random_scene_frame

SCENES = [random_scene_frame(seed, 320, 256, kind, "centikelvin").image for seed, kind in enumerate(KINDS)]


def faults(shape: tuple[int, int], seed: int = 0, part: float = 0.005) -> np.ndarray:
    """Single bad pixels, none beside another."""
    rng = np.random.default_rng(seed)
    bad = np.zeros(shape, bool)
    for _ in range(round(part * bad.size)):
        y, x = int(rng.integers(2, shape[0] - 2)), int(rng.integers(2, shape[1] - 2))
        bad[y, x] = not bad[y - 2 : y + 3, x - 2 : x + 3].any() or bad[y, x]
    return bad


def frame_of(values: np.ndarray, stamp: float | None = None) -> ThermalFrame:
    return ThermalFrame.from_array(values, ThermalConfig(), stamp)


def replaced(values: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """By the definition: rim after rim, pixel by pixel."""
    out, good = values.copy(), ~bad
    while not good.all() and good.any():
        filled = {}
        for y, x in np.argwhere(~good):
            near = [(v, u) for v in range(y - 1, y + 2) for u in range(x - 1, x + 2)
                    if (v, u) != (y, x) and 0 <= v < bad.shape[0] and 0 <= u < bad.shape[1] and good[v, u]]
            if near:
                known = [float(out[at]) for at in near if np.isfinite(out[at])]
                filled[y, x] = np.median(np.array(known, np.float32)) if known else None
        for at, value in filled.items():
            good[at] = True
            if value is not None:
                out[at] = np.rint(value) if values.dtype.kind == "u" else value
    return out


@settings(max_examples=60)
@given(st.data(), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_bad_pixels_are_replaced_as_defined_and_only_they(data: st.DataObject, dtype: type) -> None:
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    elements = st.floats(-100, 100, width=32) | st.just(np.nan) if dtype is np.float32 else None
    values = data.draw(arrays(dtype, shape, elements=elements))
    bad = data.draw(arrays(bool, shape))
    replacement = Replacement(bad)
    once = replacement.apply(values)
    np.testing.assert_allclose(once, replaced(values, bad), rtol=1e-6)
    np.testing.assert_array_equal(once[~bad], values[~bad])
    np.testing.assert_array_equal(replacement.apply(once), once)
    assert once.dtype == values.dtype


def test_a_replaced_pixel_lies_among_its_neighbours_and_near_the_truth() -> None:
    for scene in SCENES:
        bad = faults(scene.shape)
        broken = np.where(bad, np.uint16(0), scene)
        mended = Replacement(bad).apply(broken)
        away = np.abs(mended.astype(float) - scene)[bad]
        assert np.median(away) < 30, "more than 0.3 K from the truth"


@pytest.mark.parametrize("kind", KINDS)
def test_bad_pixels_are_found_in_a_stream_and_good_ones_left_alone(kind: str) -> None:
    camera = SimulatedCamera(SimulationConfig(scene=kind, width=160, height=128, rate_hz=15.0, unit="centikelvin",
                                              dead_pixels=0, shutter_interval_s=0.0))
    bad = faults((128, 160), 3)
    corrector = Corrector(CorrectionConfig(find_bad_pixels=True), None)
    for image in camera.frames(70):
        values = np.where(bad, np.where(np.arange(160) % 2, np.uint16(0), np.uint16(65535)), image.image)
        corrected = corrector.apply(frame_of(values, image.stamp))
    assert corrector.bad is not None
    assert corrector.bad[bad].mean() > 0.97
    assert corrector.bad[~bad].mean() < 2e-4
    np.testing.assert_array_equal(corrected.values, Replacement(corrector.bad).apply(values))


def test_a_pixel_that_recovers_is_used_again_and_a_warm_spot_with_a_rim_is_none() -> None:
    rng = np.random.default_rng(0)
    spot = np.zeros((48, 64), np.float32)
    spot[30, 40] = 900.0
    spot = cv2.GaussianBlur(spot, (0, 0), 0.8)
    corrector = Corrector(CorrectionConfig(find_bad_pixels=True), None)
    for i in range(160):
        values = (20.0 + spot + rng.normal(0, 0.05, spot.shape)).astype(np.float32)
        values[10, 10] = 99.0 if i < 80 else values[10, 10]
        corrector.apply(frame_of(values, i / 30))
        if i == 79:
            assert corrector.bad is not None and np.argwhere(corrector.bad).tolist() == [[10, 10]]
    assert corrector.bad is None or not corrector.bad.any()


def test_outliers_by_the_definition() -> None:
    values = SCENES[0][:40, :50].astype(np.float32)
    values[7, 9], values[20, 20], values[20, 21] = 0.0, 0.0, 0.0
    found = outliers(values)
    padded = np.pad(values, 2, mode="edge")
    away = np.array([[abs(values[y, x] - np.median(padded[y : y + 5, x : x + 5])) for x in range(50)]
                     for y in range(40)])
    limit = 6.0 * 1.4826 * np.median(away)
    for y in range(1, 39):
        for x in range(1, 49):
            ring = away[y - 1 : y + 2, x - 1 : x + 2].ravel()
            wanted = away[y, x] > limit and np.delete(ring, 4).max() < 0.3 * away[y, x]
            assert found[y, x] == wanted, (y, x)
    assert found[7, 9] and not found[20, 20:22].any()


@pytest.mark.parametrize("axis", (0, 1))
def test_offsets_by_the_definition(axis: int) -> None:
    values = SCENES[1][100:160, 50:90].astype(np.float32)
    image = values if axis == 1 else values.T
    length, count = image.shape
    wide = np.pad(image, ((0, 0), (7, 7)), mode="reflect")
    apart = np.array([[image[y, x] - np.median(wide[y, x : x + 15]) for x in range(count)] for y in range(length)])
    unsure = 1.4826 * np.median(np.abs(apart)) / np.sqrt(length)
    middle = [sorted(apart[:, x])[length // 4 : length - length // 4] for x in range(count)]
    sure = [np.sign(m) * max(abs(m) - unsure, 0.0) for m in map(np.mean, middle)]
    limit = 3 * 1.4826 * np.median(np.abs(sure))
    assert limit > 0.0
    wanted = [min(max(offset, -limit), limit) for offset in sure]
    np.testing.assert_allclose(stripe_offsets(values, axis), wanted, atol=0.05)


@pytest.mark.parametrize("stripes", ("columns", "rows", "both"))
@pytest.mark.parametrize("scene", range(len(SCENES)))
def test_stripes_go_and_an_image_without_them_hardly_changes(stripes: str, scene: int) -> None:
    rng = np.random.default_rng(scene)
    clean = SCENES[scene].astype(np.float32)
    added = np.zeros_like(clean)
    strength = 20.0  # 0.2 K, four times the noise of a good sensor
    if stripes != "rows":
        added += rng.normal(0, strength, (1, clean.shape[1])).astype(np.float32)
    if stripes != "columns":
        added += rng.normal(0, strength, (clean.shape[0], 1)).astype(np.float32)
    corrector = Corrector(CorrectionConfig(stripes=stripes), None)

    def correct(values: np.ndarray) -> np.ndarray:
        return corrector.apply(frame_of(values)).values

    mended = correct(clean + added)
    # What varies slowly across the image harms nobody: compare what is left of the stripes' own kind.
    left = added + (mended - (clean + added))
    assert fine(left).std() < 0.6 * fine(added).std()
    assert (correct(clean) - clean).std() < 0.2 * strength
    assert (correct(mended) - mended).std() < 0.4 * (mended - clean - added).std()


def fine(image: np.ndarray) -> np.ndarray:
    return image - cv2.blur(image, (15, 15))


def test_stripes_are_smoothed_in_time_and_forgotten_when_the_clock_jumps() -> None:
    rng = np.random.default_rng(0)
    stripes = rng.normal(0, 20.0, (1, 160)).astype(np.float32)
    images = [(30000 + stripes + rng.normal(0, 60.0, (128, 160))).astype(np.float32) for _ in range(40)]
    corrector = Corrector(CorrectionConfig(stripes="columns"), None)
    taken = np.array([image[0] - corrector.apply(frame_of(image, i / 30)).values[0] for i, image in enumerate(images)])
    alone = np.array([image[0] - corrector.apply(frame_of(image)).values[0] for image in images])
    assert np.diff(taken, axis=0).std() < 0.1 * np.diff(alone, axis=0).std()
    np.testing.assert_allclose(taken[-1], alone.mean(axis=0), atol=4.0)
    assert np.corrcoef(taken[-1], stripes[0])[0, 1] > 0.8
    again = corrector.apply(frame_of(images[0], 0.0)).values
    np.testing.assert_array_equal(again, corrector.apply(frame_of(images[0])).values)


@settings(max_examples=60)
@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.floats(width=32)),
       st.sampled_from(["off", "columns", "rows", "both"]), st.booleans(), st.sampled_from([None, 1.0]))
def test_any_image_is_survived(values: np.ndarray, stripes: str, find: bool, stamp: float | None) -> None:
    if not np.isfinite(values).any():
        return
    corrected = Corrector(CorrectionConfig(stripes=stripes, find_bad_pixels=find), None).apply(frame_of(values, stamp))
    assert corrected.values.shape == values.shape and corrected.values.dtype == values.dtype
    np.testing.assert_array_equal(np.isnan(corrected.values), np.isnan(values))


def test_off_by_default_and_then_the_very_same_frame() -> None:
    frame = frame_of(SCENES[0], 1.0)
    assert Corrector(CorrectionConfig(), None).apply(frame) is frame


def test_single_images_teach_nothing() -> None:
    corrector = Corrector(CorrectionConfig(find_bad_pixels=True), None)
    values = SCENES[0].copy()
    values[50, 50] = 0
    for _ in range(80):
        assert corrector.apply(frame_of(values)).values is values


def test_maps_from_files(tmp_path: Path) -> None:
    bad = faults((48, 64))
    np.save(tmp_path / "a.npy", bad)
    cv2.imwrite(str(tmp_path / "a.png"), bad.astype(np.uint8) * 255)
    for name in ("a.npy", "a.png"):
        np.testing.assert_array_equal(read_map(str(tmp_path / name)), bad)
    np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4)))
    np.save(tmp_path / "all.npy", np.ones((4, 4), bool))
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    np.savez(tmp_path / "several.npz", bad=bad)
    archive = (tmp_path / "several.npz").read_bytes()
    for name in ("renamed.npy", "cut.npy", "cut.npz", "noise.npy", "none.npy"):
        (tmp_path / name).write_bytes({"renamed": archive, "cut": archive[:99], "noise": b"PK\3\4" + bytes(range(200)),
                                       "none": b""}[name.partition(".")[0]])
    (tmp_path / "text.png").write_text("no picture")
    array = "write .*with numpy.save"
    for name, words in (("absent.npy", "check the path"), ("absent.png", "check the path"), ("cube.npy", "one channel"),
                        ("all.npy", "100% of the pixels"), ("objects.npy", array), ("several.npz", array),
                        ("renamed.npy", array), ("cut.npy", array), ("cut.npz", array), ("noise.npy", array),
                        ("none.npy", "copy it again"), ("text.png", "use a whole PNG")):
        with pytest.raises(ConfigError, match=f"{name}: .*{words}") as caught:
            read_map(str(tmp_path / name))
        text = str(caught.value)
        assert text.startswith("correction.bad_pixel_map") and "\n" not in text and "pickle" not in text


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(FrameError, match="320 x 256.*64 x 48"):
        Corrector(CorrectionConfig(), Replacement(faults((48, 64)))).apply(frame_of(SCENES[0]))
