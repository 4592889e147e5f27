"""The curve of landmark errors over box errors."""

import cv2
import pytest

pytest.importorskip("torch")

from training.landmarks.box_errors import SHIFTS, ZOOMS, box_error_curve, plot_curve
from training.landmarks.evaluate import driver_predictions, nme


def test_the_curve_starts_at_the_plain_error_and_is_drawn(shared_data, tmp_path):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")
    curve = box_error_curve("landmarks_light", shared_data, "2", step=60)
    plain = driver_predictions("landmarks_light", shared_data, "2", step=60)
    error = 100 * nme(plain.points, plain.truth).mean()
    assert [value for value, _ in curve["shift"]] == list(SHIFTS) and [v for v, _ in curve["zoom"]] == list(ZOOMS)
    assert dict(curve["shift"])[0.0] == pytest.approx(error, rel=1e-4)
    assert dict(curve["zoom"])[1.0] == pytest.approx(error, rel=1e-4)
    # Half the face cut off: nobody could.
    assert dict(curve["zoom"])[0.6] > 2 * error
    plot_curve(curve, tmp_path / "curve.png")
    assert cv2.imread(str(tmp_path / "curve.png")).shape[1] > 500
