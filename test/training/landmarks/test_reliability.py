"""Measures of confidence against counting, and the calibration of sigma."""

import math
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.faces import mean_of_both, with_mirror_images  # noqa: E402
from thermal_kd_ros.layouts import LAYOUTS  # noqa: E402
from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER, read, read_card, write  # noqa: E402
from training.card import record  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.landmarks import calibrate  # noqa: E402
from training.landmarks.evaluate import Predictions, load, summary  # noqa: E402
from training.landmarks.reliability import calibration_error, relative_risk_area, risk_area, sigma_scale  # noqa: E402


def test_risk_area_by_counting():
    rng = np.random.default_rng(0)
    errors, sure = rng.exponential(1, 40), rng.random(40)
    order = sorted(range(40), key=lambda i: -sure[i])
    expected = np.mean([np.mean([errors[i] for i in order[:n]]) for n in range(1, 41)])
    assert risk_area(errors, sure) == pytest.approx(expected)


def test_risk_area_does_not_depend_on_the_order_of_ties_and_knowledge_lowers_it():
    rng = np.random.default_rng(1)
    errors = rng.exponential(1, 60)
    sure = rng.integers(0, 3, 60) / 2
    mixed = rng.permutation(60)
    assert risk_area(errors, sure) == pytest.approx(risk_area(errors[mixed], sure[mixed]))
    assert risk_area(errors, np.zeros(60)) == pytest.approx(errors.mean())
    assert relative_risk_area(errors, -errors) == pytest.approx(0.0)
    assert relative_risk_area(errors, np.ones(60)) == pytest.approx(1.0)
    assert relative_risk_area(errors, errors) > 1.0


def test_calibration_error_of_a_true_and_a_boasting_confidence():
    rng = np.random.default_rng(2)
    sure = rng.random(200_000)
    right = rng.random(200_000) < sure
    assert calibration_error(right, sure) < 0.01
    assert calibration_error(right, np.ones(200_000)) == pytest.approx(0.5, abs=0.01)
    assert calibration_error(np.array([True, False, True]), np.array([0.9, 0.9, 0.1])) == pytest.approx(
        (abs(1 - 1.8) + abs(1 - 0.1)) / 3)


def test_the_scale_of_sigma_is_the_most_likely_one():
    """Gaussian errors with sigmas that are wrong by a known factor, and the likelihood of being right, term by term."""
    rng = np.random.default_rng(3)
    sigma, side = rng.uniform(1, 6, (4000, 3)), rng.uniform(50, 100, 4000)
    true = np.array([0.5, 1.0, 2.0])
    distance = np.linalg.norm(rng.normal(0, 1, (4000, 3, 2)) * (sigma * true)[..., None], axis=2)
    found = sigma_scale(distance, sigma, side)
    np.testing.assert_allclose(found, true, rtol=0.06)

    def log_likelihood(point, factor):
        total = 0.0
        for i in range(0, 4000, 10):
            sure = 1 - math.exp(-((0.05 * side[i]) ** 2) / (2 * (factor * sigma[i, point]) ** 2))
            total += math.log(sure if distance[i, point] <= 0.05 * side[i] else 1 - sure)
        return total

    some = sigma_scale(distance[::10], sigma[::10], side[::10])
    for point in range(3):
        values = [log_likelihood(point, f * some[point]) for f in (0.9, 1.0, 1.1)]
        assert values[1] == max(values)


def test_outliers_do_not_lower_the_confidence_of_the_others():
    rng = np.random.default_rng(5)
    sigma, side = np.full((3000, 1), 2.0), np.full(3000, 100.0)
    distance = np.linalg.norm(rng.normal(0, 2.0, (3000, 1, 2)), axis=2)
    distance[:60] = 80.0
    assert sigma_scale(distance, sigma, side)[0] < 1.15
    assert np.sqrt((distance**2 / (2 * sigma**2)).mean()) > 3  # what the Gaussian likelihood would ask for


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "landmarks_light.safetensors"
    shutil.copy(WEIGHTS_FOLDER / "landmarks_light.safetensors", path)
    return path


def test_calibration_scales_sigma_and_leaves_the_points(model, tmp_path, shared_data):
    assets = shared_data / "render_assets"
    if not (assets / "ict_face.npz").is_file():
        pytest.skip(f"the head model is not on this machine ({assets})")
    from training.data.face_renderer import render_cache

    render_cache(12, tmp_path / "heads.npz", assets, 5, 1)
    crops = torch.rand(3, 1, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        points, sigma = load(str(model))[1](crops)
    before = read(model)[1]
    record(model, "driver_faces people 2_*, labelled boxes", {"nme_percent": 6.7, "calibration_error": 0.05}, "before")
    calibrate.calibrate(str(model), [tmp_path / "heads.npz"], None, 3)
    with torch.inference_mode():
        moved, scaled = load(str(model))[1](crops)
    torch.testing.assert_close(moved, points)
    after = read(model)[1]
    changed = [key for key in before if not np.array_equal(before[key], after[key])]
    assert changed == ["spread.bias"]
    factors = np.exp(after["spread.bias"] - before["spread.bias"])
    inside = ((scaled > np.exp(-2.9)) & (scaled < np.exp(4.9))).all(dim=0).numpy()
    np.testing.assert_allclose((scaled / sigma).numpy()[:, inside], np.tile(factors[inside], (3, 1)), rtol=1e-3)
    card = read_card(model)
    assert "sigma calibrated on 6" in card.notes
    assert {entry["metric"] for entry in card.metrics} >= {"calibration_error"}
    # What was measured with the former sigma is gone; what stands there can be had again by its command.
    assert {entry["on"] for entry in card.metrics} == {"rendered held-out heads"}
    assert {entry["command"] for entry in card.metrics} == {
        "python3 -m training.landmarks.calibrate landmarks_light --heads heads.npz --seed 3"}
    np.testing.assert_allclose(factors, factors[list(LAYOUTS["sf_tl54"].mirror)], rtol=1e-5)


def test_calibration_fits_the_mean_of_both_mirror_images(model):
    """The robot's prediction, whose sigma a factor for each pair of points scales as a whole."""
    rng = np.random.default_rng(6)
    crops = [(rng.random((1, 112, 112), np.float32), rng.uniform(20, 90, (54, 2)).astype(np.float32)) for _ in range(3)]
    layout = LAYOUTS["sf_tl54"]
    found = calibrate.predictions(str(model), crops)
    with torch.inference_mode():
        both = [output.numpy() for output in load(str(model))[1](
            torch.from_numpy(with_mirror_images(np.stack([image for image, _ in crops]))))]
    points, sigma = mean_of_both(*both, layout, 112)
    np.testing.assert_allclose(found.points, points, atol=1e-4)
    np.testing.assert_allclose(found.sigma, sigma, rtol=1e-5)
    assert not np.allclose(found.sigma, calibrate.predictions(str(model), crops, mirror=False).sigma, rtol=0.01)
    factors = calibrate.factors_of(found, layout)
    np.testing.assert_array_equal(factors, factors[list(layout.mirror)])
    gentle = factors ** 0.1  # off the bounds of sigma
    card, weights = read(model)
    write(model, card, {**weights, "spread.bias": weights["spread.bias"] + np.log(gentle).astype(np.float32)})
    scaled = calibrate.predictions(str(model), crops).sigma
    inside = (sigma > np.exp(-2.5)) & (sigma < np.exp(4.5))
    np.testing.assert_allclose((scaled / sigma)[inside], np.tile(gentle, (3, 1))[inside], rtol=1e-3)
    assert inside.mean() > 0.5


def test_a_missing_cache_is_told(model, tmp_path, capsys):
    assert calibrate.main([str(model), "--heads", str(tmp_path / "none.npz")]) == 1
    assert "none.npz is missing" in capsys.readouterr().err
    with pytest.raises(DataError):
        calibrate.calibrate(str(model), [tmp_path / "none.npz"], None, 0)


def test_the_summary_holds_them():
    rng = np.random.default_rng(4)
    truth = rng.uniform(0, 100, (5, 54, 2))
    sigma = rng.uniform(0.5, 5, (5, 54))
    found = summary(Predictions(truth + rng.normal(0, 1, truth.shape) * sigma[..., None], truth, sigma,
                                np.full(5, 100.0)))
    assert found["confidence_error_correlation"] < -0.2 and 0 < found["relative_risk_area"] < 1
    assert found["calibration_error"] < 0.15
