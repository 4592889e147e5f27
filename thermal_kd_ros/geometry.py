"""Orientation, letterbox and face-crop transforms, each with its exact inverse.

Coordinates are continuous: an image spans [0, width] x [0, height], the centre of its top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

PAD_VALUE = 0.5
"""What the letterbox fills its margins with: mid-grey, neither hot nor cold."""


@dataclass(frozen=True)
class Orientation:
    """From a camera's image to the upright one: mirrored left to right if ``flip``, then turned clockwise."""

    height: int
    width: int
    """Size of the camera's image, pixels."""
    rotate: int = 0
    """Degrees clockwise: 0, 90, 180 or 270."""
    flip: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the camera's image is upright as it is."""
        return self.rotate == 0 and not self.flip

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(height, width) values of any type to the upright image: itself, or a contiguous copy."""
        if self.is_identity:
            return image
        mirrored = image[:, ::-1] if self.flip else image
        # NumPy turns anticlockwise.
        return np.ascontiguousarray(np.rot90(mirrored, -self.rotate // 90))

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Points of the camera's image (..., 2) to points of the upright image."""
        x, y = points[..., 0], points[..., 1]
        if self.flip:
            x = self.width - x
        if self.rotate == 90:
            x, y = self.height - y, x
        elif self.rotate == 180:
            x, y = self.width - x, self.height - y
        elif self.rotate == 270:
            x, y = y, self.width - x
        return np.stack([x, y], axis=-1)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points of the upright image (..., 2) to points of the camera's image."""
        x, y = points[..., 0], points[..., 1]
        if self.rotate == 90:
            x, y = y, self.height - x
        elif self.rotate == 180:
            x, y = self.width - x, self.height - y
        elif self.rotate == 270:
            x, y = self.width - y, x
        if self.flip:
            x = self.width - x
        return np.stack([x, y], axis=-1)

    def inverse_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes of the upright image (N, 4), x1 y1 x2 y2, to boxes of the camera's image (N, 4) float32."""
        corners = self.inverse(boxes.reshape(-1, 2, 2))
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Letterbox:
    """Aspect-keeping resize of a source image into the middle of a fixed canvas."""

    source_height: int
    source_width: int
    height: int
    width: int

    @property
    def inner(self) -> tuple[int, int]:
        """(width, height) of the resized source in the canvas, at least 1 each."""
        scale = min(self.width / self.source_width, self.height / self.source_height)
        return (min(self.width, max(1, round(self.source_width * scale))),
                min(self.height, max(1, round(self.source_height * scale))))

    @property
    def offset(self) -> tuple[int, int]:
        """(x, y) of the resized source's corner in the canvas."""
        inner_width, inner_height = self.inner
        return (self.width - inner_width) // 2, (self.height - inner_height) // 2

    def _scale(self) -> np.ndarray:
        inner_width, inner_height = self.inner
        return np.array([inner_width / self.source_width, inner_height / self.source_height])

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(source_height, source_width) float32 to (height, width) float32, margins filled with PAD_VALUE."""
        inner_width, inner_height = self.inner
        if (inner_width, inner_height) != (self.source_width, self.source_height):
            shrinks = inner_width < self.source_width
            image = cv2.resize(image, (inner_width, inner_height),
                               interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        if (inner_width, inner_height) == (self.width, self.height):
            return image
        canvas = np.full((self.height, self.width), PAD_VALUE, np.float32)
        x, y = self.offset
        canvas[y : y + inner_height, x : x + inner_width] = image
        return canvas

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Source points (..., 2) to canvas points."""
        return points * self._scale() + np.array(self.offset)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Canvas points (..., 2) to source points."""
        return (points - np.array(self.offset)) / self._scale()

    def inverse_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Canvas boxes (N, 4) to source boxes (N, 4) float32, clipped to the image."""
        corners = self.inverse(boxes.reshape(-1, 2, 2).astype(np.float64))
        corners = np.clip(corners, 0.0, (self.source_width, self.source_height))
        return corners.reshape(-1, 4).astype(np.float32)


@dataclass(frozen=True)
class FaceCrop:
    """A square window around a face box, resized to the landmark network's input.

    The window is on whole pixels and may reach beyond the image, where the border is repeated.
    """

    x: int
    y: int
    side: int
    size: int
    """Side of the network's input, pixels."""

    @classmethod
    def around(cls, box: np.ndarray, size: int, margin: float) -> FaceCrop:
        """The window whose side is the box's longer side times ``1 + 2 * margin``, centred on the box."""
        x1, y1, x2, y2 = (float(v) for v in box)
        side = max(2, round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)))
        return cls(round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side, size)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(H, W) float32 to (size, size) float32."""
        height, width = image.shape
        inside = 0 <= self.y and 0 <= self.x and self.y + self.side <= height and self.x + self.side <= width
        if inside:
            window = image[self.y : self.y + self.side, self.x : self.x + self.side]
        else:
            rows = np.clip(np.arange(self.y, self.y + self.side), 0, height - 1)
            columns = np.clip(np.arange(self.x, self.x + self.side), 0, width - 1)
            window = image[np.ix_(rows, columns)]
        if self.side == self.size:
            return np.ascontiguousarray(window)
        shrinks = self.side > self.size
        return cv2.resize(window, (self.size, self.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Source points (..., 2) to crop points, in pixels of the network's input."""
        return (points - np.array([self.x, self.y])) * (self.size / self.side)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Crop points (..., 2) to source points."""
        return points * (self.side / self.size) + np.array([self.x, self.y])
