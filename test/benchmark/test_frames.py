"""The frames that speed is measured on show what they are said to show."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.benchmark.frames import FACES, HEIGHT, WIDTH, rendered


@pytest.mark.slow
@pytest.mark.parametrize("faces", FACES)
def test_the_pipeline_finds_as_many_faces_as_are_shown(faces: int) -> None:
    pytest.importorskip("torch")
    from thermal_kd_ros.config import PerceptionConfig, with_values
    from thermal_kd_ros.frames import ThermalFrame
    from thermal_kd_ros.pipeline import ThermalPerception

    config = with_values(PerceptionConfig(), {"engine.threads": 1, "engine.device": "cpu"})
    perception = ThermalPerception(config)
    images = rendered(faces)
    assert len(images) == 3
    for image in images:
        assert image.shape == (HEIGHT, WIDTH) and image.dtype == np.uint16
        result = perception.process([ThermalFrame.from_array(image, config.thermal)])[0]
        assert abs(len(result.faces) - faces) <= faces // 4, "0 and 1 exactly, 8 within 2"
