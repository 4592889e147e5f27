"""Where a recording has its truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TruthTopics:
    """The topics of objects and faces (vision_msgs/Detection2DArray), and of the faces' landmarks (PointCloud2)."""

    detections: str = "/thermal/truth/detections"
    landmarks: str = "/thermal/truth/landmarks"
