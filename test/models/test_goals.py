"""What the shipped models are meant to reach, by the figures in their cards.

A goal that is not reached yet is marked so, strictly: the mark must go when the goal is met.
"""

import pytest

from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER, read_card

HIT_UAV = "hit_uav val over person, car, bicycle"
not_yet = pytest.mark.xfail(strict=True, reason="goal not reached yet, see the card")


@pytest.mark.parametrize("model, metric, on, least", [
    ("detector_nano", "map50", HIT_UAV, 0.86),
    pytest.param("detector_small", "map50", HIT_UAV, 0.90, marks=not_yet),
    ("face_detector", "recall_iou50", "driver_faces people 2_*", 0.90),
    ("face_detector", "recall_iou50", "driver_faces people 1_*", 0.90),
])
def test_accuracy_is_at_least(model, metric, on, least):
    assert figure(model, metric, on) >= least


@pytest.mark.parametrize("on", [
    pytest.param("driver_faces people 2_*, labelled boxes", marks=not_yet),
    pytest.param("driver_faces people 1_*, labelled boxes", marks=not_yet),
])
def test_landmark_error_is_at_most_six_percent_of_the_eye_distance(on):
    assert figure("landmarks_light", "nme_percent", on) <= 6.0


def test_every_model_file_is_small():
    for path in WEIGHTS_FOLDER.glob("*.safetensors"):
        assert path.stat().st_size <= 15_000_000


def figure(model, metric, on):
    """One measured value of a card."""
    entries = read_card(WEIGHTS_FOLDER / f"{model}.safetensors").metrics
    return next(entry["value"] for entry in entries if entry["metric"] == metric and entry["on"] == on)
