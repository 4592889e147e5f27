"""The landmark network: decoding, budget, calibration of the confidence, and bad crops."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.faces import normalise_crop  # noqa: E402
from thermal_kd_ros.geometry import FaceCrop  # noqa: E402
from thermal_kd_ros.models.blocks import fuse_batch_norm  # noqa: E402
from thermal_kd_ros.models.confidence import TOLERANCE, confidence  # noqa: E402
from thermal_kd_ros.models.landmarker import Landmarker, decode_heat  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402

SPEC = LandmarkerSpec()


def test_a_peak_decodes_to_the_centre_of_its_cell_and_two_to_the_middle():
    network = Landmarker(SPEC)
    heat = torch.full((1, 2, 28, 28), -60.0)
    heat[0, 0, 5, 20] = 60.0
    heat[0, 1, 5, 20] = heat[0, 1, 9, 10] = 60.0
    points = decode_heat(heat, network.grid)
    grid = network.grid.numpy()
    np.testing.assert_allclose(points[0, 0], [grid[20], grid[5]], atol=1e-4)
    np.testing.assert_allclose(points[0, 1], [(grid[20] + grid[10]) / 2, (grid[5] + grid[9]) / 2], atol=1e-4)
    # The grid is centred on the crop and reaches beyond it.
    assert grid.mean() == pytest.approx(SPEC.size / 2)
    assert grid[0] < 0 and grid[-1] > SPEC.size


def test_decoding_is_the_softmax_mean_in_float64():
    heat = torch.randn(3, 4, 28, 28, generator=torch.Generator().manual_seed(0)) * 3
    grid = Landmarker(SPEC).grid
    weight = np.exp(heat.double().numpy())
    weight /= weight.sum(axis=(2, 3), keepdims=True)
    x = (weight * grid.double().numpy()[None, None, None, :]).sum(axis=(2, 3))
    y = (weight * grid.double().numpy()[None, None, :, None]).sum(axis=(2, 3))
    np.testing.assert_allclose(decode_heat(heat, grid).numpy(), np.stack([x, y], axis=-1), atol=1e-3)


def test_budget():
    from torch.utils.flop_counter import FlopCounterMode

    network = Landmarker(SPEC).eval()
    assert sum(p.numel() for p in network.parameters()) <= 600_000
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, SPEC.size, SPEC.size))
    assert counter.get_total_flops() <= 60e6


def test_shapes_dtypes_and_finite_output_for_constant_crops():
    network = fuse_batch_norm(Landmarker(SPEC).eval())
    crops = np.stack([normalise_crop(np.full((112, 112), value, np.float32)) for value in (0.0, 23.0, 65535.0, np.nan)])
    assert np.isfinite(crops).all()
    points, sigma = network(torch.from_numpy(crops)[:, None])
    assert points.shape == (4, 54, 2) and sigma.shape == (4, 54)
    assert points.dtype == sigma.dtype == torch.float32
    assert torch.isfinite(points).all() and (sigma > 0).all() and torch.isfinite(sigma).all()


def test_fusing_batch_norm_changes_nothing():
    torch.manual_seed(0)
    network = Landmarker(SPEC)
    network(torch.rand(4, 1, 112, 112))  # running statistics other than 0 and 1
    network.eval()
    crops = torch.rand(2, 1, 112, 112)
    with torch.inference_mode():
        before = network(crops)
        after = fuse_batch_norm(network)(crops)
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-4)


def test_the_spec_survives_json():
    import json

    assert LandmarkerSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="100"):
        Landmarker(LandmarkerSpec(size=100))


def test_confidence_is_the_share_of_gaussian_errors_within_the_tolerance():
    rng = np.random.default_rng(0)
    for sigma in (1.0, 3.0, 9.0):
        errors = np.linalg.norm(rng.normal(0, sigma, (200_000, 2)), axis=1)
        share = (errors <= TOLERANCE * 100.0).mean()
        assert confidence(np.array([sigma]), 100.0)[0] == pytest.approx(share, abs=0.005)


def test_confidence_stays_in_range_at_the_extremes():
    values = confidence(np.array([0.0, 1e-30, 1e30, np.inf]), 50.0)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [1, 1, 0, 0], atol=1e-6)


def test_crops_do_not_depend_on_unit_or_offset():
    celsius = np.random.default_rng(0).normal(30, 2, (112, 112)).astype(np.float32)
    counts = (celsius.astype(np.float64) + 273.15) * 100
    np.testing.assert_allclose(normalise_crop(celsius), normalise_crop(counts.astype(np.float32)), atol=2e-3)


def test_infinite_pixels_of_a_crop_are_missing_ones_whatever_its_size() -> None:
    celsius = np.random.default_rng(0).normal(30, 3, (200, 200)).astype(np.float32)
    for side in (60, 112, 160):
        window = FaceCrop(20, 20, side, 112)
        holes = [celsius.copy() for _ in range(3)]
        for hole, value in zip(holes, (np.nan, np.inf, -np.inf), strict=True):
            hole[60:70, 60:70] = value
        missing, above, below = (normalise_crop(window.apply(hole)) for hole in holes)
        np.testing.assert_array_equal(above, missing)
        np.testing.assert_array_equal(below, missing)
        assert (missing == 0.0).any()
