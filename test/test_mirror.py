"""Landmarks found in a face and in its mirror image."""

import numpy as np

from thermal_kd_ros.config import EngineConfig
from thermal_kd_ros.engines.base import load_engine
from thermal_kd_ros.faces import mean_of_both, with_mirror_images
from thermal_kd_ros.layouts import get_layout

LAYOUT = get_layout("sf_tl54")


def test_mean_of_a_network_that_makes_no_difference_is_its_own_answer():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 112, (3, LAYOUT.points, 2))
    sigma = rng.uniform(1, 3, (3, LAYOUT.points))
    both = np.concatenate([points, LAYOUT.mirrored(points, 112)])
    deviations = np.concatenate([sigma, sigma[:, list(LAYOUT.mirror)]])
    mean, deviation = mean_of_both(both, deviations, LAYOUT, 112)
    np.testing.assert_allclose(mean, points)
    np.testing.assert_allclose(deviation, sigma)


def test_a_mirrored_face_has_mirrored_landmarks():
    engine = load_engine("landmarks_light", "landmarks", EngineConfig(precision="fp32"))
    size = engine.card.input_width
    crops = np.random.default_rng(1).uniform(0, 1, (4, 1, size, size)).astype(np.float32)
    points, sigma = mean_of_both(*engine.run(with_mirror_images(crops)), LAYOUT, size)
    mirrored = np.ascontiguousarray(crops[..., ::-1])
    other, other_sigma = mean_of_both(*engine.run(with_mirror_images(mirrored)), LAYOUT, size)
    np.testing.assert_allclose(LAYOUT.mirrored(other, size), points, atol=1e-3)
    np.testing.assert_allclose(other_sigma[:, list(LAYOUT.mirror)], sigma, atol=1e-3)
    alone, _ = engine.run(crops)
    alone_mirrored, _ = engine.run(mirrored)
    assert np.abs(LAYOUT.mirrored(alone_mirrored, size) - alone).max() > 0.1  # which the network alone does not do
