"""One pipeline, many doors: what is measured of a recording offline is what the node publishes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thermal_kd_ros.config import PerceptionConfig, with_values
from thermal_kd_ros.evaluation.bags import BagReader
from thermal_kd_ros.evaluation.offline import look_through
from thermal_kd_ros.evaluation.recording import Recording
from thermal_kd_ros.evaluation.report import Playback
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.reading import detections_from_message, landmarks_from_message

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

VALUES = {"detector.score_threshold": 0.0, "detector.max_detections": 5, "face.score_threshold": 0.0,
          "face.max_faces": 3, "face.min_size_px": 1.0, "face.min_landmark_confidence": 0.0,
          # Unlike scores of few bits, these are never equal, and one thread adds in one order.
          "engine.precision": "fp32", "engine.threads": 1}


def test_a_recording_gives_the_same_offline_and_through_the_node(start: Callable[[dict[str, Any]], Any],
                                                                 models: dict[str, str], tmp_path: Path) -> None:
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import Image

    from thermal_kd_ros.demo.recording import render

    path = tmp_path / "recording.mcap"
    render(path, 12, 10.0, (320, 256), 3)
    perception = ThermalPerception(with_values(PerceptionConfig(), {**VALUES, **models}))
    # Stamps of another year are stale to a node that looks at the age.
    node = start({**VALUES, **models, "max_age_s": 0.0})
    with BagReader(path) as bag:
        recording = Recording.of(bag, None, None, 10.0)
        images = [deserialize_message(record.data, Image) for record in bag.records([recording.image_topic])]
        offline = list(look_through(bag, recording, perception, Playback(0), lambda kind, text: None))
    node.wait_answering(images[0])
    assert len(offline) == len(images) == 12
    seen = 0
    for (_, stamp, result), image in zip(offline, images, strict=True):
        assert stamp == image.header.stamp.sec * 1_000_000_000 + image.header.stamp.nanosec
        message, cloud = node.ask(image)
        published = detections_from_message(message, perception.class_names)
        faces = landmarks_from_message(cloud, message)
        objects = published.select(published.labels < len(perception.class_names))
        np.testing.assert_array_equal(objects.labels, result.detections.labels)
        np.testing.assert_allclose(objects.boxes, result.detections.boxes, atol=0.01)
        np.testing.assert_allclose(objects.scores, result.detections.scores, atol=1e-4)
        np.testing.assert_array_equal(objects.track_ids, result.detections.track_ids)
        np.testing.assert_allclose(faces.points, result.faces.points, atol=0.05)
        np.testing.assert_allclose(faces.temperature, result.faces.temperature, atol=0.1)
        seen += len(objects) + len(faces)
    assert seen > 12
